import type { Duplex } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { causeOf } from '../authentication/authentication.ts'
import type { Capacity } from '../capacity/capacity.ts'
import type { Caps, IdentityPlace } from '../capacity/identity-capacity.ts'
import type { Places } from '../capacity/places.ts'
import { type Refusal, refuse } from '../http/refusal.ts'
import type { RoutePolicy } from '../options/route.ts'
import type { Identity, SignedIn } from '../session/identity.ts'
import type { DeveloperLog } from '../telemetry/developer-log.ts'
import { after } from '../thenable.ts'
import { undeclaredProtocol } from './advice.ts'
import { checkFetchMetadata } from './fetch-metadata.ts'
import { checkHandshakeShape, type HandshakeFacts } from './handshake-request.ts'
import { checkHost } from './host.ts'
import { askOrigins, checkOrigin } from './origin.ts'
import type { AdmissionPolicy } from './policy.ts'
import type { Reached } from './reached.ts'
import { away, failed, permit, unanswered, verified } from './refusals.ts'
import { checkRouteSchema } from './route-schema.ts'
import { chooseProtocol } from './sub-protocol.ts'
import { checkTransport } from './transport.ts'
import type { VerifyClient } from './verify-client.ts'

/** A request's own words, and the rules for them: enough to decide without asking anybody. */
export interface Said {
  readonly facts: HandshakeFacts
  readonly reached: Reached
  readonly policy: { readonly admission: AdmissionPolicy }
}

/** A handshake on its way through the list. */
export interface Handshake extends Said {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly stream: Duplex
  readonly policy: RoutePolicy
  readonly since: number
  readonly places: Places
  signedIn: SignedIn | null
  place: IdentityPlace | undefined
  method: string
  protocol: string | undefined
  /** The function of the application whose answer is waited for, where a missing answer means that nobody could be asked. */
  asking: string | undefined
  /** Puts back what a validator replaced in params and query for `authorize` only: Fastify validates again. */
  restoreRequest: () => void
}

/** The parts of the server that are asked on the way. */
export interface Means {
  readonly capacity: Capacity
  readonly caps: Caps
  /** The handshake rate across nodes; `undefined` when there is only this one. */
  readonly sharedRate: ((address: string | undefined) => Promise<Refusal | undefined>) | undefined
  /** ws's own hook, when the application brought one. */
  readonly verifyClient: VerifyClient | undefined
  /** A reason to admit nobody now: draining, or a bus that has not caught up. */
  readonly unavailable: (needsSession: boolean) => string | undefined
  readonly isDenied: (identity: Identity, since: number) => boolean
  readonly tell: DeveloperLog
}

export type Verdict = Refusal | undefined

export interface Step {
  readonly name: string
  /** Whether a route has any use for it; it has, where this is left out. Asked once. */
  readonly concerns?: (policy: RoutePolicy, means: Means) => boolean
  readonly check: (handshake: Handshake, means: Means) => Verdict | Promise<Verdict>
}

