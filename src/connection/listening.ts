/** Whether somebody may still begin to listen on one socket: a handler may be async. One object for all sockets in each state. */
export interface Listening {
  /** The handler is done, or has had its time: whoever does not listen by now will not, and nobody new is waited for. */
  readonly over: boolean
  /** The time of the handshake is over, whatever the handler does: what comes is handed to whoever is there, or to nobody. */
  readonly late: boolean
}

export const expected: Listening = Object.freeze({ over: false, late: false })
export const settled: Listening = Object.freeze({ over: true, late: false })
export const late: Listening = Object.freeze({ over: true, late: true })

/** Those who wait for a listener. */
export class Waiters {
  #waiting: (() => void)[] = []

  /** Resolves when a listener was added, or when there is nothing left to wait for: look again. */
  next(): Promise<void> {
    return new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const wake of waiting) wake()
  }
}
