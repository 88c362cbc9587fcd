import { setTimeout as wait } from 'node:timers/promises'
import { CloseCode } from '../errors.ts'

export interface DrainOptions {
  readonly limits: { readonly batch: number; readonly every: number; readonly deadline: number }
  readonly connections: () => ReadonlySet<Drained>
}

export interface Drained {
  readonly ended: boolean
  end(code: CloseCode, reason: string, how: { terminate?: boolean; retryAfter?: number }): void
  terminate(): void
}

/**
 * Empties a server: 1012 to a batch at a time, so that the clients do not all come back in one second, each told when to
 * retry; what is still open at the deadline is cut. A client that ignores the close frame holds nobody (RS-10).
 */
export function createDrain({ limits, connections }: DrainOptions) {
  let running: Promise<void> | undefined

  async function run(): Promise<void> {
    const { batch, every, deadline } = limits
    const endsAt = performance.now() + deadline
    while (performance.now() < endsAt) {
      const open = [...connections()].filter(({ ended }) => !ended)
      for (const connection of open.slice(0, batch)) {
        connection.end(CloseCode.ServiceRestart, 'draining', { retryAfter: retryAfter(open.length, limits) })
      }
      if (connections().size === 0) return
      // Between batches the pace is `every`; afterwards we only wait for the closing handshakes.
      await wait(open.length > batch ? every : Math.min(50, every))
    }
    for (const connection of [...connections()]) connection.terminate()
    while (connections().size > 0) await wait(5)
  }

  return {
    get started() {
      return running !== undefined
    },
    start(): Promise<void> {
      running ??= run()
      return running
    },
  }
}

/** Spread over as long as the drain itself takes, a second at least: thundering herds come from equal waits. */
function retryAfter(open: number, { batch, every }: DrainOptions['limits']): number {
  return Math.random() * Math.max(1_000, Math.ceil(open / batch) * every)
}
