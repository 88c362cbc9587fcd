import type { Duplex } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type AuthenticationVerdict, causeOf } from '../authentication/asking.ts'
import type { Capacity } from '../capacity/capacity.ts'
import type { Caps } from '../capacity/identity-capacity.ts'
import type { Places } from '../capacity/places.ts'
import { type Refusal, refuse } from '../http/refusal.ts'
import type { RoutePolicy } from '../options/route.ts'
import type { Identity, SignedIn } from '../session/identity.ts'
import type { DeveloperLog } from '../telemetry/developer-log.ts'
import { after, isThenable } from '../thenable.ts'
import { undeclaredProtocol } from './advice.ts'
import type { EnforceRule } from './enforcement.ts'
import { checkFetchMetadata } from './fetch-metadata.ts'
import { checkHandshakeShape, type HandshakeFacts } from './handshake-request.ts'
import { checkHost } from './host.ts'
import { askOrigins, checkOrigin } from './origin.ts'
import type { AdmissionPolicy } from './policy.ts'
import { effectiveHost, effectiveScheme, ownOrigin } from './reached.ts'
import { away, failed, permit, unanswered, verified } from './refusals.ts'
import { checkRouteSchema, hasRouteSchema } from './route-schema.ts'
import { chooseProtocol } from './sub-protocol.ts'
import { checkTransport } from './transport.ts'
import type { VerifyClient } from './verify-client.ts'

/** A request's own words, and the rules for them: enough to decide without asking anybody. */
export interface Said {
  readonly facts: HandshakeFacts
  readonly policy: { readonly admission: AdmissionPolicy }
}

/** A handshake as far as it can be judged: one that was made, or one that a client asks about. */
export class Question implements Said {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly stream: { readonly destroyed: boolean }
  readonly facts: HandshakeFacts
  readonly policy: RoutePolicy
  readonly since: number
  signedIn: SignedIn | null = null
  method = 'anonymous'
  protocol: string | undefined = undefined
  /** The function of the application whose answer is waited for, where a missing answer means that nobody could be asked. */
  asking: string | undefined = undefined
  /** Puts back what a validator replaced in params and query for `authorize` only: Fastify validates again. */
  restoreRequest: (() => void) | undefined = undefined

  constructor(
    asked: { request: FastifyRequest; reply: FastifyReply; stream: Question['stream'] },
    facts: HandshakeFacts,
    policy: RoutePolicy,
    since: number,
  ) {
    this.request = asked.request
    this.reply = asked.reply
    this.stream = asked.stream
    this.facts = facts
    this.policy = policy
    this.since = since
  }

  /** Nobody waits for the end: the client has reset, or somebody has answered. Whatever was reserved goes with the stream. */
  get isOver(): boolean {
    return this.stream.destroyed || this.reply.sent
  }
}

/** A handshake on its way through the list. */
export class Handshake extends Question {
  readonly places: Places

  constructor(
    request: FastifyRequest,
    reply: FastifyReply,
    upgraded: Places & { readonly stream: Duplex },
    facts: HandshakeFacts,
    policy: RoutePolicy,
    since: number,
  ) {
    super({ request, reply, stream: upgraded.stream }, facts, policy, since)
    this.places = upgraded
  }
}

/** The parts of the server that are asked on the way. */
export interface Means {
  readonly capacity: Capacity
  readonly caps: Caps
  /** The handshake rate across nodes; `undefined` when there is only this one. */
  readonly sharedRate: ((address: string | undefined, side: 'check' | 'take') => Promise<Verdict>) | undefined
  /** ws's own hook, when the application brought one. */
  readonly verifyClient: VerifyClient | undefined
  /** A reason to admit nobody now: draining, or a bus that has not caught up. */
  readonly unavailable: (needsSession: boolean) => string | undefined
  readonly isDenied: (identity: Identity, since: number) => boolean
  readonly tell: DeveloperLog
}

