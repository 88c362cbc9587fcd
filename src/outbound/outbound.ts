import { isAnyArrayBuffer } from 'node:util/types'
import { badOption } from '../errors.ts'
import { Encoded, markupSerialized } from './encoded.ts'
import { encodeHtml } from './html.ts'
import { escapeJsonText, serialize } from './json.ts'
import { encodeAroundMarkup } from './markup.ts'
import { encodeSerialized } from './serialized.ts'

/** What happens to text on its way out: for `innerHTML`, for `textContent` and frameworks that escape, or nothing. */
export type EncodeMode = 'html' | 'json' | 'none'

export type Bytes = ArrayBuffer | SharedArrayBuffer | ArrayBufferView

/** One frame, ready for ws. Bytes with `binary: false` are UTF-8 text. */
export type Outgoing = { readonly payload: string | Bytes | Blob; readonly binary: boolean }

/** What a route declares under `secureWs.sends`: the schema of each message it may send, without its `type`. */
export type Sends = Readonly<Record<string, { readonly schema: object }>>

export type OutboundOptions = {
  readonly encode: EncodeMode
  readonly sends: Sends | undefined
  /** Where these options stand, for error texts: `secureWs` of a route. */
  readonly path: string
  readonly sanitizeHtml: (dirty: string) => string | Promise<string>
  readonly warn: (text: string) => void
}

/** The finished options of one route. */
export type OutboundPolicy = {
  readonly mode: EncodeMode
  readonly noteText: (text: string) => void
}

export function compileOutbound(options: OutboundOptions): OutboundPolicy {
  return { mode: checkedMode(options.encode, `${options.path}.encode`), noteText: () => {} }
}

export function encodeOutgoing(
  value: unknown,
  policy: OutboundPolicy,
  override?: EncodeMode,
): Outgoing | Promise<Outgoing> {
  const mode = override === undefined ? policy.mode : checkedMode(override, 'send(value, { encode })')
  if (isBytes(value) || value instanceof Blob) return { payload: value, binary: true }
  if (typeof value === 'string') {
    policy.noteText(value)
    return { payload: encodeText(value, mode), binary: false }
  }
  if (Encoded.is(value)) {
    const text = String(value)
    return { payload: Encoded.is(value, mode) ? text.toWellFormed() : encodeText(text, mode), binary: false }
  }
  return { payload: encodeValue(value, mode), binary: false }
}

/** Replies and errors that the connection builds itself: encoded like everything, exempt from `sends`. */
export function encodeOwn(value: object, mode: EncodeMode): string {
  return encodeValue(value, mode)
}

export function encodeText(text: string, mode: EncodeMode): string {
  const wellFormed = text.toWellFormed()
  if (mode === 'html') return encodeHtml(wellFormed)
  return mode === 'json' ? escapeJsonText(wellFormed) : wellFormed
}

function encodeValue(value: unknown, mode: EncodeMode): string {
  const before = markupSerialized()
  const json = serialize(value)
  if (mode === 'none') return json
  if (mode === 'json') return escapeJsonText(json)
  return markupSerialized() === before ? encodeSerialized(json) : encodeAroundMarkup(value)
}

function isBytes(value: unknown): value is Bytes {
  return ArrayBuffer.isView(value) || isAnyArrayBuffer(value)
}

function checkedMode(mode: unknown, path: string): EncodeMode {
  if (mode === 'html' || mode === 'json' || mode === 'none') return mode
  throw badOption(path, mode, "Write 'html' (default), 'json' or 'none'.")
}
