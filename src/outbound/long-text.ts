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

/** Whether a message has such a text, of its own or inherited. */
export function hasLongText(message: Readonly<Record<string, unknown>>): boolean {
  for (const name in message) {
    const member = message[name]
    if (typeof member === 'string' && member.length >= long) return true
  }
  return false
}

/** A message taken apart at a text that leaves as it is, in the order of its members. */
export interface AroundText {
  /** `undefined` where there is nothing in front. */
  readonly before: object | undefined
  readonly name: string
  readonly text: string
  /** `undefined` where there is nothing behind. */
  readonly after: object | undefined
}

/**
 * Takes a message apart at its first long text, if that needs neither an escape of JSON nor an entity of HTML.
 *
 * @param message of our own making: plain, and its members may be read more than once
 */
export function apartAtText(message: Readonly<Record<string, unknown>>): AroundText | undefined {
  for (const name in message) {
    const text = message[name]
    if (typeof text !== 'string' || text.length < long) continue
    return Object.hasOwn(message, name) && isPlain(text) ? apartAt(message, name, text) : undefined
  }
  return undefined
}

function apartAt(message: Readonly<Record<string, unknown>>, at: string, text: string): AroundText {
  let before: Record<string, unknown> | undefined
  let after: Record<string, unknown> | undefined
  let isBehind = false
  for (const name of Object.keys(message)) {
    if (name === at) isBehind = true
    else if (isBehind) {
      after ??= new Bare()
      after[name] = message[name]
    } else {
      before ??= new Bare()
      before[name] = message[name]
    }
  }
  return { before, name: at, text, after }
}

// Of a short one, for which one look is less than four. What it says of surrogates is more than has to be.
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON has an escape for each of them.
const anySpecial = /[&<>'"\\\u0000-\u001f\ud800-\udfff]/

/** True for text that JSON and HTML write as it is: a lone surrogate would be an escape in JSON. */
export function isPlain(text: string): boolean {
  if (text.length < long) return !anySpecial.test(text)
  return !special.test(text) && !lowControl.test(text) && !highControl.test(text) && text.isWellFormed()
}
