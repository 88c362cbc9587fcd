import { SecureWsError } from '../errors.ts'

/** Longest room name, in UTF-16 units: long enough for a path of ids, short enough to be a key on every node. */
export const roomNameLimit = 256

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
const forbidden = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]|^\s|\s$/

/**
 * The one key function for join, leave and `to` (attack BR-06: a right checked for one spelling and used for another).
 * Unicode is normalised to NFC; what could split a log line or look like another name at its edges is refused.
 *
 * @throws SecureWsError `SWS_BAD_ROOM` when the name is not a string of 1 to 256 well-formed characters without control
 * characters and without white space at either end.
 */
export function roomName(name: unknown): string {
  if (typeof name !== 'string') throw badRoom(`is a ${name === null ? 'null' : typeof name}`)
  if (name.length === 0) throw badRoom('is empty')
  if (name.length > roomNameLimit) throw badRoom(`has ${name.length} characters`)
  if (!name.isWellFormed()) throw badRoom('has a lone surrogate')
  if (forbidden.test(name)) throw badRoom('has a control character, or white space at an end')
  const normal = name.normalize('NFC')
  // A copy of a name for each who joins would be kept with each.
  return normal === name ? name : normal
}

// The name itself is left out: it may come from a client, and this text may reach a log.
function badRoom(what: string): SecureWsError {
  return new SecureWsError(
    'SWS_BAD_ROOM',
    `A room name ${what}. Use a string of 1 to ${roomNameLimit} characters such as \`room:42\`.`,
  )
}
