import { badOption } from '../errors.ts'

/** A pace, as a token bucket: so many on average, so many at once. */
export interface Rate {
  /** On average. A fraction is allowed: 0.2 is one in five seconds. */
  readonly perSecond: number
  /** At once. Default: `perSecond`, at least 1. */
  readonly burst?: number
}

/** A rate with its burst filled in, refilled per millisecond. */
export interface Pace {
  readonly perMillisecond: number
  readonly burst: number
}

/** What is left of a pace for one socket. */
export interface Bucket {
  tokens: number
  /** When `tokens` was true, in ms on a clock that nobody can set. */
  at: number
}

export function compileRate(rate: unknown, path: string): Pace {
  if (typeof rate !== 'object' || rate === null) throw badOption(path, rate, 'Write `{ perSecond: 5, burst: 10 }`.')
  for (const key of Object.keys(rate)) {
    if (key !== 'perSecond' && key !== 'burst') {
      throw badOption(`${path}.${key}`, Reflect.get(rate, key), 'A rate has `perSecond` and `burst` only.')
    }
  }
  const perSecond = positive(Reflect.get(rate, 'perSecond'), `${path}.perSecond`)
  const given: unknown = Reflect.get(rate, 'burst')
  const burst = given === undefined ? Math.max(1, Math.ceil(perSecond)) : positive(given, `${path}.burst`)
  if (burst < 1) throw badOption(`${path}.burst`, burst, 'Below 1 nothing would ever pass: write 1 or more.')
  return { perMillisecond: perSecond / 1000, burst }
}

export function compilePerMinute(perMinute: unknown, path: string): Pace {
  const burst = positive(perMinute, path)
  if (burst < 1) throw badOption(path, burst, 'Write 1 or more.')
  return { perMillisecond: burst / 60_000, burst }
}

export function fullBucket(pace: Pace, now: number): Bucket {
  return { tokens: pace.burst, at: now }
}

/**
 * Takes `cost` tokens, or takes nothing and says `false`. No timer: the refill is computed from the clock that is passed in, so
 * a thousand frames of one TCP segment meet the same bucket (RS-08).
 */
export function take(bucket: Bucket, pace: Pace, cost: number, now: number): boolean {
  const elapsed = now - bucket.at
  // Late (a refusal noted after an `await`) must not move the bucket back: the same seconds would be refilled twice.
  if (elapsed > 0) {
    bucket.tokens = Math.min(pace.burst, bucket.tokens + elapsed * pace.perMillisecond)
    bucket.at = now
  }
  if (bucket.tokens < cost) return false
  bucket.tokens -= cost
  return true
}

/** The ms until a bucket that has just said no says yes to the same; `undefined` where it never will. */
export function waitFor(bucket: Bucket, pace: Pace, cost: number): number | undefined {
  return cost > pace.burst ? undefined : Math.ceil((cost - bucket.tokens) / pace.perMillisecond)
}

function positive(value: unknown, path: string): number {
  if (typeof value === 'number' && Number.isFinite(value) && value > 0) return value
  throw badOption(path, value, 'Write a positive, finite number.')
}
