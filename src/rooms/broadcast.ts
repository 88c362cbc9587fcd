import { hash, randomUUID } from 'node:crypto'
import { SecureWsError } from '../errors.ts'
import { parseAsWritten } from '../json-text.ts'
import { isBytes, viewOf } from '../outbound/bytes.ts'
import { dangerouslyTrustHtml, Encoded } from '../outbound/encoded.ts'
import { refuseLossOf, stringify } from '../outbound/json.ts'
import { isLatestKey, latestOption } from '../outbound/latest.ts'
import { checkedEncodeOption, type EncodeMode } from '../outbound/outbound.ts'
import { isTraceparent } from '../telemetry/traces.ts'
import type { BroadcastOptions } from './audience.ts'

/** One `send` to an audience, as another node gets it: the value, not its encoding, which each node does at its own exit. */
export interface Broadcast {
  /** The same on every topic it is published to: a node in two of the rooms delivers it once. */
  readonly id: string
  readonly rooms: readonly string[]
  readonly except: readonly string[]
  readonly encode?: EncodeMode | undefined
  readonly latest?: string | undefined
  /** Whose message set it off, as a digest: what HTML in it costs on another node is of one sender there, too. */
  readonly sender?: string | undefined
  /** The trace in which it was sent, as a `traceparent`. */
  readonly trace?: string | undefined
  readonly message: unknown
}

// A key no JSON text of ours has otherwise: an object of the application that uses it is refused below, so data can never
// become markup on the way (design: an object from the wire can never become one).
const markupKey = '\u0000sws.html'
const bytesKey = '\u0000sws.bytes'

/**
 * Packs a `send` to an audience as text for the other nodes.
 *
 * @param origin whose message set it off, and the trace in which it was
 * @throws SecureWsError `SWS_NOT_ENCODABLE` for what does not travel, `SWS_BAD_OPTION`
 */
export function packSend(
  rooms: readonly string[],
  except: readonly string[],
  message: unknown,
  options: BroadcastOptions,
  { sender, trace }: { readonly sender?: string | undefined; readonly trace?: string | undefined } = {},
): string {
  if (options.perMember !== undefined) {
    throw new SecureWsError(
      'SWS_NOT_ENCODABLE',
      "perMember is a function and does not travel to other nodes. Send to each user's own room instead.",
    )
  }
  return packBroadcast({
    id: randomUUID(),
    rooms,
    except,
    encode: checkedEncodeOption(options),
    latest: latestOption(options),
    // A digest: the id of a session is nobody else's business.
    sender: sender && hash('sha256', sender, 'base64url'),
    trace,
    message,
  })
}

/**
 * @throws SecureWsError `SWS_NOT_ENCODABLE` for what JSON cannot hold, and for a Blob: its bytes are not here yet, and to wait for
 *   them would let a later message overtake it.
 */
export function packBroadcast({ message, ...rest }: Broadcast): string {
  const ours = new WeakSet<object>()
  const mark = (key: string, text: string) => {
    const marked = { [key]: text }
    ours.add(marked)
    return marked
  }
  function replace(this: Record<string, unknown>, key: string, value: unknown): unknown {
    if ((key === markupKey || key === bytesKey) && !ours.has(this)) {
      throw new SecureWsError('SWS_NOT_ENCODABLE', 'A message to a room has a key that is reserved between nodes.')
    }
    // JSON.stringify has called toJSON before it calls us: the holder still has the original.
    const original = this[key]
    if (Encoded.is(original, 'html')) return mark(markupKey, String(original))
    if (isBytes(original)) return mark(bytesKey, viewOf(original).toString('base64'))
    // Its bytes are not here yet, and as JSON it would be `{}`; to wait for them would let a later message overtake it.
    if (original instanceof Blob) {
      throw new SecureWsError(
        'SWS_NOT_ENCODABLE',
        'A Blob does not travel to other nodes. Send `await blob.arrayBuffer()`.',
      )
    }
    return refuseLossOf(value)
  }
  // Apart: as a member, a message that JSON has no word for (undefined, a function) would be left out without a word.
  const packed = stringify(message, replace)
  return `${JSON.stringify(rest).slice(0, -1)},"message":${packed}}`
}

/** Total: what is no broadcast of ours is `undefined`. */
export function unpackBroadcast(text: string): Broadcast | undefined {
  let parsed: unknown
  try {
    const read = parseAsWritten(text)
    parsed = text.includes('"\\u0000sws.') ? revived(read) : read
  } catch {
    return undefined
  }
  return isBroadcast(parsed) ? parsed : undefined
}

function revived(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(revived)
  const members = Object.entries(value)
  const [key, text] = members[0] ?? []
  if (typeof text === 'string') {
    if (key === markupKey) return dangerouslyTrustHtml(text)
    if (key === bytesKey) return Buffer.from(text, 'base64')
  }
  return Object.fromEntries(members.map(([name, member]) => [name, revived(member)]))
}

function isBroadcast(value: unknown): value is Broadcast {
  if (typeof value !== 'object' || value === null || !('message' in value)) return false
  const { id, rooms, except, encode, latest, sender, trace } = value as Record<string, unknown>
  return (
    typeof id === 'string' &&
    isNames(rooms) &&
    isNames(except) &&
    (latest === undefined || isLatestKey(latest)) &&
    (sender === undefined || (typeof sender === 'string' && sender.length <= 64)) &&
    (trace === undefined || isTraceparent(trace)) &&
    (encode === undefined || encode === 'html' || encode === 'json' || encode === 'none')
  )
}

function isNames(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string')
}
