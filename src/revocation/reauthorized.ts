/** Whose rights were changed lately: a handshake that was under way then has asked before, and its socket asks again. */
export interface Reauthorized {
  note(key: string, now: number): void
  /** @param since when the handshake began */
  isStale(identity: { readonly keys: readonly string[] }, since: number): boolean
}

/** Longer than any handshake takes, in ms. */
const horizon = 600_000

/** @param most keys remembered; when there are more, every handshake from before is taken for one that has to ask again */
export function createReauthorized(most = 50_000): Reauthorized {
  const noted = new Map<string, number>()
  let everybodySince = Number.NEGATIVE_INFINITY
  return {
    note(key, now) {
      noted.delete(key)
      noted.set(key, now)
      // In order of time: the first ones are the oldest.
      for (const [oldest, at] of noted) {
        if (now - at <= horizon && noted.size <= most) break
        if (now - at <= horizon) everybodySince = at
        noted.delete(oldest)
      }
    },
    isStale(identity, since) {
      if (since <= everybodySince) return true
      // Nearly always: then no id has to be digested.
      if (noted.size === 0) return false
      return identity.keys.some((key) => since <= (noted.get(key) ?? Number.NEGATIVE_INFINITY))
    },
  }
}
