/**
 * Asks the application something and waits so long for the answer, in ms. Rejects when it throws, rejects or stays silent:
 * silence is no answer, and whoever asks decides what a missing one means.
 */
export async function answerWithin<T>(deadline: number, question: () => T | PromiseLike<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new SilentApplicationError(deadline)), deadline)
  // A question that nobody will answer any more must not keep a stopping process alive.
  timer.unref()
  try {
    return await Promise.race([question(), promise])
  } finally {
    clearTimeout(timer)
  }
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
