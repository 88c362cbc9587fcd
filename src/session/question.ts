import { within } from '../thenable.ts'

/** Asks the application something and waits so long for the answer, in ms. Rejects with `SilentApplicationError` when none comes. */
export function answerWithin<T>(deadline: number, question: () => T | PromiseLike<T>): Promise<T> {
  return within(deadline, question, () => new SilentApplicationError(deadline))
}

const silences = new WeakSet<object>()

/** Not by `instanceof`: what an application throws may throw again when somebody looks at it (MS-15). */
export function isSilence(error: unknown): error is SilentApplicationError {
  return typeof error === 'object' && error !== null && silences.has(error)
}

export class SilentApplicationError extends Error {
  override readonly name = 'SilentApplicationError'

  constructor(deadline: number) {
    super(`no answer within ${deadline} ms (limits.lookup)`)
    silences.add(this)
  }
}
