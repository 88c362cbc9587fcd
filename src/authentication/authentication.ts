import type { FastifyInstance, FastifyRequest } from 'fastify'
import { badOption } from '../errors.ts'
import { isSameIdentity, type SignedIn } from '../session/identity.ts'
import type { Session } from '../session/session.ts'
import { type AuthenticationVerdict, authenticateBy, nobody, peekAt, type Refused } from './asking.ts'
import type { AuthenticateFunction, Authenticator, IssuedTicket, TicketRequest } from './authenticator.ts'
import { checkedSession, continuedAsItWas } from './checked-session.ts'
import { askAgainBy, type Step, stepsOf } from './steps.ts'

export type { AuthenticateFunction, Authenticator, IssuedTicket, TicketRequest } from './authenticator.ts'

/** The `authenticate` option. A list is asked in order; one that throws refuses, it does not fall through. */
export type AuthenticateOption =
  | Authenticator
  | AuthenticateFunction
  | readonly (Authenticator | AuthenticateFunction)[]
  | false

/** What a compiled `authenticate` option is about, for the report at startup. */
export interface AuthenticationPlan {
  readonly anonymous: boolean
  readonly ambient: boolean
  readonly methods: readonly string[]
  readonly loosened: readonly string[]
  /** Methods whose sessions nobody is asked about again while a socket is open. */
  readonly neverAskedAgain: readonly string[]
}

export interface Authentication {
  readonly anonymous: boolean
  readonly ambient: boolean
  /** Has an authenticator whose tokens can be replaced while the socket is open. */
  readonly refreshable: boolean
  /** The credential that each authenticator looks for, in words for a developer. */
  readonly looksFor: readonly string[]
  /** The options that decide which credentials count, by method. */
  readonly accepts: Readonly<Record<string, object>>
  /** The credentials that a contract may describe, by method. */
  readonly schemes: readonly { readonly method: string; readonly scheme: object }[]
  /** Only tickets are known, and no member can say whom to issue one to. */
  readonly ticketAlone: boolean
  /** Without a promise where the authenticator needs none. Never throws, never rejects. */
  authenticate(request: FastifyRequest): AuthenticationVerdict | Promise<AuthenticationVerdict>
  /** The same verdict, for which no one-time credential is spent. */
  peek(request: FastifyRequest): AuthenticationVerdict | Promise<AuthenticationVerdict>
  /**
   * The session an open socket carries on with, or `null` when it has ended, has expired, or came back as somebody else.
   * Rejects when the look-up fails: the caller decides how long an unanswered question may stay open.
   */
  revalidate(signedIn: SignedIn): Promise<SignedIn | null>
  /** The session with the new token's times; `null` when the method has no tokens, or the token is another subject's. */
  refresh(signedIn: SignedIn, method: string, token: string): Promise<SignedIn | null>
  /** Asks everyone but the ticket authenticator itself, so that no ticket can be changed for another one. Absent without one. */
  readonly issueTicket?: (request: FastifyRequest, ask: TicketRequest) => Promise<IssuedTicket | Refused>
  /** The offered sub-protocols that carry a credential: to be removed before the server chooses one. */
  credentialProtocols(offered: readonly string[]): readonly string[]
  install(app: FastifyInstance): Promise<void>
  explain(): AuthenticationPlan
}

/**
 * Makes the `authenticate` option a finished list of steps.
 * @throws SecureWsError `SWS_BAD_OPTION` when it is missing, empty, or holds something that cannot authenticate.
 */