/** The steps for which the request's own words are enough: nobody is asked, and nothing is counted. */
export const said: readonly { readonly name: string; readonly check: (request: Said) => Verdict }[] = [
  { name: 'shape', check: ({ facts }) => checkHandshakeShape(facts) },
  {
    name: 'transport',
    check: ({ facts, reached: { scheme, host }, policy: { admission } }) =>
      checkTransport(facts, scheme, host, admission.allowInsecureTransport),
  },
  {
    name: 'host',
    check: ({ reached: { scheme, host }, policy: { admission } }) => checkHost(host, scheme, admission.hosts),
  },
  { name: 'origin', check: listedOrigin },
  {
    name: 'fetch metadata',
    check: ({ facts, reached: { own }, policy: { admission } }) =>
      checkFetchMetadata(facts, admission.origins.sameOrigin, own),
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
  { name: 'connection place', check: reserveConnection },
  { name: 'origins function', concerns: ({ admission: { origins } }) => origins.ask !== undefined, check: askFunction },
  {
    name: 'rate on all nodes',
    concerns: (_policy, { sharedRate }) => sharedRate !== undefined,
    check: ({ facts }, { sharedRate }) => sharedRate?.(facts.address),
  },
  { name: 'session', check: authenticate },
  { name: 'session place', check: reserveSession },
  { name: 'sub-protocol', check: selectProtocol },
  { name: 'route schema', check: validate },
  { name: 'authorize', concerns: ({ authorize }) => authorize !== undefined, check: authorize },
  {
    name: 'verifyClient',
    concerns: (_policy, { verifyClient }) => verifyClient !== undefined,
    check: ({ request }, { verifyClient }) =>
      verifyClient?.(request.raw).then(verified, (error: unknown) => failed(error, '`verifyClient`')),
  },
  // Once more, after all the waiting.
  { name: 'not revoked', check: ({ signedIn, since }, means) => checkDenied(signedIn, since, means) },
]

/** The steps that one route has a use for. */
export function admissionOf(policy: RoutePolicy, means: Means): readonly Step[] {
  return admission.filter(({ concerns }) => concerns === undefined || concerns(policy, means))
}

function listedOrigin({ facts, reached: { own }, policy: { admission } }: Said): Verdict {
  if (facts.originRepeated) return refuse('SWS_ORIGIN_REFUSED', 'more than one Origin header')
  return checkOrigin({ value: facts.origin, fromBrowser: facts.fromBrowser, own }, admission.origins)
}

/** Asked by the list, and again right before the 101. */
export function checkAvailable(needsSession: boolean, means: Pick<Means, 'unavailable'>): Verdict {
  const reason = means.unavailable(needsSession)
  return reason === undefined ? undefined : away(reason)
}

/** The place belongs to the TCP connection: refused, reset, upgraded and closed, or timed out, it ends with `close`. */
function reserveConnection({ places, facts, since }: Handshake, { capacity }: Means): Verdict {
  const { slot, refusal } = capacity.reserve(facts.address, since)
  if (slot === undefined) return refusal
  places.hold(slot)
  return undefined
}

/** Asks the function; its "no" gives the rate back: a page of strangers must not spend the handshakes of its visitor. */
function askFunction({ facts, policy, request, since }: Handshake, { capacity }: Means): Verdict | Promise<Verdict> {
  return after(askOrigins(facts.origin, policy.admission.origins, request), (refusal) => {
    if (refusal !== undefined) capacity.giveBack(facts.address, since)
    return refusal
  })
}

function authenticate(handshake: Handshake, means: Means): Verdict | Promise<Verdict> {
  const { policy, request, since } = handshake
  // Set while it is asked and waited for; a deadline in between says that nobody could be asked.
  handshake.asking = '`authenticate`'
  return after(policy.authentication.authenticate(request), (said): Verdict => {
    handshake.asking = undefined
    if (said.refused)
      return said.fault
        ? unanswered(said.reason, causeOf(said))
        : refuse('SWS_UNAUTHENTICATED', said.reason, { forgottenBy: said.forgottenBy })
    handshake.signedIn = said.signedIn
    handshake.method = said.method
    return checkDenied(said.signedIn, since, means)
  })
}

function reserveSession(handshake: Handshake, { caps }: Means): Verdict | Promise<Verdict> {
  const { signedIn, places, policy } = handshake
  if (signedIn === null) return undefined
  return after(caps.reserve(signedIn.identity, policy.limits), ({ place, refusal }): Verdict => {
    if (place === undefined) return refusal
    places.hold(place)
    handshake.place = place
    return undefined
  })
}

function selectProtocol(handshake: Handshake, { tell }: Means): Verdict {
  const { facts, policy } = handshake
  const offered = facts.protocols ?? []
  const credentials = policy.authentication.credentialProtocols(offered)
  const others = offered.filter((name) => !credentials.includes(name))
  const chosen = chooseProtocol(others, policy.protocols)
  if (chosen.refusal !== undefined) return chosen.refusal
  handshake.protocol = chosen.protocol
  if (policy.passesOn === true) return undefined
  if (policy.protocols === undefined && chosen.protocol === undefined && offered.length > credentials.length) {
    const { log, routeOptions } = handshake.request
    tell({ about: 'sub-protocol', route: routeOptions.url, text: () => undeclaredProtocol(others) }, log)
  }
  return undefined
}

function validate(handshake: Handshake): Verdict | Promise<Verdict> {
  return after(checkRouteSchema(handshake.request), ({ refusal, restore }): Verdict => {
    handshake.restoreRequest = restore
    return refusal
  })
}

function authorize({ policy, signedIn, request }: Handshake): Verdict | Promise<Verdict> {
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
