/** Longer than a bus of ours takes to reject, in ms. */
const patience = 5_000

/** The answer of a bus or of its stores, which may be somebody's own. Rejects when it throws, rejects or stays silent. */
export async function answered<T>(question: () => Promise<T>, deadline = patience): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error(`no answer from the bus within ${deadline} ms`)), deadline)
  // What a stopping process has asked must not keep it alive.
  timer.unref()
  try {
    return await Promise.race([question(), promise])
  } finally {
    clearTimeout(timer)
  }
}
