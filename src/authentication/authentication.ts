import type { FastifyInstance, FastifyRequest } from 'fastify'
import { badOption } from '../errors.ts'
import { type AskAgain, isSameIdentity, type SignedIn } from '../session/identity.ts'
import type { Session } from '../session/session.ts'
import { isThenable, promiseOf } from '../thenable.ts'
import {
  type AuthenticateFunction,
  type Authenticator,
  factories,
  type IssuedTicket,
  type TicketRequest,
} from './authenticator.ts'
import { checkedSession, continuedAsItWas } from './checked-session.ts'
import { isRefusedCredential } from './credential.ts'
import { shapeOf } from './known-options.ts'

export type { AuthenticateFunction, Authenticator, IssuedTicket, TicketRequest } from './authenticator.ts'

/** The `authenticate` option. A list is asked in order; one that throws refuses, it does not fall through. */
export type AuthenticateOption =
  | Authenticator
  | AuthenticateFunction
  | readonly (Authenticator | AuthenticateFunction)[]
  | false

export interface Refused {
  readonly refused: true
  /** For the operator, in our own words: no piece of a credential. */
  readonly reason: string
  /** True when a look-up failed, so that nobody knows whether the credential is good: our fault, not the client's. */
  readonly fault: boolean
  /** The error of the look-up, for the server's log alone. */
  readonly cause?: unknown
  /** Which authenticator refused; left out when none recognised the request. */
  readonly method?: string
  /** The authenticator whose credential was good, of a session that its store does not know. */
  readonly forgottenBy?: string
}

/** The failed look-up, and the function that failed as a developer would call it. */
export function causeOf({ method, cause }: Refused): { readonly by: string; readonly error: unknown } {
  return { by: method === undefined ? '`authenticate`' : `the authenticator ${method}`, error: cause }
}

/** `session` is `null` only when the route is anonymous. `method` names the authenticator that knew the session. */
export interface Authenticated {
  readonly refused?: never
  readonly session: Session | null
  /** The same session with our copy of who it is, and how to ask about it again. */
  readonly signedIn: SignedIn | null
  readonly method: string
}

export type AuthenticationVerdict = Authenticated | Refused

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

interface Step {
  readonly method: string
  readonly authenticator: Authenticator
}

/**
 * Makes the `authenticate` option a finished list of steps.
 * @throws SecureWsError `SWS_BAD_OPTION` when it is missing, empty, or holds something that cannot authenticate.
 */
