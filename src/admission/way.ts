import type { Duplex } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Capacity } from '../capacity/capacity.ts'
import type { Caps } from '../capacity/identity-capacity.ts'
import type { Places } from '../capacity/places.ts'
import type { Refusal } from '../http/refusal.ts'
import type { RoutePolicy } from '../options/route.ts'
import type { Identity, SignedIn } from '../session/identity.ts'
import type { DeveloperLog } from '../telemetry/developer-log.ts'
import type { HandshakeSpan } from '../telemetry/traces.ts'
import { after, isThenable } from '../thenable.ts'
import type { EnforceRule } from './enforcement.ts'
import type { HandshakeFacts } from './handshake-request.ts'
import type { AdmissionPolicy } from './policy.ts'
import type { VerifyClient } from './verify-client.ts'

// The way through the list of steps, whatever stands on it. `admission.ts` has the list.

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

  /** Where it is traced. */
  span: HandshakeSpan | undefined = undefined

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
  /** Whether a route has any use for it; it has, where this is left out. Asked once, with the first request that comes to the route. */
  readonly concerns?: (policy: RoutePolicy, means: Means, request: FastifyRequest) => boolean
  /** The verdict, for which nothing is spent: no place, no rate, no ticket. */
  readonly check: (question: Question, means: Means) => Verdict | Promise<Verdict>
  /** The same verdict, and what it allows is taken with it, so that nobody comes in between. */
  readonly take?: (handshake: Handshake, means: Means) => Verdict | Promise<Verdict>
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
  const { span } = handshake
  if (span === undefined) return through(handshake, means, steps, way, 0)
  return span.run(() => through(handshake, means, steps, { ...way, ask: takeTraced }, 0))
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

const takeTraced: Ask<Handshake> = (step, handshake, means) => {
  const told = (verdict: Verdict): Verdict => {
    handshake.span?.step(step.name, verdict?.code)
    return verdict
  }
  const verdict = take(step, handshake, means)
  return isThenable(verdict) ? after(verdict, told) : told(verdict)
}

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
