import { badOption } from '../errors.ts'
import { type Bytes, copyOf, isBytes, viewOf } from './bytes.ts'
import { Encoded, markupSerialized } from './encoded.ts'
import { type EncodedTwice, lookForTwice } from './encoded-twice.ts'
import { encodeHtml } from './html.ts'
import { escapeJsonText, notEncodable, refuseLoss, serialize, stringify } from './json.ts'
import { writeAroundLongText } from './long-text.ts'
import { encodeAroundMarkup } from './markup.ts'
import {
  compileReply,
  compileSends,
  type DeclaredOutput,
  type DeclaredReply,
  type SanitizeHtml,
  type Sends,
} from './schema.ts'
import { encodeSerialized, isSuspect } from './serialized.ts'
import { type Underway, underway } from './underway.ts'

/** The encoding of text on its way out: for `innerHTML`, for `textContent` and frameworks that escape, or nothing. */
export type EncodeMode = 'html' | 'json' | 'none'

/** One frame, ready for ws. Bytes with `binary: false` are UTF-8 text. */
export type Outgoing = {
  readonly payload: string | Bytes
  readonly binary: boolean
  /** Bytes of the payload, once somebody has counted them. */
  length?: number
}

export { compileReply, type DeclaredReply, type SanitizeHtml, type Sends }

export type OutboundOptions = {
  readonly encode: EncodeMode
  readonly sends: Sends | undefined
  /** Where these options stand, for error texts: `secureWs` of a route. */
  readonly path: string
  readonly sanitizeHtml: SanitizeHtml
  readonly warn: (text: string) => void
}

/** The finished options of one route. */
export type OutboundPolicy = {
  readonly mode: EncodeMode
  readonly declare: DeclaredOutput | undefined
  /** The declared types. */
  readonly types: ReadonlySet<string> | undefined
  /** Looks at text that is about to be encoded, until it has warned once. */
  readonly noteText: (text: string) => void
  /** Looks, in development, for text that was encoded before. */
  readonly twice: EncodedTwice | undefined
}

/** @throws SecureWsError SWS_BAD_OPTION */
export function compileOutbound(options: OutboundOptions): OutboundPolicy {
  const { encode, sends, path, sanitizeHtml, warn } = options
  const development = process.env.NODE_ENV !== 'production'
  return {
    mode: checkedMode(encode, `${path}.encode`),
    declare: sends === undefined ? undefined : compileSends(sends, `${path}.sends`, sanitizeHtml, warn),
    types: sends === undefined ? undefined : new Set(Object.keys(sends)),
    noteText: development ? warnOnceOfJson(path, warn) : () => {},
    twice: development ? lookForTwice(path, warn) : undefined,
  }
}

/**
 * Turns what a handler sends into one frame:
 * - a string, or an `Encoded` made for another context than the mode's, is one text leaf
 * - an `Encoded` made for the mode's context is text, untouched
 * - bytes and Blob are binary, untouched; with `binary: false` they are UTF-8 text, and encoded; a Blob has to be read first
 * - anything else is JSON, its strings and keys encoded; `Encoded<'html'>` inside stays markup in `html` mode
 *
 * In `html` mode `& < > " '` are encoded. In `json` mode `< > & U+2028 U+2029` are escaped as in JSON, in text frames,
 * too: text that is JSON keeps its value, other text shows the escapes, and no frame ever holds markup.
 * Text frames are well-formed UTF-8; a lone surrogate becomes U+FFFD (in JSON it is an escape, and stays).
 * Where the route has `sends`, text is refused, and objects are what it declares; only then, or for a Blob, may the answer
 * be a promise.
 *
 * @throws SecureWsError SWS_NOT_ENCODABLE, SWS_UNDECLARED_TYPE, SWS_INVALID_OUTPUT, SWS_UNSAFE_URL, SWS_BAD_OPTION for
 *   an unknown `override`: nothing was sent then
 */
export function encodeOutgoing(
  value: unknown,
  policy: OutboundPolicy,
  override?: EncodeMode,
  binary?: boolean,
): Outgoing | Underway<Outgoing> {
  const mode = override === undefined ? policy.mode : checkedMode(override, 'send(value, { encode })')
  if (isBinary(value)) {
    if (value instanceof Blob) {
      const sent = value.arrayBuffer().then((bytes): Outgoing | Promise<Outgoing> => {
        return binary === false ? encodeOutgoing(bytes, policy, override, false) : { payload: bytes, binary: true }
      })
      return underway(sent, value.size)
    }
    return binary === false ? encodeOutgoing(textOf(value), policy, override) : { payload: copyOf(value), binary: true }
  }
  if (policy.declare !== undefined) {
    const declared = policy.declare(value)
    if (!(declared instanceof Promise)) return encodeMessage(declared, mode, binary === true, policy.twice)
    const made = declared.then((ready): Outgoing => encodeMessage(ready, mode, binary === true, policy.twice))
    return underway(made, declared.bytes)
  }
  return { payload: encodeFreely(value, mode, policy), binary: binary === true }
}

