import type { FastifyReply, FastifyRequest } from 'fastify'
import { credentialTexts } from '../authentication/credential.ts'
import { answerType, codeHeader, whyBody } from '../http/refusal.ts'
import type { RoutePolicy } from '../options/route.ts'
import type { Audit } from '../telemetry/audit.ts'
import type { ThrownLog } from '../telemetry/thrown.ts'
import { after } from '../thenable.ts'
import { admission, said } from './admission.ts'
import { checkHandshakeShape, type HandshakeFacts, readHandshake } from './handshake-request.ts'
import { clientAddress, ownOrigin, peerIsTrusted } from './reached.ts'
import { failed, notASocketRoute, outOfTime } from './refusals.ts'
import { askThrough, type Means, Question, type Step, type Verdict } from './way.ts'
import {
  asksWhy,
  becomeHandshake,
  handshakeLines,
  isPreflightOfWhy,
  whyHeader,
  whyOriginHeader,
  whyProtocolHeader,
} from './why-request.ts'

export interface WhySurroundings extends Means {
  readonly uptime: () => number
  readonly audit: Audit
  readonly policyOf: (request: FastifyRequest) => RoutePolicy | undefined
  /** The policies of every route. */
  readonly policies: readonly Pick<RoutePolicy, 'admission'>[]
  readonly stepsOf: (policy: RoutePolicy, request: FastifyRequest) => readonly Step[]
  readonly headersOnRefusal: (request: FastifyRequest, reply: FastifyReply) => void
  readonly thrown: ThrownLog
}

/**
 * The answer to a client whose handshake failed, and whose browser does not say why: `GET` of the same path with `secure-ws: why`.
 * The same list is asked with the same credentials, and spends nothing: no place, no ticket, and a rate of its own.
 *
 * @returns whether the request was one of these, and is answered
 */
export function createWhy(surroundings: WhySurroundings): (request: FastifyRequest, reply: FastifyReply) => boolean {
  const { uptime, audit, capacity, policyOf, policies, stepsOf } = surroundings

  return (request, reply) => {
    const { raw } = request
    if (asksWhy(raw)) {
      becomeHandshake(raw, (lines) => ownOrigin(factsOf(request, lines)))
      judge(request, reply)
      return true
    }
    if (!request.is404 || !isPreflightOfWhy(raw)) return false
    return allowQuestion(request, reply)
  }

  function judge(request: FastifyRequest, reply: FastifyReply): void {
    const since = uptime()
    const address = clientAddress(request)
    const facts = factsOf(request, request.raw.rawHeaders, address)
    const tooOften = capacity.askedTooOften(address, since)
    if (tooOften !== undefined) {
      answer(request, reply, facts, tooOften, { status: 429 })
      return
    }
    const policy = request.is404 ? undefined : policyOf(request)
    if (policy === undefined) {
      answer(request, reply, facts, checkHandshakeShape(facts) ?? notASocketRoute(request))
      return
    }
    const refusedTooOften = capacity.refusedTooOften(address, since)
    if (refusedTooOften !== undefined) {
      answer(request, reply, facts, refusedTooOften)
      return
    }
    const question = new Question({ request, reply, stream: request.raw.socket }, facts, policy, since)
    let at = ''
    const conclude = (verdict: Verdict) => {
      clearTimeout(clock)
      if (!question.isOver) answer(request, reply, facts, verdict, { readable: knowsPage(policy, verdict, at) })
    }
    const timeout = policy.limits.handshake
    const clock = setTimeout(() => conclude(outOfTime(question.asking, timeout)), timeout)
    try {
      const steps = stepsOf(policy, request)
      void after(
        askThrough(question, surroundings, steps, (name) => {
          at = name
        }),
        conclude,
        (error) => conclude(failed(error)),
      )
    } catch (error) {
      conclude(failed(error))
    }
  }

  function answer(
    request: FastifyRequest,
    reply: FastifyReply,
    { address, origin }: HandshakeFacts,
    refusal: Verdict,
    { status = 200, readable = false } = {},
  ): void {
    audit(
      {
        type: 'handshake.asked',
        code: refusal?.code,
        reason: refusal?.reason,
        route: request.routeOptions.url,
        address,
        origin,
      },
      request.log,
    )
    if (refusal?.cause !== undefined) {
      const fields = { code: refusal.code, route: request.routeOptions.url }
      surroundings.thrown(refusal.cause, { log: request.log, secrets: credentialTexts(request), fields })
    }
    if (request.is404 || policyOf(request) === undefined) surroundings.headersOnRefusal(request, reply)
    reply
      .code(status)
      .headers({
        'cache-control': 'no-store',
        vary: 'origin',
        ...(status === 200 || refusal === undefined ? {} : { ...refusal.headers, [codeHeader]: refusal.code }),
        ...(readable && origin !== undefined ? readableBy(origin) : {}),
      })
      .type(answerType)
      .send(JSON.stringify(whyBody(refusal)))
  }

  /** Says no more than that the question may be asked: who asks it, is judged then. */
  function allowQuestion(request: FastifyRequest, reply: FastifyReply): boolean {
    const facts = factsOf(
      request,
      handshakeLines(request.raw.rawHeaders, () => undefined),
    )
    const mayAsk = new Set(policies.map((policy) => policy.admission))
    const some = [...mayAsk].some((one) =>
      said.every(({ check }) => check({ facts, policy: { admission: one } }) === undefined),
    )
    if (!some || facts.origin === undefined) return false
    surroundings.headersOnRefusal(request, reply)
    reply
      .code(204)
      .headers({
        ...readableBy(facts.origin),
        'access-control-allow-methods': 'GET',
        'access-control-allow-headers': [whyHeader, whyProtocolHeader, whyOriginHeader].join(', '),
        'access-control-max-age': '600',
        'cache-control': 'no-store',
        vary: 'origin, access-control-request-method, access-control-request-headers',
      })
      .send()
    return true
  }
}

/** The facts of the handshake that is asked about: it begins as HTTP/1.1, in whatever version a page may ask about it. */
function factsOf(request: FastifyRequest, rawHeaders: readonly string[], address?: string): HandshakeFacts {
  const { url, headers, socket } = request.raw
  const handshake = { method: 'GET', httpVersion: '1.1', url, headers, socket, rawHeaders }
  return readHandshake(handshake, { trusted: peerIsTrusted(request), address })
}

/** A page of another origin reads the answer only where that page may connect. */
function readableBy(origin: string): Readonly<Record<string, string>> {
  return { 'access-control-allow-origin': origin, 'access-control-allow-credentials': 'true' }
}

const order = admission.map(({ name }) => name)

/** Whether the verdict came from behind all steps that ask whose page it is. */
function knowsPage({ admission: { origins } }: RoutePolicy, verdict: Verdict, at: string): boolean {
  const last = origins.ask === undefined ? 'fetch metadata' : 'origins function'
  return verdict === undefined || order.indexOf(at) > order.indexOf(last)
}