export type Verdict = Refusal | undefined

/** A question of the list. Asked of a handshake, `take` answers it where there is one; of a client's "why?", always `check`. */
export interface Step {
  readonly name: string
  /** The rule of the option `enforce` by which its refusals may be reported, and nobody refused; none where this is left out. */
  readonly rule?: EnforceRule
  /** Whether a route has any use for it; it has, where this is left out. Asked once. */
  readonly concerns?: (policy: RoutePolicy, means: Means) => boolean
  /** The verdict, for which nothing is spent: no place, no rate, no ticket. */
  readonly check: (question: Question, means: Means) => Verdict | Promise<Verdict>
  /** The same verdict, and what it allows is taken with it, so that nobody comes in between. */
  readonly take?: (handshake: Handshake, means: Means) => Verdict | Promise<Verdict>
}

/** The steps for which the request's own words are enough: nobody is asked, and nothing is counted. */
export const said: readonly (Pick<Step, 'name' | 'rule'> & { readonly check: (request: Said) => Verdict })[] = [
  { name: 'shape', check: ({ facts }) => checkHandshakeShape(facts) },
  {
    name: 'transport',
    rule: 'transport',
    check: ({ facts, policy: { admission } }) =>
      checkTransport(facts, effectiveScheme(facts), effectiveHost(facts), admission.allowInsecureTransport),
  },
  {
    name: 'host',
    rule: 'host',
    check: ({ facts, policy: { admission } }) =>
      checkHost(effectiveHost(facts), effectiveScheme(facts), admission.hosts),
  },
  { name: 'origin', rule: 'origin', check: listedOrigin },
  {
    name: 'fetch metadata',
    rule: 'fetchMetadata',
    check: ({ facts, policy: { admission } }) => checkFetchMetadata(facts, admission.origins.sameOrigin),
  },
]

/**
 * The steps that a handshake passes, cheap before dear: the first refusal wins. docs/lifecycle.md has a row for each step,
 * in this order.
 */
export const admission: readonly Step[] = [
  ...said,
  { name: 'available', check: ({ policy }, means) => checkAvailable(!policy.authentication.anonymous, means) },
  // Before the first step that can wait: a thousand at once are counted, and do not ask the application a thousand times.
  {
    name: 'connection place',
    rule: 'capacity',
    check: ({ facts, since }, { capacity }) => capacity.check(facts.address, since),
    take: reserveConnection,
  },
  {
    name: 'origins function',
    rule: 'origin',
    concerns: ({ admission: { origins } }) => origins.ask !== undefined,
    check: ({ facts, policy, request }) => askOrigins(facts.origin, policy.admission.origins, request),
    take: askFunction,
  },
  {
    name: 'rate on all nodes',
    rule: 'capacity',
    concerns: (_policy, { sharedRate }) => sharedRate !== undefined,
    check: ({ facts }, { sharedRate }) => sharedRate?.(facts.address, 'check'),
    take: ({ facts }, { sharedRate }) => sharedRate?.(facts.address, 'take'),
  },
  {
    name: 'session',
    rule: 'session',
    check: (question, means) => authenticate(question, means, 'peek'),
    take: (handshake, means) => authenticate(handshake, means, 'authenticate'),
  },
  {
    name: 'session place',
    rule: 'capacity',
    check: ({ signedIn, policy }, { caps }) =>
      signedIn === null ? undefined : caps.check(signedIn.identity, policy.limits),
    take: ({ signedIn, policy, places }, { caps }) =>
      signedIn === null ? undefined : caps.reserve(places, signedIn.identity, policy.limits),
  },
  { name: 'sub-protocol', check: selectProtocol },
  { name: 'route schema', check: validate },
  {
    name: 'authorize',
    rule: 'authorize',
    concerns: ({ authorize }) => authorize !== undefined,
    check: authorize,
  },
  {
    name: 'verifyClient',
    concerns: (_policy, { verifyClient }) => verifyClient !== undefined,
    check: ({ request }, { verifyClient }) =>
      verifyClient?.(request.raw).then(verified, (error: unknown) => failed(error, '`verifyClient`')),
  },
  // Once more, after all the waiting; and for good, where `session` only reports: somebody has revoked it by name.
  { name: 'not revoked', check: ({ signedIn, since }, means) => checkDenied(signedIn, since, means) },
]

