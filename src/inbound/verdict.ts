import type { CloseCode, MessageRefusalCode } from '../errors.ts'

/** A declared message, parsed, validated, sanitized and authorised. */
export interface DeliveredMessage {
  readonly kind: 'deliver'
  /** The declared type, which is also the name of the event. */
  readonly type: string
  /**
   * What the client wrote, minus the envelope: `type`, `id`, and where `replay` is declared `nonce` and `at`. This is the
   * object the schema accepted, the one `authorize` saw and the one the listener gets: never three readings of one text.
   */
  readonly message: object
  /** Present when the client wants an answer: the listener's return value goes back under it. */
  readonly id?: string | number
}

/** A binary frame whose first bytes say it is one of the types the route allows. */
export interface DeliveredBinary {
  readonly kind: 'deliver-binary'
  readonly bytes: Buffer
  readonly mime: string
}

/** A message that reaches no listener. */
export interface RefusedMessage {
  readonly kind: 'refuse'
  /** Goes to the client: `{ type: 'error', code, id? }`. */
  readonly code: MessageRefusalCode
  /** Goes to the audit event: schema paths and keywords, never a value and never a name the client chose. */
  readonly reason: string
  readonly id?: string | number
  /** As the client wrote it when `code` is `SWS_UNKNOWN_TYPE` (at most 64 units; quote it before logging), else a declared one. */
  readonly messageType?: string
  /** Set when the socket must end with this refusal: 1003, 1007, 1008 or 4429. */
  readonly close?: CloseCode
  /** `SWS_TOO_FAST`: the ms after which the same passes, if nothing else comes first. Goes to the client. */
  readonly retryAfter?: number
  /** What one of our own functions threw (`SWS_INTERNAL`): for the log, never for the client. */
  readonly cause?: unknown
  /** The cause is ours, and nobody's answer: it counts among the faults of the socket. */
  readonly isFault?: boolean
}

export type InboundVerdict = DeliveredMessage | DeliveredBinary | RefusedMessage

/** What a step knows when it says no. Everything else about a refusal is added by the spine. */
export interface Refusal {
  readonly code: MessageRefusalCode
  readonly reason: string
  readonly close?: CloseCode
  readonly retryAfter?: number
  readonly cause?: unknown
  readonly isFault?: boolean
}

export function refuse(code: Refusal['code'], reason: string, close?: CloseCode): Refusal {
  return close === undefined ? { code, reason } : { code, reason, close }
}

/** A check of ours that failed where none should: lets nothing through, and counts among the faults of the socket. */
export function broken(cause: unknown): Refusal {
  return { ...refuse('SWS_INTERNAL', 'a check threw'), cause, isFault: true }
}
