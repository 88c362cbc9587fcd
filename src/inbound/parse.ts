import { isUtf8 } from 'node:buffer'
import { CloseCode } from '../errors.ts'
import { areNamesAsWritten, endOfString } from '../json-text.ts'
import type { Refusal } from './verdict.ts'
import { refuse } from './verdict.ts'

/** A message as far as its envelope is known: `body` is everything the client wrote, `type` and `id` included. */
export interface ParsedMessage {
  readonly type: string
  readonly id: string | number | undefined
  readonly body: Readonly<Record<string, unknown>>
}

const longest = 64

/** The characters of an id, none of which would be encoded: it goes back as it came, in every context. */
const plainId = /^[\w.:~+/=@-]{0,64}$/

/** The text of a frame, or 1007 (RFC 6455 section 8.1). A BOM stays in the text, where JSON.parse refuses it (RFC 8259 section 8.1). */
export function readText(frame: Buffer): string | Refusal {
  const text = frame.toString()
  // A decoder puts U+FFFD in the place of bytes that are not UTF-8, and hardly any text has that character of its own.
  if (!text.includes('\ufffd') || isUtf8(frame)) return text
  return refuse('SWS_BAD_MESSAGE', 'parse: not UTF-8', CloseCode.InvalidPayload)
}

/**
 * One reading of one text (ASVS 1.5.2, 1.5.3). What two parsers could read differently is refused instead of decided: members
 * written twice (in any spelling), numbers beyond double range, lone surrogates, NUL, a BOM, anything after the value. So is
 * what changes meaning once it is an object: `__proto__`, and `constructor` holding a `prototype`. Decided the other way:
 * -0, 1e-400 (0) and integers beyond 2^53 are what JSON.parse makes of them, and the schema judges that.
 *
 * @param depth how many objects and arrays may be open at once; the message itself is the first
 */
export function parseMessage(text: string, depth: number): ParsedMessage | Refusal {
  const written = countMembers(text, depth)
  if (written === undefined) return refuse('SWS_BAD_MESSAGE', 'parse: deeper than limits.messageDepth')
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // The error quotes the text, so it goes nowhere.
    return refuse('SWS_BAD_MESSAGE', 'parse: not JSON')
  }
  if (!isObject(value)) return refuse('SWS_BAD_MESSAGE', 'parse: not an object')
  const backslashes = text.includes('\\')
  const escapes = backslashes && text.includes('\\u')
  const census: Census = { members: 0, flaw: undefined, backslash: false, backslashes, escapes }
  inspectObject(value, census)
  if (census.flaw !== undefined) return refuse('SWS_BAD_MESSAGE', `parse: ${census.flaw}`)
  // Every member of the text became a member of the object, or one was written twice: exact, whatever the spelling.
  if (census.members !== written) return refuse('SWS_BAD_MESSAGE', 'parse: a member written twice')
  if (census.backslash && !areNamesAsWritten(text, value)) {
    return refuse('SWS_BAD_MESSAGE', 'parse: a member name that this version of Node misreads')
  }
  return readEnvelope(value)
}

function readEnvelope(body: Record<string, unknown>): ParsedMessage | Refusal {
  // `hasOwn`, so that a polluted Object.prototype cannot give a message a type or an id it does not have.
  const type = Object.hasOwn(body, 'type') ? body.type : undefined
  if (typeof type !== 'string') return refuse('SWS_BAD_MESSAGE', 'parse: `type` is not a string')
  if (type.length > longest) return refuse('SWS_BAD_MESSAGE', `parse: \`type\` is longer than ${longest}`)
  if (!Object.hasOwn(body, 'id')) return { type, id: undefined, body }
  const { id } = body
  if (typeof id === 'string' ? plainId.test(id) : Number.isSafeInteger(id)) {
    return { type, id: id as string | number, body }
  }
  return refuse(
    'SWS_BAD_MESSAGE',
    'parse: `id` is neither a safe integer nor at most 64 letters, digits and . : ~ + / = @ _ -',
  )
}

const quote = 0x22
const colon = 0x3a
const openBracket = 0x5b
const closeBracket = 0x5d
const openBrace = 0x7b
const closeBrace = 0x7d

/**
 * How many members the text writes, or `undefined` when it opens more than `depth` objects and arrays at once. Runs before
 * anything is built, without recursion (MS-03), and jumps over strings, so that a long one costs next to nothing. Exact for
 * JSON; for anything else it stops mattering at the first syntax error.
 */
function countMembers(text: string, depth: number): number | undefined {
  let open = 0
  let members = 0
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    // Digits, commas, white space and quotes are all below the colon: two comparisons for most of what is not in a string.
    if (unit < colon) {
      if (unit !== quote) continue
      at = endOfString(text, at)
      if (at < 0) return members
    } else if (unit === colon) members++
    else if (unit === openBrace || unit === openBracket) {
      if (++open > depth) return undefined
    } else if (unit === closeBrace || unit === closeBracket) open--
  }
  return members
}

interface Census {
  members: number
  flaw: string | undefined
  /** A member has a backslash in its name. */
  backslash: boolean
  /** The text has one anywhere. */
  readonly backslashes: boolean
  /** The text has `\u` escapes: the only way a lone surrogate, or NUL, gets through JSON.parse. */
  readonly escapes: boolean
}

const { hasOwnProperty: isOwn } = Object.prototype

// Recursion is bounded by `depth`, which the text has passed already.
function inspectObject(value: Record<string, unknown>, census: Census): void {
  let members = 0
  // V8 knows where the next member is, and that it is its own: a third of the time that `Object.keys` takes.
  for (const key in value) {
    if (!isOwn.call(value, key)) continue
    members++
    const member = value[key]
    if (key === '__proto__') census.flaw = 'a member named __proto__'
    else if (key === 'constructor' && isObject(member) && Object.hasOwn(member, 'prototype')) {
      census.flaw = 'a member named constructor with a prototype'
    } else if (census.escapes) inspectText(key, census)
    if (census.backslashes && key.includes('\\')) census.backslash = true
    inspect(member, census)
  }
  census.members += members
}

function inspect(value: unknown, census: Census): void {
  if (typeof value === 'string') {
    if (census.escapes) inspectText(value, census)
  } else if (typeof value === 'number') {
    if (!Number.isFinite(value)) census.flaw = 'a number beyond double range'
  } else if (Array.isArray(value)) {
    for (const item of value) inspect(item, census)
  } else if (isObject(value)) inspectObject(value, census)
}

function inspectText(text: string, census: Census): void {
  if (!text.isWellFormed()) census.flaw = 'a lone surrogate'
  else if (text.includes('\u0000')) census.flaw = 'NUL in a string'
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