/** The `encode` that the caller wrote: an option object inherits what a polluted Object.prototype has. */
export function encodeOption(
  options: { readonly encode?: EncodeMode | undefined } | undefined,
): EncodeMode | undefined {
  return options !== undefined && Object.hasOwn(options, 'encode') ? options.encode : undefined
}

/** As `encodeOption`, for a message that is encoded elsewhere. @throws SecureWsError `SWS_BAD_OPTION` */
export function checkedEncodeOption(options: { readonly encode?: EncodeMode | undefined }): EncodeMode | undefined {
  const encode = encodeOption(options)
  return encode === undefined ? undefined : checkedMode(encode, 'send(value, { encode })')
}

function encodeFreely(value: unknown, mode: EncodeMode, policy: OutboundPolicy): string | Buffer {
  if (typeof value === 'string') {
    if (mode === 'html') {
      policy.noteText(value)
      policy.twice?.note(value)
    }
    return encodeText(value, mode)
  }
  if (!Encoded.is(value)) return encodeValue(value, mode, policy.twice)
  return Encoded.is(value, mode) ? String(value).toWellFormed() : encodeText(String(value), mode)
}

/** One text leaf, for a frame or a close reason. */
export function encodeText(text: string, mode: EncodeMode): string {
  const wellFormed = text.toWellFormed()
  if (mode === 'html') return encodeHtml(wellFormed)
  return mode === 'json' ? escapeJsonText(wellFormed) : wellFormed
}

/**
 * A message of our own making, so that its members may be read more than once: what `sends` has let through, and replies and errors
 * that the connection builds itself, which are encoded like everything.
 * @throws SecureWsError SWS_NOT_ENCODABLE
 */
export function encodeMessage(message: object, mode: EncodeMode, binary = false, twice?: EncodedTwice): Outgoing {
  if (mode === 'json') return { payload: encodeValue(message, mode, twice), binary }
  const members = message as Readonly<Record<string, unknown>>
  const written = writeAroundLongText(members, (others) => encodeValue(others, mode, twice).toString())
  if (written === undefined) return { payload: encodeValue(message, mode, twice), binary }
  return { payload: written.json, binary, length: written.bytes }
}

function encodeValue(value: unknown, mode: EncodeMode, twice?: EncodedTwice): string | Buffer {
  if (mode === 'none') return serialize(value)
  if (mode === 'json') return escapeJsonText(serialize(value))
  const before = markupSerialized()
  const json = stringify(value)
  if (!isSuspect(json)) return json
  refuseLoss(value, json)
  // What is markup holds character references by right.
  if (markupSerialized() !== before) return encodeAroundMarkup(value)
  twice?.note(json)
  return encodeSerialized(json)
}

// Not TextDecoder, which drops a byte order mark and so changes the text. Invalid UTF-8 becomes U+FFFD.
function textOf(bytes: Bytes): string {
  return viewOf(bytes).toString()
}

function isBinary(value: unknown): value is Bytes | Blob {
  if (typeof value !== 'object' || value === null) return false
  try {
    // Nearly everything sent is one of these, and the questions below cost as much as a small message.
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype === Object.prototype || prototype === Array.prototype) return false
    return isBytes(value) || value instanceof Blob
  } catch (cause) {
    // A proxy that was revoked, or whose trap throws.
    throw notEncodable(cause)
  }
}

/** A handler that serializes by itself gets its quotes encoded, and its client text that no longer parses. */
function warnOnceOfJson(path: string, warn: (text: string) => void): (text: string) => void {
  let warned = false
  return (text) => {
    if (warned || !/^\s*[{[]/.test(text)) return
    try {
      JSON.parse(text)
    } catch {
      return
    }
    warned = true
    warn(`${path}: a string that is JSON was sent, and encoded as text. Pass send() the object, not its JSON`)
  }
}

function checkedMode(mode: unknown, path: string): EncodeMode {
  if (mode === 'html' || mode === 'json' || mode === 'none') return mode
  throw badOption(path, mode, "Write 'html' (default), 'json' or 'none'.")
}