/** The steps that one route has a use for. */
export function admissionOf(policy: RoutePolicy, means: Means): readonly Step[] {
  return admission.filter(({ concerns }) => concerns === undefined || concerns(policy, means))
}

/**
 * The way of handshakes that are made. `reported` is told of each refusal that does not stand: its rule only reports for now.
 */
export function takingWay(reported: Reported): Way<Handshake> {
  return { ask: take, reported }
}

/** Takes a handshake through the list, for as long as somebody waits for the end. */
export function takeThrough(
  handshake: Handshake,
  means: Means,
  steps: readonly Step[],
  way: Way<Handshake>,
): Verdict | Promise<Verdict> {
  return through(handshake, means, steps, way, 0)
}

/** Asks what `takeThrough` would answer now, and leaves everything as it is. `comesTo` is told of each step before it is asked. */
export function askThrough(
  question: Question,
  means: Means,
  steps: readonly Step[],
  comesTo: (step: string) => void,
): Verdict | Promise<Verdict> {
  const ask: Ask<Question> = (step) => {
    comesTo(step.name)
    return step.check(question, means)
  }
  return through(question, means, steps, { ask, reported() {} }, 0)
}

type Reported = (handshake: Handshake, refusal: Refusal) => void

/** Whether a refusal of this step is one: of a rule that only reports it is not, for now. */
function stands({ rule }: Step, { enforcement }: RoutePolicy): boolean {
  return rule === undefined || !enforcement.reports(rule)
}

type Ask<Q extends Question> = (step: Step, question: Q, means: Means) => Verdict | Promise<Verdict>

const take: Ask<Handshake> = (step, handshake, means) =>
  step.take === undefined ? step.check(handshake, means) : step.take(handshake, means)

/** The way through the list. */
export interface Way<Q extends Question> {
  readonly ask: Ask<Q>
  /** Told of each refusal that does not stand. */
  readonly reported: (question: Q, refusal: Refusal) => void
}

function through<Q extends Question>(
  question: Q,
  means: Means,
  steps: readonly Step[],
  way: Way<Q>,
  from: number,
): Verdict | Promise<Verdict> {
  for (let index = from; index < steps.length; index++) {
    const step = steps[index] as Step
    const verdict = way.ask(step, question, means)
    if (verdict === undefined) continue
    if (isThenable(verdict)) return throughLater(verdict, question, means, steps, way, index)
    if (stands(step, question.policy)) return verdict
    way.reported(question, verdict)
  }
  return undefined
}

/** Goes on behind a step that has to be waited for. A function of its own: its closure would be made for every step. */
function throughLater<Q extends Question>(
  late: PromiseLike<Verdict>,
  question: Q,
  means: Means,
  steps: readonly Step[],
  way: Way<Q>,
  at: number,
): Verdict | Promise<Verdict> {
  return after(late, (verdict) => {
    if (question.isOver) return undefined
    if (verdict !== undefined && stands(steps[at] as Step, question.policy)) return verdict
    if (verdict !== undefined) way.reported(question, verdict)
    return through(question, means, steps, way, at + 1)
  })
}

function listedOrigin({ facts, policy: { admission } }: Said): Verdict {
  if (facts.originRepeated) return refuse('SWS_ORIGIN_REFUSED', 'more than one Origin header')
  return checkOrigin(facts, admission.origins, admission.origins.sameOrigin ? ownOrigin(facts) : undefined)
}

