import { createHash, randomBytes } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { badOption } from '../errors.ts'
import type { AskAgain, SignedIn } from '../session/identity.ts'
import type { Session } from '../session/session.ts'
import {
  type Authenticator,
  type FoundSession,
  factories,
  type IssuedTicket,
  type TicketRequest,
} from './authenticator.ts'
import { onlyHeader, protocolCredential, protocolsWithPrefix, RefusedCredential } from './credential.ts'
import { refuseNoFunction, refuseUnknownOptions, shapeOf } from './known-options.ts'
import { bareSession, KnownSession } from './known-session.ts'
import { memoryTickets, type StoredTicket, type TicketStore } from './ticket-store.ts'

/** Options of `ticket`. */
export interface TicketOptions {
  /** Where tickets wait. Default `memoryTickets()`, for one node. */
  readonly store?: TicketStore
  /**
   * The session by its id, asked at redemption and at every revalidation. Required with a store that keeps no objects.
   * Default: the object that the store kept.
   */
  readonly load?: (sessionId: string) => FoundSession | Promise<FoundSession>
  /**
   * The authenticator whose sessions may ask for a ticket. Default: the other members of the list. Give it here to let nobody in without a ticket, and
   * to refuse a ticket that comes together with a credential of another session.
   */
  readonly issueFor?: Authenticator
}

/** The authenticator that `ticket` makes. */
export interface TicketAuthenticator extends Authenticator {
  /** The store that its tickets wait in. */
  readonly store: TicketStore
  /**
   * Issues a ticket; `app.secureWs.issueTicket` calls it.
   * @internal
   */
  issue(session: Session, ask: TicketRequest, signedIn?: SignedIn): Promise<IssuedTicket>
}

/** The entry of `Sec-WebSocket-Protocol` that carries a ticket is this and 43 characters of base64url. */
export const ticketPrefix = 'ticket.'
const ticketBytes = 32
const ticketPattern = /^[A-Za-z0-9_-]{43}$/
const defaultTtl = 30_000
const longestTtl = 300_000

/**
 * One-time tickets (ASVS 5.0 6.5.1, 6.6.2; OWASP WebSocket Security): a request with a session asks for one, the handshake
 * spends it. 256 random bits, 30 seconds, for one session, one origin and one path. It travels in the sub-protocol, never
 * in the URL, and the store has only its SHA-256.
 *
 * The first handshake that shows a ticket spends it, also when it is then refused for a wrong origin or path: a ticket that
 * was seen elsewhere is not worth a second try.
 * @throws SecureWsError `SWS_BAD_OPTION`
 */
