/**
 * Tells whether an answer of the application has to be waited for. Query builders answer with thenables that are not a
 * `Promise`: whoever asks for the class instead takes the builder itself for the answer, and hears no rejection of it.
 */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}
