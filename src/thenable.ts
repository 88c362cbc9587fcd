/**
 * Tells whether an answer of the application has to be waited for. Query builders answer with thenables that are not a
 * `Promise`: whoever asks for the class instead takes the builder itself for the answer, and hears no rejection of it.
 */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}

/**
 * A promise of ours for an answer of the application. What the `then` of a foreign one returns is its own affair: `undefined`,
 * which would pass for "nothing is wrong" wherever no refusal is a yes. So nobody calls it but the language.
 */
export async function promiseOf<T>(answer: PromiseLike<T>): Promise<T> {
  return answer
}
