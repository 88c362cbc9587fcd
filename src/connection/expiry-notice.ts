/** The longest time before the end of a session at which its client is told, in ms. */
const longest = 60_000
/** Of a session that is short anyway, so much of what is left: told earlier, a client would renew all the time. */
const share = 1 / 4

/** The notice that a session is about to end, while there is still time to renew it: once for each end. */
export class ExpiryNotice {
  #expiresAt: number | undefined
  /** When to tell; `Infinity` once it was told. */
  #at = Number.POSITIVE_INFINITY

  /**
   * Whether to tell now.
   *
   * @param now as the session's end is dated; it can be set, and so can the end
   */
  isDue(expiresAt: number | undefined, now: number): boolean {
    if (expiresAt !== this.#expiresAt) {
      this.#expiresAt = expiresAt
      this.#at =
        expiresAt === undefined ? Number.POSITIVE_INFINITY : expiresAt - Math.min(longest, (expiresAt - now) * share)
    }
    if (now < this.#at) return false
    this.#at = Number.POSITIVE_INFINITY
    return true
  }
}