/** Asked by the list, and again right before the 101. */
export function checkAvailable(needsSession: boolean, means: Pick<Means, 'unavailable'>): Verdict {
  const reason = means.unavailable(needsSession)
  return reason === undefined ? undefined : away(reason)
}

/** The place belongs to the TCP connection: refused, reset, upgraded and closed, or timed out, it ends with `close`. */
function reserveConnection({ places, facts, since }: Handshake, { capacity }: Means): Verdict {
  return capacity.reserve(places, facts.address, since)
}

/** Asks the function; its "no" gives the rate back: a page of strangers must not spend the handshakes of its visitor. */
function askFunction({ facts, policy, request, since }: Handshake, { capacity }: Means): Verdict | Promise<Verdict> {
  return after(askOrigins(facts.origin, policy.admission.origins, request), (refusal) => {
    if (refusal !== undefined) capacity.giveBack(facts.address, since)
    return refusal
  })
}

function authenticate(question: Question, means: Means, how: 'authenticate' | 'peek'): Verdict | Promise<Verdict> {
  const { policy, request } = question
  // Set while it is asked and waited for; a deadline in between says that nobody could be asked.
  question.asking = '`authenticate`'
  const said = policy.authentication[how](request)
  return isThenable(said) ? authenticateLater(said, question, means) : authenticated(said, question, means)
}

function authenticateLater(said: PromiseLike<AuthenticationVerdict>, question: Question, means: Means) {
  return after(said, (late) => authenticated(late, question, means))
}

function authenticated(said: AuthenticationVerdict, question: Question, means: Means): Verdict {
  question.asking = undefined
  if (said.refused)
    return said.fault
      ? unanswered(said.reason, causeOf(said))
      : refuse('SWS_UNAUTHENTICATED', said.reason, { forgottenBy: said.forgottenBy })
  question.signedIn = said.signedIn
  question.method = said.method
  return checkDenied(said.signedIn, question.since, means)
}

function selectProtocol(question: Question, means: Means): Verdict {
  const { facts, policy } = question
  // Nothing to choose from: most pages offer nothing, and most routes speak nothing.
  const offered = facts.protocols ?? none
  return offered.length === 0 && policy.protocols === undefined ? undefined : selectOffered(question, offered, means)
}

const none: readonly string[] = []

function selectOffered(question: Question, offered: readonly string[], { tell }: Means): Verdict {
  const { policy } = question
  const credentials = policy.authentication.credentialProtocols(offered)
  const others = offered.filter((name) => !credentials.includes(name))
  const chosen = chooseProtocol(others, policy.protocols)
  if (chosen.refusal !== undefined) return chosen.refusal
  question.protocol = chosen.protocol
  if (policy.passesOn === true) return undefined
  if (policy.protocols === undefined && chosen.protocol === undefined && offered.length > credentials.length) {
    const { log, routeOptions } = question.request
    tell({ about: 'sub-protocol', route: routeOptions.url, text: () => undeclaredProtocol(others) }, log)
  }
  return undefined
}

function validate(question: Question): Verdict | Promise<Verdict> {
  if (!hasRouteSchema(question.request)) return undefined
  return after(checkRouteSchema(question.request), ({ refusal, restore }): Verdict => {
    question.restoreRequest = restore
    return refusal
  })
}

function authorize({ policy, signedIn, request }: Question): Verdict | Promise<Verdict> {
  const threw = (error: unknown) => failed(error, '`authorize`')
  try {
    return after<unknown, Verdict>(policy.authorize?.(signedIn?.session ?? null, request), permit, threw)
  } catch (error) {
    return threw(error)
  }
}

/** Race: revoked while a step waited. Asked again after each wait, and once more when the socket joins its identity. */
export function checkDenied(signedIn: SignedIn | null, since: number, means: Pick<Means, 'isDenied'>): Verdict {
  if (signedIn === null || !means.isDenied(signedIn.identity, since)) return undefined
  return refuse('SWS_UNAUTHENTICATED', 'the session, its user or its token was revoked')
}
