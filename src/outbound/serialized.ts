import { htmlEntities } from './html.ts'

/**
 * Anything in JSON text that may need HTML encoding. The quotes around strings are no reason; a `"` inside a string is
 * written with a backslash. `\u` is looked at because `JSON.rawJSON` lets a value choose its own spelling of `<`.
 */
const suspect = /[&<>']|\\["u]/
const everySpecial = /[&<>']|\\(?:["\\]|u00(?:2[267]|3[CEce]))/g

/**
 * HTML-encodes every string, keys included, of a JSON text as `JSON.stringify` writes it, by rewriting the text: equal
 * to encoding each string of the value first, without walking it.
 */
export function encodeSerialized(json: string): string {
  return suspect.test(json) ? json.replace(everySpecial, entityFor) : json
}

function entityFor(found: string): string {
  if (found.length === 1) return htmlEntities[found] ?? ''
  if (found.length === 2) return found === '\\"' ? '&quot;' : found
  return htmlEntities[String.fromCharCode(Number.parseInt(found.slice(2), 16))] ?? ''
}