export function compileAuthentication(
  option: unknown,
  path: string,
  now: () => number = () => Date.now(),
): Authentication {
  const anonymous = option === false
  const steps = anonymous ? [] : stepsOf(option, path)
  const authenticators = steps.map((step) => step.authenticator)
  const ambient = authenticators.some((one) => one.ambient)
  const byMethod = new Map(steps.map((step) => [step.method, step.authenticator]))
  const issueTicket = ticketIssuer(steps, now)
  return {
    anonymous,
    ambient,
    ticketAlone: isTicketAlone(authenticators),
    accepts: Object.fromEntries(steps.map(({ method, authenticator: { accepts = {} } }) => [method, accepts])),
    schemes: steps.flatMap(({ method, authenticator: { scheme } }) =>
      scheme === undefined ? [] : [{ method, scheme }],
    ),
    looksFor: authenticators.flatMap(({ looksFor }) => looksFor ?? []),
    refreshable: authenticators.some((one) => one.refresh !== undefined),
    authenticate: anonymous ? () => nobody : (request) => authenticateBy(steps, request, now),
    peek: anonymous ? () => nobody : (request) => authenticateBy(steps, request, now, peekAt),
    async revalidate(signedIn) {
      const { askAgain, session, named } = signedIn
      const answer = askAgain === undefined ? true : await askAgain(session, named)
      return answer === true ? continuedAsItWas(signedIn, now()) : continued(signedIn, answer || null, now())
    },
    async refresh(signedIn, method, token) {
      const refreshed = await byMethod.get(method)?.refresh?.(asAccepted(signedIn), token)
      return continued(signedIn, refreshed, now())
    },
    ...(issueTicket === undefined ? {} : { issueTicket }),
    credentialProtocols(offered) {
      return authenticators.flatMap((one) => one.credentialProtocols?.(offered) ?? [])
    },
    async install(app) {
      for (const one of authenticators) await one.install?.(app)
    },
    explain: () => ({
      anonymous,
      ambient,
      methods: steps.map((step) => step.method),
      loosened: authenticators.flatMap((one) => one.loosened ?? []),
      neverAskedAgain: steps.filter(({ authenticator }) => !isAskedAgain(authenticator)).map(({ method }) => method),
    }),
  }
}

/**
 * Refuses tickets that nobody can ask for: they let nobody in, and look like wrong ones.
 * @throws SecureWsError `SWS_BAD_OPTION`
 */
export function refuseTicketAlone({ ticketAlone }: Authentication, path: string): void {
  if (!ticketAlone) return
  throw badOption(
    path,
    'ticket() alone',
    'A ticket is issued to a request that has a session, and nothing here knows one. Write `[ticket(), cookieSession({ secret, load })]`, or `ticket({ issueFor: cookieSession({ secret, load }) })`; a `store` of its own is for tickets that somebody else issues.',
  )
}

function isTicketAlone(authenticators: readonly Authenticator[]): boolean {
  const tickets = authenticators.find(({ keepsOwnStore }) => keepsOwnStore === true)
  if (tickets === undefined || tickets.issueFor !== undefined) return false
  return authenticators.every(({ issue }) => issue !== undefined)
}

/** The application's object under the names that were accepted, whatever it says by now: a token is compared with these. */
function asAccepted({ session, identity }: SignedIn): Session {
  const { sessionId: id, userId, tokenId } = identity
  const own = (value: unknown) => ({ value, enumerable: true })
  return Object.create(session, { id: own(id), userId: own(userId), tokenId: own(tokenId) })
}

function isAskedAgain({ revalidate, asksAgain }: Authenticator): boolean {
  return revalidate !== undefined || asksAgain === true
}

function continued(current: SignedIn, next: unknown, now: number): SignedIn | null {
  try {
    const signedIn = checkedSession(next, now, current.askAgain, current.identity.issuedAt, current.named)
    return signedIn !== null && isSameIdentity(current.identity, signedIn.identity) ? signedIn : null
  } catch {
    return null
  }
}

function ticketIssuer(steps: readonly Step[], now: () => number): Authentication['issueTicket'] {
  const tickets = steps.find(({ authenticator }) => authenticator.issue !== undefined)?.authenticator
  if (tickets?.issue === undefined) return undefined
  const { issueFor } = tickets
  const askers =
    issueFor === undefined
      ? steps.filter(({ authenticator }) => authenticator.issue === undefined)
      : [{ method: issueFor.name, authenticator: issueFor, askAgain: askAgainBy(issueFor) }]
  const issue = tickets.issue.bind(tickets)
  return async (request, ask) => {
    const verdict = await authenticateBy(askers, request, now)
    if (verdict.refused) return verdict
    if (verdict.signedIn === null) return { refused: true, reason: 'a ticket needs a session', fault: false }
    return issue(verdict.signedIn.session, ask, verdict.signedIn)
  }
}
