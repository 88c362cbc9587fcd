import type { Places } from '../capacity/places.ts'
import type { AnswerSchema } from '../inbound/answer.ts'
import type { InboundPolicy } from '../inbound/inbound.ts'
import type { EncodeMode, OutboundPolicy } from '../outbound/outbound.ts'
import type { Underway } from '../outbound/underway.ts'
import type { SignedIn } from '../session/identity.ts'
import type { Session } from '../session/session.ts'
import type { AuditLogger } from '../telemetry/audit.ts'
import type { TraceLink } from '../telemetry/traces.ts'
import type { ListenerLimits } from './dispatch.ts'
import type { InboxBounds } from './inbox.ts'
import type { LifeLimits } from './life.ts'
import type { RequestLimits } from './requests.ts'

/** The `limits` on the life of one socket. */
export interface ConnectionLimits extends LifeLimits, InboxBounds, ListenerLimits, RequestLimits {
  /**
   * The whole handshake, look-ups included, from its last header on, in ms. Then it is refused with 503. Default
   * 10,000.
   */
  readonly handshake: number
  /**
   * How long each question to the application may stay unanswered after the 101, in ms: `revalidate`, `authorize` of
   * a route, message or room, a refreshed token. Default 10,000.
   */
  readonly lookup: number
  /** Bytes that may wait for a client that reads slowly. What happens beyond, `slowReader` says. Default 1,048,576. */
  readonly outboundBytes: number
}

/** What a route decided about its sockets, compiled once when the route was declared. */
export interface SocketPolicy {
  readonly route: string
  readonly inbound: InboundPolicy
  /** Declared message types; `undefined` on a raw route, where text frames are handed out as ws does. */
  readonly types: ReadonlySet<string> | undefined
  /** Binary frames are checked and handed out as `binary`; on a raw route without it they go out as they came. */
  readonly binary: boolean
  /** Members of the answer that carry a listener's return value. @throws SecureWsError when it is not as declared */
  readonly reply: (type: string, value: unknown) => object | Underway<object>
  readonly outbound: OutboundPolicy
  /** Of the types that a client may be asked: the schema of its answer. */
  readonly answers: ReadonlyMap<string, AnswerSchema>
  readonly encode: EncodeMode
  readonly limits: ConnectionLimits
  /** What happens when a client reads too slowly: 1013, or the message is dropped and the socket stays. */
  readonly slowReader: 'close' | 'drop'
  /** Warns of a listener that nothing will ever call. */
  readonly noteListener: (event: string) => void
  /** Whether anything here asks about the request that opened the socket. */
  readonly needsRequest: boolean
  /** Asked when the socket opened, and again at each revalidation. */
  readonly authorize: ((session: Session | null, request: object) => boolean | Promise<boolean>) | undefined
  /** Is the session still what it was? Rejects when nobody knows. */
  readonly revalidate: (signedIn: SignedIn) => Promise<SignedIn | null>
  readonly refresh: ((signedIn: SignedIn, method: string, token: string) => Promise<SignedIn | null>) | undefined
}

/** A handshake that passed every check: what its socket is made of. */
export interface Admitted {
  readonly signedIn: SignedIn | null
  readonly policy: SocketPolicy
  /** Where the route asks about it; else it is let go with the handshake, and this says nothing. */
  readonly request: object
  readonly log: AuditLogger & { debug(fields: object, text: string): void }
  readonly method: string
  readonly address: string | undefined
  readonly origin: string | undefined
  readonly protocol: string | undefined
  /** The span of the handshake, where that is traced. */
  readonly trace?: TraceLink | undefined
  /** When the handshake began, on the clock that nobody can set. */
  readonly since: number
  /** The places of its session and user, which can be given back before the TCP connection has gone. */
  readonly places: Places
}
