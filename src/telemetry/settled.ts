import { isThenable, promiseOf } from '../thenable.ts'

/** Runs work, and calls `done` once when it has ended: at once, or when its promise has settled, however it ends. */
export function thenEither<T>(work: () => T, done: (error?: unknown) => void): T {
  let result: T
  try {
    result = work()
  } catch (error) {
    done(error)
    throw error
  }
  if (isThenable(result)) promiseOf(result).then(() => done(), done)
  else done()
  return result
}
