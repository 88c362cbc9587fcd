import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { SignedIn } from '../session/identity.ts'
import type { Session } from '../session/session.ts'
import type { KnownSession } from './known-session.ts'

type MaybePromise<T> = T | Promise<T>

/** A session, or nobody: `Map.get` and `find` answer `undefined`. */
export type FoundSession = Session | null | undefined

/**
 * An answer to the question who is asking, by one kind of credential.
 *
 * `authenticate` returns a session, or `null` when the request carries no credential of this kind (or names a session
 * that is no longer known): the next of a list is then asked. It throws when there is a credential and it is wrong: the
 * handshake is refused, whatever else it carries.
 */
export interface Authenticator {
  /** The name in events, and in `explain()`. */
  readonly name: string
  /**
   * True when a browser attaches the credential by itself, to requests of any page (cookie, Basic, client certificate).
   * Such a credential is refused together with open origins: that combination is cross-site WebSocket hijacking.
   */
  readonly ambient: boolean
  /** The credential it looks for, and how that gets there: for a developer whose request had none. */
  readonly looksFor?: string
  /**
   * The credential as AsyncAPI describes it (a Security Scheme Object), for `app.secureWs.contract()`, which anybody may read. Left
   * out: the contract says nothing of it.
   */
  readonly scheme?: Readonly<Record<string, unknown>>
  /** Asked when nobody was found: does the request carry a good credential of this kind, of a session that is not known? */
  recognises?(request: FastifyRequest): boolean
  /**
   * The options that decide which credentials count, as plain values and without a secret: for `app.secureWs.policy()`, by which the
   * policy lock sees that one lets in more. Left out: it sees the name alone.
   */
  readonly accepts?: Readonly<Record<string, unknown>>
  /** Options in use that weaken a guard, for the one warning at startup. */
  readonly loosened?: readonly string[]
  /** Which of the offered sub-protocols carry a credential of this kind: never echoed, never logged. */
  credentialProtocols?(offered: readonly string[]): readonly string[]
  /** Reads the credential of a request. Bounded by `limits.handshake`; what it throws refuses. */
  authenticate(request: FastifyRequest): MaybePromise<FoundSession | KnownSession>
  /**
   * Answers as `authenticate` would, and spends nothing: for a client that asks why its handshake fails. Left out: `authenticate`
   * itself is asked.
   */
  peek?(request: FastifyRequest): MaybePromise<FoundSession | KnownSession>
  /** Asked again while the socket is open. False, `null` or `undefined`: the session has ended. */
  revalidate?(session: Session): MaybePromise<boolean | FoundSession>
  /** A session by its id, for stores that keep no objects. */
  load?(sessionId: string): MaybePromise<FoundSession>
  /** A new token for an open socket; `null` unless it is for the same subject. */
  refresh?(session: Session, token: string): MaybePromise<Session | null>
  /**
   * Brings a question of its own with each session, so that it needs no `revalidate`.
   * @internal
   */
  readonly asksAgain?: boolean
  /**
   * Issues a ticket; `signedIn` is the session as it was accepted, with how to ask about it again. Only `ticket` has
   * it.
   * @internal
   */
  issue?(session: Session, ask: TicketRequest, signedIn?: SignedIn): Promise<IssuedTicket>
  /**
   * Knows no sessions but those of the tickets it issues, and nobody else has its store. Only `ticket` has it.
   * @internal
   */
  readonly keepsOwnStore?: boolean
  /** The authenticator whose sessions may ask for a ticket, when that is not another member of the same list. Only `ticket` has it. */
  readonly issueFor?: Authenticator
  /** Called once at registration: for a hook or a decorator that it needs. */
  install?(app: FastifyInstance): MaybePromise<void>
}

/** The functions that make an authenticator, each with a call that shows how: one of them written without its call is told from a function of the application. */
export const factories = new Map<unknown, string>()

/** A function in the place of an authenticator: the session of a request, or `null` for nobody. */
export type AuthenticateFunction = (request: FastifyRequest) => MaybePromise<FoundSession>

/** The origin, the route and the time that a ticket is bound to. */
export interface TicketRequest {
  /** The admitted `Origin` of the request that asks; `null` when it had none. */
  readonly origin: string | null
  /** The path (`/rooms/7`) or the route (`/rooms/:id`) that the ticket is for. */
  readonly route: string
  /** Milliseconds, default 30,000, at most 300,000. */
  readonly ttl?: number
}

/** A ticket that was issued, for the page that will spend it. */
export interface IssuedTicket {
  /** The ticket itself: 43 characters of base64url. */
  readonly ticket: string
  /** The entry for the client: `new WebSocket(url, ['chat', protocol])`. */
  readonly protocol: string
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
}
