/** A socket as revalidation sees it. */
export interface Revalidated {
  readonly ended: boolean
  /** Asks everything again that was asked when the socket opened. Must not throw or reject. */
  revalidate(): Promise<void>
}

export interface Revalidation {
  /** Asks soon: at once while fewer than the bound are being asked, else in turn. Asking twice for one socket asks once. */
  request(socket: Revalidated): void
  /** When a socket that was asked at `now` is due again: within a tenth of the interval, so that a thousand sockets that
   * opened together are not asked together for ever after. */
  dueAfter(now: number): number
  /** And after a look-up that failed: sooner, because nobody knows whether the session still stands. */
  retryAfter(now: number): number
  readonly pending: number
}

/** After so many failures in a row the session counts as ended (ASVS 16.5.3: fail closed). */
export const revalidationFailures = 3

/**
 * Asks the session store again about open sockets, a bounded number at a time: a restart of the store, or the end of an
 * outage of the bus, must not turn into one question per socket at once.
 *
 * @param every ms between two questions about one socket
 */
export function createRevalidation(every: number, concurrency = 32): Revalidation {
  const waiting = new Set<Revalidated>()
  const asking = new Set<Revalidated>()

  async function ask(socket: Revalidated): Promise<void> {
    asking.add(socket)
    try {
      if (!socket.ended) await socket.revalidate()
    } finally {
      asking.delete(socket)
      next()
    }
  }

  function next(): void {
    for (const socket of waiting) {
      if (asking.size >= concurrency) return
      // Asked right now: once more when that answer is there, since what is asked for may have happened in between. Two at
      // once could end with the older answer.
      if (asking.has(socket)) continue
      waiting.delete(socket)
      void ask(socket)
    }
  }

  return {
    request(socket) {
      waiting.add(socket)
      next()
    },
    dueAfter: (now) => now + every * (0.9 + Math.random() * 0.2),
    retryAfter: (now) => now + Math.min(every, Math.max(20, every / 10)),
    get pending() {
      return waiting.size + asking.size
    },
  }
}
