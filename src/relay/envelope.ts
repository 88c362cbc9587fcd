import type { KeyObject } from 'node:crypto'
import { type Denial, denialKinds } from '../session/denials.ts'
import { isSigned, sign } from './signature.ts'

/** What nodes tell each other. */
export type RelayMessage =
  /** For the members of a room: text that is already encoded (it must not be encoded twice), or base64 of a binary frame. */
  | {
      readonly kind: 'room'
      readonly room: string
      /** The id of the one socket that is left out. */
      readonly except?: string
      readonly binary?: true
      readonly frame: string
    }
  /**
   * `close`: the denials are in force, close what they hit. `reauthorize`: ask again what the subjects may do. `doubt`: what the
   * store says of these names was written by nobody of us; who knows better says so.
   */
  | {
      readonly kind: 'identity'
      readonly verb: 'close' | 'reauthorize' | 'doubt'
      readonly subjects: readonly Denial[]
    }

export interface Envelope {
  /** Which node sent it: unique per start of a node, so that sequence numbers never start again under one name. */
  readonly node: string
  readonly sequence: number
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly message: RelayMessage
}

export type EnvelopeRefusal = 'too large' | 'malformed' | 'other version' | 'bad signature'

/** Characters of a whole envelope. What is larger is neither published nor looked at. */
export const envelopeLimit = 1_048_576
const headerLimit = 8_192
/** Denials in one envelope: some 130 characters each, well within the header. */
export const mostSubjects = 50
const version = 'sws1'

/**
 * `sws1.<signature>.<header JSON>\n<frame>`. The frame stays outside the JSON, so that it is not escaped a second time.
 * The signature covers the topic and everything behind the signature: an envelope cannot be moved to another room (BR-04).
 */
export function sealEnvelope(
  topic: string,
  { node, sequence, at, message }: Envelope,
  keys: readonly KeyObject[] | undefined,
): string {
  const { frame, ...header } = message.kind === 'room' ? message : { ...message, frame: '' }
  const body = `${JSON.stringify({ node, sequence, at, ...header })}\n${frame}`
  const key = keys?.[0]
  // Keys that are all over are not the same as none: unsigned words would go out.
  if (keys !== undefined && key === undefined) throw new Error('every secret of the bus is past its `validUntil`')
  const signature = key === undefined ? '' : sign(key, topic, body)
  return `${version}.${signature}.${body}`
}

/** Total: whatever arrives, the answer is an envelope or the reason why not. Nothing is parsed before its signature holds. */
export function openEnvelope(
  topic: string,
  payload: string,
  keys: readonly KeyObject[] | undefined,
): Envelope | EnvelopeRefusal {
  if (payload.length > envelopeLimit) return 'too large'
  if (!payload.startsWith(`${version}.`)) return /^sws\d+\./.test(payload) ? 'other version' : 'malformed'
  const from = version.length + 1
  const dot = payload.indexOf('.', from)
  if (dot === -1 || dot > from + 64) return 'malformed'
  const body = payload.slice(dot + 1)
  if (keys !== undefined && !isSigned(payload.slice(from, dot), topic, body, keys)) return 'bad signature'
  const end = body.indexOf('\n')
  if (end === -1 || end > headerLimit) return 'malformed'
  return parse(body.slice(0, end), body.slice(end + 1)) ?? 'malformed'
}

function parse(header: string, frame: string): Envelope | undefined {
  let fields: unknown
  try {
    fields = JSON.parse(header)
  } catch {
    return undefined
  }
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) return undefined
  // A Map, so that `__proto__` and other inherited names are nothing but names here.
  const map = new Map<string, unknown>(Object.entries(fields))
  const node = map.get('node')
  const sequence = map.get('sequence')
  const at = map.get('at')
  if (!isName(node, 64) || !isCount(sequence) || !isCount(at)) return undefined
  const message = map.get('kind') === 'room' ? parseRoom(map, frame) : parseIdentity(map, frame)
  return message && { node, sequence, at, message }
}

function parseRoom(map: Map<string, unknown>, frame: string): RelayMessage | undefined {
  const room = map.get('room')
  const except = map.get('except')
  const binary = map.get('binary')
  if (!isName(room, 1_024)) return undefined
  if (except !== undefined && !isName(except, 128)) return undefined
  if (binary !== undefined && binary !== true) return undefined
  const known = 5 + (except === undefined ? 0 : 1) + (binary === undefined ? 0 : 1)
  if (map.size !== known) return undefined
  return { kind: 'room', room, ...(except !== undefined && { except }), ...(binary && { binary }), frame }
}

function parseIdentity(map: Map<string, unknown>, frame: string): RelayMessage | undefined {
  const verb = map.get('verb')
  const subjects = parseSubjects(map.get('subjects'))
  if (map.get('kind') !== 'identity' || !isVerb(verb)) return undefined
  if (subjects === undefined || frame !== '' || map.size !== 6) return undefined
  return { kind: 'identity', verb, subjects }
}

function isVerb(value: unknown): value is 'close' | 'reauthorize' | 'doubt' {
  return value === 'close' || value === 'reauthorize' || value === 'doubt'
}

/** All or nothing: a list with one entry that is not a denial was not written by us. */
function parseSubjects(value: unknown): readonly Denial[] | undefined {
  if (!Array.isArray(value) || value.length === 0 || value.length > mostSubjects) return undefined
  const subjects = value.map(parseDenial).filter((denial) => denial !== undefined)
  return subjects.length === value.length ? subjects : undefined
}

/** Also for what a store hands back: Redis is written by whoever can reach it. */
export function parseDenial(value: unknown): Denial | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const map = new Map<string, unknown>(Object.entries(value))
  const kind = denialKinds.find((name) => name === map.get('kind'))
  const id = map.get('id')
  const at = map.get('at')
  const until = map.get('until')
  if (kind === undefined || typeof id !== 'string' || !/^[A-Za-z0-9_-]{43}$/.test(id)) return undefined
  if (!isCount(at) || !isCount(until) || map.size !== 4) return undefined
  return { kind, id, at, until }
}

function isName(value: unknown, limit: number): value is string {
  return typeof value === 'string' && value !== '' && value.length <= limit
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0
}
