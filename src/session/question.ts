/**
 * Asks the application something and waits so long for the answer, in ms. Rejects when it throws, rejects or stays silent:
 * silence is no answer, and whoever asks decides what a missing one means.
 */
export async function answerWithin<T>(deadline: number, question: () => T | PromiseLike<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  let timer: NodeJS.Timeout | undefined
  const wait = (ms: number, isLast: boolean): void => {
    const due = performance.now() + ms
    timer = setTimeout(() => {
      // Read first, then judge: while this process stood still, nobody could have heard an answer. Once, so that silence ends.
      const late = performance.now() - due
      if (late < stillness || isLast) reject(new SilentApplicationError(deadline))
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

/** A timer that comes later than this, in ms, comes after a pause of the whole process. */
const stillness = 50

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