export function compileAuthentication(option: unknown, path: string, now: () => number = Date.now): Authentication {
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
    looksFor: authenticators.flatMap(({ looksFor }) => looksFor ?? []),
    refreshable: authenticators.some((one) => one.refresh !== undefined),
    authenticate: anonymous ? () => nobody : (request) => authenticateBy(steps, request, now),
    peek: anonymous ? () => nobody : (request) => authenticateBy(steps, request, now, peekAt),
    async revalidate(signedIn) {
      const { askAgain, session } = signedIn
      const answer = askAgain === undefined ? true : await askAgain(session)
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

const nobody: Authenticated = { session: null, signedIn: null, method: 'none' }

type Ask = (authenticator: Authenticator, request: FastifyRequest) => ReturnType<Authenticator['authenticate']>

const askBy: Ask = (authenticator, request) => authenticator.authenticate(request)
const peekAt: Ask = (authenticator, request) =>
  authenticator.peek === undefined ? authenticator.authenticate(request) : authenticator.peek(request)

function authenticateBy(
  steps: readonly Step[],
  request: FastifyRequest,
  now: () => number,
  ask: Ask = askBy,
  asked: readonly Step[] = steps,
): AuthenticationVerdict | Promise<AuthenticationVerdict> {
  for (const [at, { method, authenticator }] of steps.entries()) {
    try {
      const found = ask(authenticator, request)
      if (isThenable(found)) {
        return promiseOf(found).then(
          (session) =>
            verdictOn(session, method, authenticator, now()) ??
            authenticateBy(steps.slice(at + 1), request, now, ask, asked),
          (error: unknown) => refusedBy(error, method),
        )
      }
      const verdict = verdictOn(found, method, authenticator, now())
      if (verdict !== undefined) return verdict
    } catch (error) {
      return refusedBy(error, method)
    }
  }
  return nobodyFound(asked, request)
}

function nobodyFound(steps: readonly Step[], request: FastifyRequest): Refused {
  const nobody = { refused: true, reason: 'no known credential', fault: false } as const
  const known = steps.find(({ authenticator }) => recognises(authenticator, request))
  return known === undefined ? nobody : { ...nobody, forgottenBy: known.method }
}

function recognises(authenticator: Authenticator, request: FastifyRequest): boolean {
  try {
    return authenticator.recognises?.(request) === true
  } catch {
    return false
  }
}

function verdictOn(
  found: unknown,
  method: string,
  authenticator: Authenticator,
  now: number,
): AuthenticationVerdict | undefined {
  try {
    const signedIn = checkedSession(found, now, askAgainBy(authenticator))
    return signedIn === null ? undefined : { session: signedIn.session, signedIn, method }
  } catch (error) {
    return refusedBy(error, method)
  }
}

/** Of a foreign error only the class and code are told: its message may quote the credential. */
function refusedBy(error: unknown, method: string): Refused {
  if (isRefusedCredential(error)) return { refused: true, reason: `${method}: ${error.message}`, fault: false, method }
  return { refused: true, reason: `${method}: threw ${shownKind(error)}`, fault: true, cause: error, method }
}

/** The name of something thrown, which may throw again when somebody looks at it (MS-15). */
function shownKind(error: unknown): string {
  try {
    const kind = error instanceof Error && /^[A-Za-z]\w{0,63}$/.test(error.name) ? error.name : 'something'
    const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
    return /^[A-Z][A-Z0-9_]{1,63}$/.test(code) ? `${kind} (${code})` : kind
  } catch {
    return 'something'
  }
}

function askAgainBy(authenticator: Authenticator): AskAgain | undefined {
  if (authenticator.revalidate === undefined) return undefined
  return (session) => authenticator.revalidate?.(session)
}

function isAskedAgain({ revalidate, asksAgain }: Authenticator): boolean {
  return revalidate !== undefined || asksAgain === true
}

function continued(current: SignedIn, next: unknown, now: number): SignedIn | null {
  try {
    const signedIn = checkedSession(next, now, current.askAgain, current.identity.issuedAt)
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
      : [{ method: issueFor.name, authenticator: issueFor }]
  const issue = tickets.issue.bind(tickets)
  return async (request, ask) => {
    const verdict = await authenticateBy(askers, request, now)
    if (verdict.refused) return verdict
    if (verdict.signedIn === null) return { refused: true, reason: 'a ticket needs a session', fault: false }
    return issue(verdict.signedIn.session, ask, verdict.signedIn)
  }
}

const threeWays =
  'There is no default, because a socket that anybody may open is a decision. Write one of: ' +
  '`authenticate: cookieSession({ secret, load })` for browsers, ' +
  '`authenticate: bearer({ jwks, algorithms, issuer, audience })` for JSON Web Tokens, ' +
  'or `authenticate: false` to let everybody in without a session.'

function stepsOf(option: unknown, path: string): readonly Step[] {
  if (option === undefined) throw badOption(path, option, threeWays)
  if (!Array.isArray(option)) return [stepOf(option, path, new Set())]
  if (option.length === 0) throw badOption(path, option, `An empty list lets nobody in. ${threeWays}`)
  const taken = new Set<string>()
  return option.map((member, at) => stepOf(member, `${path}[${at}]`, taken))
}

function stepOf(member: unknown, path: string, taken: Set<string>): Step {
  const call = factories.get(member)
  if (call !== undefined) {
    throw badOption(
      path,
      `the function that makes an authenticator`,
      `Call it: \`${path.startsWith('authenticate') ? 'authenticate: ' : ''}${call}\`.`,
    )
  }
  const authenticator = isAuthenticateFunction(member) ? byFunction(member) : member
  if (!isAuthenticator(authenticator)) throw badOption(path, shapeOf(member), adviceFor(member))
  let method = authenticator.name
  // Two of one kind (two issuers, say) are told apart, or a session would be revalidated by the wrong one.
  for (let count = 2; taken.has(method); count++) method = `${authenticator.name}#${count}`
  taken.add(method)
  return { method, authenticator }
}

/**
 * Where a function takes its credential from is unknown. It does not fail the start together with open origins, because it
 * may well read a header that no browser attaches; the warning about these origins names it.
 */
function byFunction(authenticate: AuthenticateFunction): Authenticator {
  return { name: 'function', ambient: false, authenticate }
}

function isAuthenticateFunction(member: unknown): member is AuthenticateFunction {
  return typeof member === 'function'
}

function isAuthenticator(member: unknown): member is Authenticator {
  if (typeof member !== 'object' || member === null) return false
  if (!('name' in member) || typeof member.name !== 'string' || !/^[A-Za-z][\w.-]{0,63}$/.test(member.name))
    return false
  if (!('ambient' in member) || typeof member.ambient !== 'boolean') return false
  return 'authenticate' in member && typeof member.authenticate === 'function'
}

function adviceFor(member: unknown): string {
  if (member === false)
    return 'In a list `false` would let in everybody whom the others do not know. Write `authenticate: false` alone.'
  if (member === true) return `True says nothing about who may enter. ${threeWays}`
  return 'Write an authenticator (`cookieSession(...)`, `bearer(...)`, ...), or a function `(request) => Session | null`.'
}
