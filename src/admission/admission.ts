import type { FastifyRequest } from 'fastify'
import { type AuthenticationVerdict, causeOf } from '../authentication/asking.ts'
import { refuse } from '../http/refusal.ts'
import type { RoutePolicy } from '../options/route.ts'
import type { SignedIn } from '../session/identity.ts'
import { after, isThenable } from '../thenable.ts'
import { undeclaredProtocol } from './advice.ts'
import { checkFetchMetadata } from './fetch-metadata.ts'
import { checkHandshakeShape } from './handshake-request.ts'
import { checkHost } from './host.ts'
import { askOrigins, checkOrigin } from './origin.ts'
import { effectiveHost, effectiveScheme, ownOrigin } from './reached.ts'
import { away, failed, permit, unanswered, verified } from './refusals.ts'
import { checkRouteSchema, hasRouteSchema } from './route-schema.ts'
import { chooseProtocol } from './sub-protocol.ts'
import { checkTransport } from './transport.ts'
import type { Handshake, Means, Question, Said, Step, Verdict } from './way.ts'

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
  { name: 'route schema', concerns: (_policy, _means, request) => hasRouteSchema(request), check: validate },
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
export function admissionOf(policy: RoutePolicy, means: Means, request: FastifyRequest): readonly Step[] {
  return admission.filter(({ concerns }) => concerns === undefined || concerns(policy, means, request))
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
