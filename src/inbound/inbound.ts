import type { Session } from '../session/session.ts'
import type { Bucket, Rate } from './rate.ts'
import type { ReplayGuard } from './replay.ts'
import type { InboundVerdict, RefusedMessage } from './verdict.ts'

export interface ReceiveRule {
  readonly schema: object
  // Method syntax on purpose: a route's own function asks for narrower types than this folder knows.
  authorize?(session: Session | null, message: object, request: object): boolean | Promise<boolean>
  readonly rate?: Rate
  readonly replay?: { readonly window: number }
  readonly freshAuth?: number
}

export interface InboundLimits {
  readonly messages: Rate
  readonly bytes: Rate
  readonly messageDepth: number
  readonly refusals: { readonly perMinute: number }
}

export interface InboundOptions {
  readonly receives: Readonly<Record<string, ReceiveRule>> | undefined
  readonly binary: readonly string[] | undefined
  readonly limits: InboundLimits
  readonly path: string
  readonly sanitizeHtml: (dirty: string) => string | Promise<string>
  /** Shared by all routes of one plugin instance. Left out, the route has one of its own. */
  readonly replayGuard?: ReplayGuard
}

export interface InboundPolicy {
  explain(): object
}

export interface InboundState {
  messages: Bucket | undefined
}

export interface InboundSocket {
  readonly policy: InboundPolicy
  readonly state: InboundState
  readonly session: Session | null
  readonly request: object
}

export function compileInbound(_options: InboundOptions): InboundPolicy {
  return { explain: () => ({}) }
}

export function createInboundState(_policy: InboundPolicy, _now: number): InboundState {
  return { messages: undefined }
}

export function receive(
  _frame: Buffer,
  _isBinary: boolean,
  _socket: InboundSocket,
  _now: number,
): InboundVerdict | Promise<InboundVerdict> {
  return { kind: 'refuse', code: 'SWS_INTERNAL', reason: 'not built yet' }
}

/** `undefined`: let the frame through. */
export function admitRawFrame(
  _bytes: number,
  _policy: InboundPolicy,
  _state: InboundState,
  _now: number,
): RefusedMessage | undefined {
  return { kind: 'refuse', code: 'SWS_INTERNAL', reason: 'not built yet' }
}

/** `undefined`: nothing to do. */
export function countControlFrame(
  _policy: InboundPolicy,
  _state: InboundState,
  _now: number,
): RefusedMessage | undefined {
  return undefined
}

export function noteRefusal(_state: InboundState, _policy: InboundPolicy, _now: number): boolean {
  return true
}
