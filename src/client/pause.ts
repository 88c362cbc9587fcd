import type { AfterClose } from './after-close.ts'
import { bounded } from './deadline.ts'

/** The pauses between attempts. */
export interface PauseOptions {
  /** The longest pause before the first attempt, in ms; it doubles with each failure. Default 1,000. */
  readonly first?: number
  /** No pause is drawn from more than this, in ms. Default 30,000. */
  readonly ceiling?: number
}

/** A hint beyond an hour is a mistake, and a timer beyond 2^31-1 ms fires at once. */
const longestHint = 3_600_000
/** `later` begins as if so many attempts had failed. */
const failuresOfLater = 4

/**
 * Full jitter: anything from nothing to the whole of a span that doubles. Of clients that lost one server at one moment, no two
 * come back together. A server that says when comes first; the jitter is added, so that equal hints do not meet.
 *
 * @param failures so far, in a row
 */
export function pauseBefore(
  failures: number,
  meaning: Extract<AfterClose, 'reconnect' | 'later'>,
  hint: number | undefined,
  { first = 1_000, ceiling = 30_000 }: PauseOptions,
  random: number,
): number {
  const doublings = failures + (meaning === 'later' ? failuresOfLater : 0)
  const span = Math.min(bounded(ceiling), first * 2 ** doublings)
  return Math.round((hint ?? 0) + random * span)
}

/** A number of ms that a server wrote; `undefined` for whatever is none. */
export function readHint(value: unknown): number | undefined {
  return typeof value === 'number' && value > 0 ? Math.min(value, longestHint) : undefined
}

/** The reason of 1012 tells each client a moment of its own. */
export function hintIn(reason: string): number | undefined {
  return readHint(Number(/; retry after (\d+) ms$/.exec(reason)?.[1]))
}
