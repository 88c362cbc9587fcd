import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises'
import { CloseCode } from '../errors.ts'

export interface DrainOptions {
  readonly limits: { readonly batch: number; readonly every: number; readonly deadline: number }
  readonly connections: () => Iterable<Drained> & { readonly size: number }
  /** Told once, when all are gone. */
  readonly report: (report: DrainReport) => void
}

export interface Drained {
  readonly ended: boolean
  end(code: CloseCode, reason: string, how: { terminate?: boolean; retryAfter?: number }): void
  terminate(): void
}

/** The work of a drain: so far, while it runs. */
export interface DrainReport {
  /** Sockets that were told to go, with 1012. */
  readonly closed: number
  /** Sockets that were still there at `limits.drain.deadline`, and were cut. */
  readonly cut: number
  /** How long it took, or has taken so far, in ms. */
  readonly durationMs: number
  /** Whether all are gone. */
  readonly done: boolean
}

export interface Drain {
  readonly started: boolean
  /** The report until now; `null` before the start. */
  readonly report: DrainReport | null
  /** The second call waits for the same end. */
  start(): Promise<DrainReport>
}

/**
 * Empties a server: 1012 to a batch at a time, so that the clients do not all come back in one second, each told when to
 * retry; what is still open at the deadline is cut. A client that ignores the close frame holds nobody (RS-10).
 */
export function createDrain({ limits, connections, report }: DrainOptions): Drain {
  const { batch, every, deadline } = limits
  let running: Promise<DrainReport> | undefined
  let begunAt = 0
  let tookMs: number | undefined
  let closed = 0
  let cut = 0

  async function empty(): Promise<void> {
    // Read first, then close: a message that was there before the stop is one like any other. The first turn may be the rest of
    // one that has read already.
    await turn()
    await turn()
    // From here on: with a short deadline, or much to read, nobody would be told else.
    const until = performance.now() + deadline
    const spread = spreadOf(connections().size, limits)
    while (performance.now() < until) {
      const open = [...connections()].filter(({ ended }) => !ended)
      for (const connection of open.slice(0, batch)) {
        closed++
        connection.end(CloseCode.ServiceRestart, 'draining', { retryAfter: Math.random() * spread })
      }
      if (connections().size === 0) return
      // Between batches the pace is `every`; afterwards we only wait for the closing handshakes.
      await wait(open.length > batch ? every : Math.min(50, every))
    }
    for (const connection of [...connections()]) {
      cut++
      connection.terminate()
    }
    while (connections().size > 0) await wait(5)
  }

  function reported(): DrainReport {
    return { closed, cut, durationMs: Math.round(tookMs ?? performance.now() - begunAt), done: tookMs !== undefined }
  }

  async function run(): Promise<DrainReport> {
    begunAt = performance.now()
    await empty()
    tookMs = performance.now() - begunAt
    const done = reported()
    report(done)
    return done
  }

  return {
    get started() {
      return running !== undefined
    },
    get report() {
      return running === undefined ? null : reported()
    },
    start() {
      running ??= run()
      return running
    },
  }
}

/**
 * The span from which every client is given its moment: as long as the whole drain takes, a second at least. The same for the last
 * batch as for the first: then they come back at the pace at which they were sent away, and no faster. Were it what is left of the
 * drain, those of the first batch, who wait longest, and those of the last, who hardly wait, would come together.
 */
function spreadOf(open: number, { batch, every }: DrainOptions['limits']): number {
  return Math.max(1_000, Math.ceil(open / batch) * every)
}
