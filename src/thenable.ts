/**
 * Tells whether an answer of the application has to be waited for. Query builders answer with thenables that are not a
 * `Promise`: whoever asks for the class instead takes the builder itself for the answer, and hears no rejection of it.
 */
export function isThenable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}

/**
 * A promise of ours for an answer of the application. What the `then` of a foreign one returns is its own affair: `undefined`,
 * which would pass for "nothing is wrong" wherever no refusal is a yes. So nobody calls it but the language.
 */
export async function promiseOf<T>(answer: PromiseLike<T>): Promise<T> {
  return answer
}

/**
 * Goes on with a value at once, and with a promise's when it is there: who asks nobody who waits stays within one turn.
 *
 * @param threw what a rejection means; without it, it is the caller's
 */
export function after<T, U>(
  value: T | PromiseLike<T>,
  next: (value: T) => U | Promise<U>,
  threw?: (error: unknown) => U,
): U | Promise<U> {
  return isThenable(value) ? promiseOf(value).then(next, threw) : next(value)
}

/** A timer that comes later than this, in ms, comes after a pause of the whole process. */
const stillness = 50

/**
 * Waits so long for an answer, in ms. Rejects when the question throws or rejects, and with `silence()` when it stays
 * silent: silence is no answer, and whoever asks decides what a missing one means.
 */
export async function within<T>(
  deadline: number,
  question: () => T | PromiseLike<T>,
  silence: () => Error,
): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  let timer: NodeJS.Timeout | undefined
  const wait = (ms: number, isLast: boolean): void => {
    const due = performance.now() + ms
    timer = setTimeout(() => {
      // Read first, then judge: while this process stood still, nobody could have heard an answer. Once, so that silence ends.
      const late = performance.now() - due
      if (late < stillness || isLast) reject(silence())
      else wait(Math.min(late, deadline), true)
    }, ms)
    // A question that nobody will answer any more must not keep a stopping process alive.
    timer.unref()
  }
  wait(deadline, false)
  try {
    return await Promise.race([question(), promise])
  } finally {
    clearTimeout(timer)
  }
}
