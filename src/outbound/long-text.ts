import { Bare } from './projection.ts'

/**
 * Text of this length on is looked at before it is serialized: a text that needs no escape stands between its quotes as it is.
 * JSON.stringify reads it unit by unit, which takes three times as long as the looks here.
 */
export const long = 256

// One look for each: V8 has a fast one for a class of few characters, and reads unit by unit for their union.
const special = /[&<>'"\\]/
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON has an escape for each of them.
const lowControl = /[\u0000-\u000f]/
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON has an escape for each of them.
const highControl = /[\u0010-\u001f]/
// Of a short text, for which one look is less than four. What they say of surrogates is more than has to be.
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON has an escape for each of them.
const specialOrNotAscii = /[&<>'"\\\u0000-\u001f\u0080-\uffff]/
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON has an escape for each of them.
const anySpecial = /[&<>'"\\\u0000-\u001f\ud800-\udfff]/

const { hasOwnProperty: isOwn } = Object.prototype

/** Kept for text of up to a third of its length, in units; nothing else runs while it is in use. */
export const kept = Buffer.allocUnsafeSlow(192 * 1024)

/** Long text is written to `kept` in order to be counted: to count its bytes without takes ten times as long. */
export function isWrittenFirst({ length }: string): boolean {
  return length >= long && length * 3 <= kept.length
}

/** The bytes of text in UTF-8. */
export function lengthOfText(text: string): number {
  return isWrittenFirst(text) ? kept.write(text) : Buffer.byteLength(text)
}

/** JSON, and how many bytes of UTF-8 it is. */
export interface Written {
  readonly json: string
  readonly bytes: number
}

/**
 * The JSON of a message with a long text: members that JSON and HTML write as they are stand in it as they are, and the others as
 * they are written elsewhere. Without a long text JSON.stringify is faster, which makes one piece of what are many here. The bytes are
 * counted on the way: of the whole they could be only once its pieces have been copied into one.
 *
 * @param message of our own making: plain, and its members may be read more than once
 * @param write the JSON of an object
 * @returns `undefined` where no text is long, or one of them cannot stand as it is
 */
export function writeAroundLongText(
  message: Readonly<Record<string, unknown>>,
  write: (others: object) => string,
): Written | undefined {
  if (!hasLongText(message)) return undefined
  let json = ''
  let more = 0
  let others: Record<string, unknown> | undefined
  const add = (members: string, moreOfThem: number) => {
    if (members !== '') json += json === '' ? members : `,${members}`
    more += moreOfThem
  }
  const addOthers = () => {
    if (others === undefined) return
    const written = write(others)
    // Without the braces around them.
    add(written.slice(1, -1), moreThanUnits(written))
    others = undefined
  }
  for (const name in message) {
    if (!isOwn.call(message, name)) continue
    const member = message[name]
    const moreOfMember = moreOfPlain(name, member)
    if (moreOfMember !== undefined) {
      addOthers()
      add(`"${name}":${plainJson(member)}`, moreOfMember)
    } else if (isLong(member)) return undefined
    else {
      others ??= new Bare()
      others[name] = member
    }
  }
  addOthers()
  json = `{${json}}`
  return { json, bytes: json.length + more }
}

function hasLongText(message: Readonly<Record<string, unknown>>): boolean {
  for (const name in message) if (isLong(message[name])) return true
  return false
}

function isLong(member: unknown): boolean {
  return typeof member === 'string' && member.length >= long
}

/** By how many its bytes are more than its units, of a member that JSON and HTML write as it is; `undefined` of any other. */
function moreOfPlain(name: string, member: unknown): number | undefined {
  const more = moreOfPlainText(name)
  if (more === undefined || typeof member === 'number' || typeof member === 'boolean' || member === null) return more
  const moreOfText = typeof member === 'string' ? moreOfPlainText(member) : undefined
  return moreOfText === undefined ? undefined : more + moreOfText
}

/** The same of a text: a lone surrogate would be an escape in JSON. */
function moreOfPlainText(text: string): number | undefined {
  if (text.length < long) {
    if (!specialOrNotAscii.test(text)) return 0
    return anySpecial.test(text) ? undefined : moreThanUnits(text)
  }
  if (special.test(text) || lowControl.test(text) || highControl.test(text) || !text.isWellFormed()) return undefined
  return moreThanUnits(text)
}

function moreThanUnits(text: string): number {
  return lengthOfText(text) - text.length
}

function plainJson(member: unknown): string {
  if (typeof member === 'string') return `"${member}"`
  return typeof member === 'number' && !Number.isFinite(member) ? 'null' : String(member)
}
