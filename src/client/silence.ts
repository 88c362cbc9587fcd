/** A server that has answered may be silent ever so often. */
const answered = -1e9

/**
 * Notices a link that went silent: browsers show a page none of the server's pings, so one that is dead looks like one on which nobody
 * says anything.
 */
export class Silence {
  readonly #span: number
  #heardAt = 0
  /** Unanswered so far; of a server that has answered, it is no matter. */
  #inVain = 0

  /** @param span ms without a frame, after which the server is asked whether it is there; 0 for never */
  constructor(span: number) {
    this.#span = span
  }

  /** Any frame is a sign of life. */
  heard(): void {
    this.#heardAt = performance.now()
  }

  /**
   * Watches a connection from now on.
   *
   * @param ping rejects when there was no answer
   * @param lost called then; of a server that has never answered, and may speak another protocol, once
   */
  watch(isCurrent: () => boolean, ping: () => Promise<unknown>, lost: () => void): void {
    const look = async () => {
      const asked = performance.now()
      if (asked - this.#heardAt >= this.#span && isCurrent()) {
        await ping().then(
          () => {
            this.#inVain = answered
          },
          () => {},
        )
        if (isCurrent() && this.#heardAt < asked) {
          if (this.#inVain++ < 1) lost()
          return
        }
      }
      if (isCurrent()) again()
    }
    const again = () => {
      const timer = setTimeout(look, this.#span - (performance.now() - this.#heardAt))
      // In Node the connection keeps the program running, not its clock.
      if (typeof timer === 'object') timer.unref()
    }
    this.heard()
    if (this.#span > 0) again()
  }
}
