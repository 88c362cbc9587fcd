import { fillEncoded } from './fill.ts'
import { htmlEntities } from './html.ts'

/**
 * Anything in JSON text that may need HTML encoding. The quotes around strings are no reason; a `"` inside a string is
 * written with a backslash. `\u` is looked at because `JSON.rawJSON` lets a value choose its own spelling of `<`, and
 * `{}` because it may be an object that lost its content (see `refuseLoss`).
 */
const suspect = /[&<>']|\\["u]|\{\}/
const special = /[&<>']|\\(?:["\\]|u00(?:2[267]|3[CEce]))/g

/** Sparse specials are jumped to; from one in this many characters on, filling a buffer is faster. */
const dense = 64
const judgedEvery = 8

/** False for JSON text that leaves as it is; most does, so this is the one look that every message pays for. */
export function isSuspect(json: string): boolean {
  return suspect.test(json)
}

/**
 * HTML-encodes every string, keys included, of JSON text as `JSON.stringify` writes it, by rewriting the text: equal to
 * encoding each string of the value first, without walking it. The answer is UTF-8 bytes where there was much to encode.
 */
export function encodeSerialized(json: string): string | Buffer {
  let written = ''
  let done = 0
  let hits = 0
  special.lastIndex = 0
  for (let found = special.exec(json); found !== null; found = special.exec(json)) {
    written += json.slice(done, found.index) + entityFor(found[0])
    done = special.lastIndex
    hits += 1
    if (hits % judgedEvery === 0 && done < hits * dense) return fillEncoded(json)
  }
  return written + json.slice(done)
}

/** The same for a piece of JSON text, as a string. */
export function encodePiece(json: string): string {
  return json.replace(special, entityFor)
}

function entityFor(found: string): string {
  if (found.length === 1) return htmlEntities[found] ?? ''
  if (found.length === 2) return found === '\\"' ? '&quot;' : found
  return htmlEntities[String.fromCharCode(Number.parseInt(found.slice(2), 16))] ?? ''
}
