import { types } from 'node:util'
import { SecureWsError } from '../errors.ts'

/**
 * Serializes once. What JSON has no word for is an error at the caller, so that nothing is half sent:
 * - `undefined`, a function or a symbol as the whole value, a `toJSON` that returns one; a BigInt, a cycle, a getter,
 *   `toJSON` or proxy that throws, nesting too deep for the stack
 * - an object that would silently become `{}`: Map, Set, Promise, Error, RegExp, ArrayBuffer, Blob, a stream, an
 *   instance without members of its own
 *
 * As JSON.stringify has it: Date is its ISO string, NaN and Infinity are null, members that are undefined, functions or
 * symbols are left out (null in an array), a lone surrogate is its escape, only own enumerable members count.
 * @throws SecureWsError SWS_NOT_ENCODABLE
 */
export function serialize(value: unknown): string {
  const text = stringify(value)
  refuseLoss(value, text)
  return text
}

/** Only an empty object can be one that lost its content, and a text without `{}` has none. @throws SWS_NOT_ENCODABLE */
export function refuseLoss(value: unknown, text: string): void {
  if (text.includes('{}')) stringify(value, (_key, member) => refuseLossOf(member))
}

/** JSON.stringify whose every failure is an SWS_NOT_ENCODABLE. */
export function stringify(value: unknown, replacer?: (key: string, value: unknown) => unknown): string {
  let text: string | undefined
  try {
    text = typeof value === 'function' ? undefined : JSON.stringify(value, replacer)
  } catch (cause) {
    throw notEncodable(cause)
  }
  if (text === undefined) {
    throw new SecureWsError(
      'SWS_NOT_ENCODABLE',
      `A value of type ${typeof value} cannot be sent; send null or an object`,
    )
  }
  return text
}

/** Returns `member`, unless JSON would write `{}` for something that holds more. @throws SWS_NOT_ENCODABLE */
export function refuseLossOf(member: unknown): unknown {
  if (typeof member !== 'object' || member === null || Array.isArray(member) || types.isBoxedPrimitive(member)) {
    return member
  }
  const prototype: unknown = Object.getPrototypeOf(member)
  // A plain object of another realm has a foreign Object.prototype, whose own prototype is null as well.
  const plain = prototype === null || Object.getPrototypeOf(prototype) === null
  if (plain || Object.keys(member).length > 0) return member
  throw new SecureWsError(
    'SWS_NOT_ENCODABLE',
    'A Map, Set, Promise, Error or other object without members of its own would be sent as {}. ' +
      'Send a plain object (Object.fromEntries), an array, or await the promise first',
  )
}

// Not every runtime has it, and the type libraries do not know it yet.
const rawJsonTest: unknown = 'isRawJSON' in JSON ? JSON.isRawJSON : undefined

/** True for what `JSON.rawJSON` makes: a primitive that brings its own JSON text. */
export function isRawJson(member: object): boolean {
  return typeof rawJsonTest === 'function' && rawJsonTest(member) === true
}

const unsafeInScript = /[<>&\u2028\u2029]/
const everyUnsafeInScript = /[<>&\u2028\u2029]/g
const escapes: Readonly<Record<string, string>> = {
  '<': '\\u003c',
  '>': '\\u003e',
  '&': '\\u0026',
  '\u2028': '\\u2028',
  '\u2029': '\\u2029',
}

/**
 * Escapes `< > &` and the line separators U+2028 and U+2029 in JSON text. They only occur inside its strings, so the
 * text parses to the same value, and cannot end a `<script>`, open a comment or end a line of JavaScript.
 */
export function escapeJsonText(json: string): string {
  return unsafeInScript.test(json) ? json.replace(everyUnsafeInScript, (char) => escapes[char] ?? '') : json
}

/** Tells of what a member threw while it was read, as the one error a caller of `send` has to know. */
export function notEncodable(cause: unknown): SecureWsError {
  if (cause instanceof SecureWsError) return cause
  const reason = cause instanceof Error ? String(cause.message).split('\n')[0] : 'a member threw'
  return new SecureWsError('SWS_NOT_ENCODABLE', `The value cannot be sent as JSON: ${reason}`, { cause })
}
