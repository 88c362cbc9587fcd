/** A timer of more than 2^31-1 ms fires at once, and `Infinity` is how people write "never": eleven days are as good. */
export function bounded(ms: number): number {
  return Math.min(ms, 1e9)
}

/** A function of the application, called with a catch and a deadline: what it throws rejects, and so does silence. */
export async function within<T>(work: () => T | PromiseLike<T>, limit: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const silence = new Promise<never>((_resolve, reject) => {
    // With nothing: whoever waits asks whether it came, and never why not.
    timer = setTimeout(reject, limit)
  })
  try {
    // Behind a microtask, so that throwing and rejecting are one.
    return await Promise.race([Promise.resolve().then(work), silence])
  } finally {
    clearTimeout(timer)
  }
}
