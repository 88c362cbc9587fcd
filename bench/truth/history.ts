/** Milliseconds on a clock that all processes of one machine share and nobody can set. */
export const clock = (): number => Number(process.hrtime.bigint() / 1_000n) / 1_000

/** One socket, as its client and its node saw it. Times without a comment are of `clock`. */
export interface SocketRecord {
  readonly number: number
  readonly node: number
  readonly session: string
  readonly user: string
  /** Milliseconds since the epoch. */
  readonly authenticatedAt: number
  /** When the handshake was sent. */
  readonly askedAt: number
  openedAt: number
  /** The end of its session, ms since the epoch; moved by a refresh. */
  expiresAt?: number
  /** When the newest message that it heard was made, by whichever node. */
  lastMade: number
  /** When it heard it. */
  lastHeard: number
  /** When a listener was last called with a message of it, by its node. */
  lastHandled: number
  closed?: { readonly at: number; readonly date: number; readonly code: number }
}

/** A question about a session that the application has not answered in time, or with an error. */
export interface Unanswered {
  readonly session: string
  readonly at: number
}

/** One answer to a handshake that opened nothing. */
export interface RefusalRecord {
  /** When the handshake was sent. */
  readonly askedAt: number
  readonly node: number
  readonly session: string
  readonly user: string
  readonly authenticatedAt: number
  readonly at: number
  /** Of `Date.now()`. */
  readonly date: number
  readonly expiresAt?: number | undefined
  readonly status: number
}

/** One call of `revoke`. */
export interface RevocationRecord {
  readonly kind: 'session' | 'user'
  readonly name: string
  readonly node: number
  /** Before the call and after its promise resolved, on the node itself: by `clock`, and by `Date.now()`. */
  readonly called: Moment
  readonly returned: Moment
  readonly stored: boolean
}

export interface Moment {
  readonly at: number
  readonly date: number
}

export interface Span {
  readonly from: number
  readonly to: number
}

/** Everything that a run has seen. */
export interface History {
  readonly sockets: readonly SocketRecord[]
  readonly refusals: readonly RefusalRecord[]
  readonly revocations: readonly RevocationRecord[]
  /** Sessions that the application itself has ended, and when. */
  readonly destroyed: ReadonlyMap<string, number>
  /** Per node: when it was parted from Redis, or had not caught up; it refuses sessions then, and says so. */
  readonly away: readonly (readonly Span[])[]
  /** When somebody was at Redis: what a revocation takes then is no measure of anything. */
  readonly faults: readonly Span[]
  /** Per node: when the machine did not run it. */
  readonly stalls: readonly (readonly Span[])[]
  /** The same of the process that holds the clients. */
  readonly clientStalls: readonly Span[]
  /** Per node: what its application did not answer. */
  readonly unanswered: readonly (readonly Unanswered[])[]
  readonly clockSkew: number
  readonly endedAt: number
}

export interface Violation {
  readonly what: string
  readonly socket?: SocketRecord
  readonly revocation?: RevocationRecord
  /** By how many milliseconds. */
  readonly late?: number
}
