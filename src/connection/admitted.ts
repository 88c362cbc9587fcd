import type { Slot } from '../capacity/capacity.ts'
import type { EncodeMode, OutboundPolicy } from '../outbound/outbound.ts'
import type { Identities } from '../revocation/identities.ts'
import type { Revalidation } from '../revocation/revalidation.ts'
import type { Rooms } from '../rooms/rooms.ts'
import type { Identity, SignedIn } from '../session/identity.ts'
import type { Session } from '../session/session.ts'
import type { Audit, AuditLogger } from '../telemetry/audit.ts'
import type { BinaryType } from './binary-type.ts'
import type { Connection } from './connection.ts'
import type { Held } from './held.ts'
import type { InboxBounds } from './inbox.ts'
import type { LifeLimits, Progress } from './life.ts'
import type { MemoryBudget } from './memory.ts'
import type { Wire } from './port.ts'
import type { ListenerLimits, ReceivingPolicy, ReceivingWire } from './receiving.ts'
import type { Scope } from './scope.ts'
import type { Sweep } from './sweep.ts'

/** The `limits` on the life of one socket. */
export interface ConnectionLimits extends LifeLimits, InboxBounds, ListenerLimits {
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
export interface SocketPolicy extends ReceivingPolicy {
  readonly route: string
  readonly outbound: OutboundPolicy
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
  /** When the handshake began, on the clock that nobody can set. */
  readonly since: number
  /** What counts towards this session and user: can be given back before the TCP connection has gone. */
  readonly place: (Slot & { open(): void }) | undefined
}

/** What the sockets of one server share. */
export interface Surroundings {
  /** Milliseconds since the epoch: for what others date (`expiresAt`, `at`, `authenticatedAt`), and for nothing else. It can be set. */
  readonly now: () => number
  /** Milliseconds on a clock that nobody can set: for every duration, and for what came before what in this process. */
  readonly uptime: () => number
  /** The async context of whatever ws, a stream or a timer makes this package do. */
  readonly scope: Scope
  readonly audit: Audit
  /** Whether anybody hears events: a join must not make one for nobody. */
  readonly isHeard: () => boolean
  readonly expiryGrace: number
  readonly rooms: Rooms<Connection>
  readonly identities: Identities<Held>
  readonly sweep: Sweep<Held>
  /** Told of every byte that stays. */
  readonly memory: Pick<MemoryBudget, 'add'>
  /** Asked after the identity rooms were joined: a revocation from during the handshake, which began at `since`, is found here. */
  readonly isDenied: (identity: Identity, since: number) => boolean
  readonly revalidation: Revalidation
  /** Were this identity's rights changed since a handshake began at `since`? */
  readonly isStale: (identity: Identity, since: number) => boolean
}

/** A listener that must hear that its socket was closed behind its back. */
export interface WireOwner {
  /** Shuts the way in and the way out. */
  gate(code: number): void
}

/** The rest of what a connection needs of a WebSocket. */
export interface LifeWire extends Wire, ReceivingWire, Progress {
  /** Told of a close frame that did not come through the connection: ws's own `close`, called on a socket of ours. */
  owner: WireOwner | undefined
  /** Before and after a frame is dealt with. */
  gather(): void
  gathered(): void
  /** What a raw route's listener gets for a binary frame. */
  binaryType: BinaryType
  ping(payload: Buffer | string, callback?: (error: Error) => void): void
  pong(payload: Buffer | string, callback?: (error: Error) => void): void
  /** True while a call comes from here, and not from whoever holds the socket. */
  readonly passing: boolean
  /** Starts the closing handshake; ends by itself, answered or not, after ws's `closeTimeout`. */
  closeFrame(code?: number, reason?: string): void
  terminate(): void
}
