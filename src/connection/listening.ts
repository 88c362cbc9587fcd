/** Whether somebody may still begin to listen on one socket, and those who wait for that: a handler may be async. */
export class Listening {
  /** The handler is done, or has had its time: whoever does not listen by then will not. */
  #isOver = false
  /** The time of the handshake is over, whatever the handler does. */
  #isLate = false
  #waiters: (() => void)[] | undefined

  /** Nobody new is waited for. */
  get over(): boolean {
    return this.#isOver
  }

  /** What comes is handed to whoever is there, or to nobody. */
  get late(): boolean {
    return this.#isLate
  }

  /** Resolves when a listener was added, or when there is nothing left to wait for: look again. */
  next(): Promise<void> {
    this.#waiters ??= []
    const waiters = this.#waiters
    return new Promise<void>((resolve) => waiters.push(resolve))
  }

  /** The handler has returned, or its promise has settled. */
  settled(): void {
    this.#isOver = true
    this.wake()
  }

  timeIsUp(): void {
    this.#isOver = this.#isLate = true
    this.wake()
  }

  wake(): void {
    const waiters = this.#waiters
    if (waiters === undefined) return
    this.#waiters = undefined
    for (const wake of waiters) wake()
  }
}