export function ticket(options: TicketOptions = {}): TicketAuthenticator {
  refuseUnknownOptions('ticket', options, ['store', 'load', 'issueFor'])
  const { store = memoryTickets(), load, issueFor } = options
  refuseNoFunction('ticket.load', load, '`(sessionId) => sessions.get(sessionId)`')
  if (!isStore(store))
    throw badOption('ticket.store', shapeOf(store), 'Write `memoryTickets()` or `redisTickets(...)`.')
  if (store.keepsSessions !== true && load === undefined) {
    throw badOption(
      'ticket.load',
      undefined,
      'This store keeps no session objects. Write `(sessionId) => sessions.get(sessionId)`.',
    )
  }
  if (issueFor !== undefined && (typeof issueFor?.authenticate !== 'function' || issueFor.issue !== undefined)) {
    throw badOption(
      'ticket.issueFor',
      shapeOf(issueFor),
      'Write another authenticator, for example `cookieSession(...)`.',
    )
  }
  /** The authenticator that knew the session when the ticket was asked for knows whether it still stands: the ticket carries the question. */
  function askAgainBy({ sessionId, askAgain }: StoredTicket): AskAgain | undefined {
    return load === undefined ? askAgain : () => load(sessionId)
  }

  async function redeem(
    request: FastifyRequest,
    read: (hash: string) => Promise<StoredTicket | undefined> | StoredTicket | undefined,
  ): Promise<KnownSession | null> {
    const shown = protocolCredential(request, ticketPrefix)
    if (shown === undefined) return null
    if (!ticketPattern.test(shown)) throw new RefusedCredential('a malformed ticket')
    const stored = await read(hashOf(shown))
    if (stored === undefined) throw new RefusedCredential('an unknown, spent or expired ticket')
    const wrong = mismatch(stored, factsOf(request), Date.now())
    if (wrong !== undefined) throw new RefusedCredential(wrong)
    const alongside = bareSession(await issueFor?.authenticate(request))
    if (alongside && alongside.id !== stored.sessionId) throw new RefusedCredential('a ticket of another session')
    // The session may have ended in the seconds since: signed out, deleted, disabled.
    const askAgain = askAgainBy(stored)
    // `null` and `undefined` are answers, and mean that it has ended.
    const answer = askAgain === undefined ? true : await askAgain(stored.session as Session)
    const session = answer === true ? stored.session : answer
    if (!session) throw new RefusedCredential('a ticket of a session that has ended')
    const { id, userId } = session as Session
    if (id !== stored.sessionId || userId !== stored.userId) {
      throw new RefusedCredential('a ticket of a session that is now another')
    }
    return new KnownSession(session as Session, { askAgain, issuedAt: stored.issuedAt })
  }

  return {
    name: 'ticket',
    ambient: false,
    scheme: {
      ...{ type: 'httpApiKey', in: 'header', name: 'Sec-WebSocket-Protocol' },
      description: `\`${ticketPrefix}<ticket>\` among the offered sub-protocols: once, for one route, soon.`,
    },
    looksFor:
      "a ticket: `new WebSocket(url, ['secure-ws', ticket.protocol])`, with what `app.secureWs.issueTicket` returned",
    store,
    accepts: {
      load: load !== undefined,
      issueFor: issueFor && {
        method: issueFor.name,
        accepts: issueFor.accepts,
        askedAgain: issueFor.revalidate !== undefined || issueFor.asksAgain === true,
      },
    },
    keepsOwnStore: options.store === undefined && load === undefined,
    ...(issueFor === undefined ? {} : { issueFor, loosened: issueFor.loosened ?? [] }),
    credentialProtocols: (offered) => protocolsWithPrefix(offered, ticketPrefix),
    // Taken before anything is compared, and never put back: of concurrent handshakes, one gets it.
    authenticate: (request) => redeem(request, (hash) => store.take(hash)),
    peek: (request) =>
      redeem(request, (hash) => {
        if (store.peek === undefined) throw new Error('the ticket store has no `peek`')
        return store.peek(hash)
      }),
    asksAgain: true,
    async issue(session, ask, signedIn) {
      const { origin, route, ttl } = checkedRequest(ask)
      const now = Date.now()
      // A ticket must not outlive the session it stands for.
      const expiresAt = Math.min(now + ttl, session.expiresAt ?? Number.POSITIVE_INFINITY)
      if (expiresAt <= now) throw new RefusedCredential('a ticket for a session that has expired')
      const value = randomBytes(ticketBytes).toString('base64url')
      const stored: StoredTicket = {
        sessionId: session.id,
        ...(session.userId === undefined ? {} : { userId: session.userId }),
        origin,
        route,
        expiresAt,
        issuedAt: signedIn?.identity.issuedAt ?? now,
        // Never given to a store that would serialize it.
        ...(store.keepsSessions === true ? { session, askAgain: questionOf(signedIn) } : {}),
      }
      await store.put(hashOf(value), stored, expiresAt - now)
      return { ticket: value, protocol: ticketPrefix + value, expiresAt }
    },
  }
}

/** What of a handshake a ticket is bound to. */
export interface RedeemFacts {
  readonly origin: string | null
  readonly path: string
  readonly route: string | undefined
}

/**
 * Why a stored ticket does not open this handshake; `undefined` when it does. `expiresAt` is compared here too: a store may
 * be late with forgetting. A ticket for a path opens that path in that spelling only, so `/rooms/%37` is not `/rooms/7`.
 */
export function mismatch(stored: StoredTicket, facts: RedeemFacts, now: number): string | undefined {
  if (!(stored.expiresAt > now)) return 'an expired ticket'
  if (stored.origin !== facts.origin) return 'a ticket of another origin'
  if (stored.route !== facts.path && stored.route !== facts.route) return 'a ticket for another route'
  return undefined
}

function factsOf(request: FastifyRequest): RedeemFacts {
  const url = request.raw.url ?? ''
  const query = url.indexOf('?')
  return {
    origin: onlyHeader(request, 'origin') ?? null,
    path: query === -1 ? url : url.slice(0, query),
    route: request.routeOptions.url,
  }
}

/** No salt: the ticket has 256 random bits, so there is nothing to guess from its hash, and equal means the same ticket. */
function hashOf(value: string): string {
  return createHash('sha256').update(value).digest('base64url')
}

function checkedRequest({ origin, route, ttl = defaultTtl }: TicketRequest): Required<TicketRequest> {
  if (origin !== null && typeof origin !== 'string')
    throw badOption('issueTicket.origin', origin, 'Write the admitted origin, or null.')
  if (typeof route !== 'string' || !route.startsWith('/')) {
    throw badOption('issueTicket.route', route, 'Write the path the socket will be opened at, for example `/rooms/7`.')
  }
  if (!Number.isSafeInteger(ttl) || ttl < 1 || ttl > longestTtl) {
    throw badOption('issueTicket.ttl', ttl, `Write whole milliseconds from 1 to ${longestTtl}.`)
  }
  return { origin, route, ttl }
}

function isStore(store: unknown): store is TicketStore {
  if (typeof store !== 'object' || store === null) return false
  return 'put' in store && typeof store.put === 'function' && 'take' in store && typeof store.take === 'function'
}

factories.set(ticket, 'ticket()')

/** The question about a session that was accepted, with all that it is told. */
function questionOf({ askAgain, named }: Partial<SignedIn> = {}): AskAgain | undefined {
  return askAgain === undefined ? undefined : (session) => askAgain(session, named)
}
