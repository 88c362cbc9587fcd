/** A function of the application, called with a catch and a deadline: what it throws rejects, and so does silence. */
export async function within<T>(work: () => T | PromiseLike<T>, limit: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const silence = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('too late')), limit)
  })
  try {
    // Behind a microtask, so that throwing and rejecting are one.
    return await Promise.race([Promise.resolve().then(work), silence])
  } finally {
    clearTimeout(timer)
  }
}
