import { types } from 'node:util'
import { endOfString } from '../json-text.ts'
import { isMarkupText, whileMarking } from './encoded.ts'
import { isRawJson, refuseLossOf, stringify } from './json.ts'
import { encodePiece } from './serialized.ts'

const marked = 'm'
const plain = 't'

/**
 * Serializes a value that holds `Encoded<'html'>` leaves and HTML-encodes everything else. Every string leaf, hostile or
 * not, gets one letter in front that says what it is, so there is no text a message could contain to pass for markup;
 * the letter is taken away again while the text is rewritten. Getters and `toJSON` run for this text once more than for
 * the one that showed there is markup; only this one is sent.
 */
export function encodeAroundMarkup(value: unknown): string {
  return rewriteLeaves(whileMarking(() => stringify(value, markLeaf)))
}

function markLeaf(_key: string, member: unknown): unknown {
  if (typeof member === 'string') return plain + member
  if (typeof member !== 'object' || member === null) return member
  if (isMarkupText(member)) return marked + String(member)
  if (types.isStringObject(member)) return plain + String(member)
  if (isRawJson(member)) {
    const primitive: unknown = JSON.parse(JSON.stringify(member))
    return typeof primitive === 'string' ? plain + primitive : member
  }
  return refuseLossOf(member)
}

function rewriteLeaves(text: string): string {
  let written = ''
  let done = 0
  for (let open = text.indexOf('"'); open !== -1; open = text.indexOf('"', done)) {
    const close = endOfString(text, open)
    const isKey = text[close + 1] === ':'
    const first = isKey ? open + 1 : open + 2
    const content = text.slice(first, close)
    written += text.slice(done, open + 1) + (!isKey && text[open + 1] === marked ? content : encodePiece(content))
    written += '"'
    done = close + 1
  }
  return written + text.slice(done)
}
