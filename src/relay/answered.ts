import { within } from '../thenable.ts'

/** Longer than a bus of ours takes to reject, in ms. */
const patience = 5_000

/** The answer of a bus or of its stores, which may be somebody's own. Rejects when it throws, rejects or stays silent. */
export function answered<T>(question: () => Promise<T>, deadline = patience): Promise<T> {
  return within(deadline, question, () => new Error(`no answer from the bus within ${deadline} ms`))
}
