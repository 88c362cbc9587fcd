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
// Of a short text, for which one look is less than four. What it says of surrogates is more than has to be.
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON has an escape for each of them.
const anySpecial = /[&<>'"\\\u0000-\u001f\ud800-\udfff]/

const { hasOwnProperty: isOwn } = Object.prototype

/**
 * The JSON of a message with a long text: members that JSON and HTML write as they are stand in it as they are, and the others as
 * they are written elsewhere. Without a long text JSON.stringify is faster, which makes one piece of what are many here.
 *
 * @param message of our own making: plain, and its members may be read more than once
 * @param write the JSON of an object
 * @returns `undefined` where no text is long, or one of them cannot stand as it is
 */
export function writeAroundLongText(
  message: Readonly<Record<string, unknown>>,
  write: (others: object) => string,
): string | undefined {
  if (!hasLongText(message)) return undefined
  let json = ''
  let others: Record<string, unknown> | undefined
  const add = (members: string) => {
    if (members !== '') json += json === '' ? members : `,${members}`
  }
  const addOthers = () => {
    // Without the braces around them.
    if (others !== undefined) add(write(others).slice(1, -1))
    others = undefined
  }
  for (const name in message) {
    if (!isOwn.call(message, name)) continue
    const member = message[name]
    const written = isPlain(name) ? plainJson(member) : undefined
    if (written !== undefined) {
      addOthers()
      add(`"${name}":${written}`)
    } else if (isLong(member)) return undefined
    else {
      others ??= new Bare()
      others[name] = member
    }
  }
  addOthers()
  return `{${json}}`
}

function hasLongText(message: Readonly<Record<string, unknown>>): boolean {
  for (const name in message) if (isLong(message[name])) return true
  return false
}

function isLong(member: unknown): boolean {
  return typeof member === 'string' && member.length >= long
}

/** The JSON of a member that is the same in HTML; `undefined` of any other. */
function plainJson(member: unknown): string | undefined {
  switch (typeof member) {
    case 'string':
      return isPlain(member) ? `"${member}"` : undefined
    case 'boolean':
      return member ? 'true' : 'false'
    case 'number':
      return Number.isFinite(member) ? String(member) : 'null'
    default:
      return member === null ? 'null' : undefined
  }
}

/** True for text that JSON and HTML write as it is: a lone surrogate would be an escape in JSON. */
function isPlain(text: string): boolean {
  if (text.length < long) return !anySpecial.test(text)
  return !special.test(text) && !lowControl.test(text) && !highControl.test(text) && text.isWellFormed()
}
