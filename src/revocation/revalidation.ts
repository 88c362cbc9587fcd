/** A socket as revalidation sees it. */
export interface Revalidated {
  readonly ended: boolean
  /** Asks everything again that was asked when the socket opened. Must not throw or reject. */
  revalidate(): Promise<void>
}

export interface Revalidation {
  /**
   * Asks soon: at once while fewer than the bound are being asked, else in turn. Asking twice for one socket asks once.
   * `urgent` (rights have changed, the session is about to end) goes first, and has places of its own: routine questions
   * that nobody answers do not stand in its way.
   */
  request(socket: Revalidated, urgent?: boolean): void
  /** When a socket that was asked at `now` is due again: within a tenth of the interval, so that a thousand sockets that
   * opened together are not asked together for ever after. */
  dueAfter(now: number): number
  /** And after a look-up that failed: sooner, because nobody knows whether the session still stands. */
  retryAfter(now: number): number
  readonly pending: number
}

/** After so many failures in a row the socket is closed: nobody knows whether it may stay (ASVS 16.5.3: fail closed). */
export const revalidationFailures = 3

/**
 * Asks the session store again about open sockets, a bounded number at a time: a restart of the store, or the end of an
 * outage of the bus, must not turn into one question per socket at once.
 *
 * @param every ms between two questions about one socket
 */
export function createRevalidation(every: number, concurrency = 32): Revalidation {
  const waiting = { urgent: new Set<Revalidated>(), routine: new Set<Revalidated>() }
  const asking = { urgent: new Set<Revalidated>(), routine: new Set<Revalidated>() }

  async function ask(socket: Revalidated, kind: 'urgent' | 'routine'): Promise<void> {
    asking[kind].add(socket)
    try {
      if (!socket.ended) await socket.revalidate()
    } finally {
      asking[kind].delete(socket)
      next('urgent')
      next('routine')
    }
  }

  function next(kind: 'urgent' | 'routine'): void {
    for (const socket of waiting[kind]) {
      if (asking[kind].size >= concurrency) return
      // Asked right now: once more when that answer is there, since what is asked for may have happened in between. Two at
      // once could end with the older answer.
      if (asking.urgent.has(socket) || asking.routine.has(socket)) continue
      waiting[kind].delete(socket)
      void ask(socket, kind)
    }
  }

  return {
    request(socket, urgent = false) {
      if (urgent) waiting.routine.delete(socket)
      else if (waiting.urgent.has(socket)) return
      const kind = urgent ? 'urgent' : 'routine'
      waiting[kind].add(socket)
      next(kind)
    },
    dueAfter: (now) => now + every * (0.9 + Math.random() * 0.2),
    retryAfter: (now) => now + Math.min(every, Math.max(20, every / 10)),
    get pending() {
      return waiting.urgent.size + waiting.routine.size + asking.urgent.size + asking.routine.size
    },
  }
}
