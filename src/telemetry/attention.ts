/** Whether this one of many is looked at closely. @param now ms of a clock that nobody can set */
export type Attention = (now: number) => boolean

export interface AttentionOptions {
  /** So many in each second are, however many there are. */
  readonly perSecond?: number
  /** Of the rest, one in so many. */
  readonly oneIn?: number
}

/**
 * Bounds what it costs to look closely. A span, or a duration in a histogram of OpenTelemetry, takes some microseconds: as long as
 * a small message itself. Up to a rate at which that is nothing each is looked at, and of a crowd a sample.
 *
 * The sample is drawn at random: clients that take turns would give a fixed stride the same one each time, and one of them could
 * choose to be never seen.
 */
export function createAttention({ perSecond = 100, oneIn = 1_024 }: AttentionOptions = {}): Attention {
  let since = Number.NEGATIVE_INFINITY
  let left = perSecond
  let skip = gap()

  function gap(): number {
    return Math.floor(Math.random() * (2 * oneIn - 1))
  }

  return (now) => {
    if (now - since >= 1_000) {
      since = now
      left = perSecond
    }
    if (left > 0) {
      left--
      return true
    }
    if (skip > 0) {
      skip--
      return false
    }
    skip = gap()
    return true
  }
}
