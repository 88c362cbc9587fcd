import type { Duplex } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Slot } from '../capacity/capacity.ts'
import { Places } from '../capacity/places.ts'
import { answerHeaders, answerType, type Refusal, refusalBody } from '../http/refusal.ts'
import type { RoutePolicy } from '../options/route.ts'
import type { Audit } from '../telemetry/audit.ts'
import type { ThrownLog } from '../telemetry/thrown.ts'
import { after } from '../thenable.ts'
import {
  admissionOf,
  checkAvailable,
  checkDenied,
  type Handshake,
  type Means,
  questionOf,
  type Step,
  takeThrough,
  type Verdict,
} from './admission.ts'
import type { Admissions } from './admissions.ts'
import { checkHandshakeShape, type HandshakeFacts, readHandshake } from './handshake-request.ts'
import { clientAddress, isTrusted, peerIsTrusted } from './peer.ts'
import { away, failed, notASocketRoute, outOfTime, upgradeRequired } from './refusals.ts'
import type { Announce } from './refused.ts'
import { createWhy } from './why.ts'

export interface GuardSurroundings extends Means {
  /** A clock that nobody can set. */
  readonly uptime: () => number
  readonly announce: Announce
  readonly audit: Audit
  readonly thrown: ThrownLog
  readonly policyOf: (request: FastifyRequest) => RoutePolicy | undefined
  /** The policies of every route that is declared by now. */
  readonly policies: readonly RoutePolicy[]
  /** A plain request of it is nobody's but ours to answer. */
  readonly isSocketOnly: (request: FastifyRequest) => boolean
  readonly admissions: Admissions
  /** Told of the streams that came this far: from here on the guard's own clock and events hold. */
  readonly judged: (stream: Duplex) => void
  /** Told of those that were refused here: their event is made. */
  readonly answered: (stream: Duplex) => void
  /** Told of each request of Fastify's, before anything of it is looked at. */
  readonly seen: (request: FastifyRequest) => void
  /** Security headers for a refusal at a path that is no socket route, and so has none of its own. */
  readonly headersOnRefusal: (reply: FastifyReply) => void
}

/**
 * The one `onRequest` hook. Every upgrade passes it, whatever its path and method; nothing else does. It refuses before the
 * first byte of a 101, in the order of the one list (`admission`).
 */
export function createGuard(surroundings: GuardSurroundings) {
  const { uptime, admissions, capacity, policyOf } = surroundings

  const compiled = new WeakMap<RoutePolicy, readonly Step[]>()
  function stepsOf(policy: RoutePolicy): readonly Step[] {
    const known = compiled.get(policy)
    if (known !== undefined) return known
    const steps = admissionOf(policy, surroundings)
    compiled.set(policy, steps)
    return steps
  }

  type Asker = Pick<HandshakeFacts, 'address'> & Partial<Pick<HandshakeFacts, 'origin'>>

  /** A refusal for which our own side is the reason is nobody's to pay for. */
  function turnAway(request: FastifyRequest, reply: FastifyReply, asker: Asker, refusal: Refusal): void {
    if (!reply.sent && refusal.status < 500) capacity.noteRefused(asker.address, uptime())
    answer(request, reply, asker, refusal)
  }

  function answer(request: FastifyRequest, reply: FastifyReply, facts: Asker, refusal: Refusal): void {
    if (reply.sent) return
    if (request.ws) surroundings.answered(reply.raw.socket ?? request.raw.socket)
    surroundings.announce({
      refusal,
      raw: request.raw,
      route: request.routeOptions.url,
      address: facts.address,
      origin: facts.origin,
      asked: policyOf(request)?.authentication,
      peerIsTrusted: () => isTrusted(request),
      unixSocket: () => isUnixSocket(request.server.server),
      log: request.log,
    })
    if (request.is404 || policyOf(request) === undefined) surroundings.headersOnRefusal(reply)
    reply
      .code(refusal.status)
      .headers(headersOf(request, refusal))
      .type(answerType)
      .send(JSON.stringify(refusalBody(refusal)))
  }

  /**
   * The last word before the 101. The application's own hooks may have waited since the guard admitted: the server may have
   * begun to drain meanwhile, or the session have been revoked.
   */
  function recheckBeforeUpgrade(request: FastifyRequest, reply: FastifyReply, done: () => void): void {
    // Here and not in the guard: a hook of the application may have an answer of its own for a plain request.
    if (!request.ws && request.method === 'GET' && surroundings.isSocketOnly(request)) {
      answer(request, reply, readFacts(request), upgradeRequired)
      return
    }
    const admitted = request.ws ? surroundings.admissions.of(request.raw) : undefined
    const refusal =
      admitted &&
      (checkAvailable(admitted.signedIn !== null, surroundings) ??
        checkDenied(admitted.signedIn, admitted.since, surroundings))
    if (admitted === undefined || refusal === undefined) done()
    else answer(request, reply, admitted, refusal)
  }

  const behind = away('nobody listens for upgrades behind this guard')
  const nobodyBehind = (request: FastifyRequest, reply: FastifyReply) =>
    answer(request, reply, readFacts(request), behind)

  const answersWhy = createWhy({ ...surroundings, stepsOf })

  return { guard, recheckBeforeUpgrade, nobodyBehind }

  function guard(request: FastifyRequest, reply: FastifyReply, done: () => void): void {
    if (!request.ws) {
      if (!answersWhy(request, reply)) done()
      return
    }
    const since = uptime()
    const { raw } = request
    surroundings.seen(request)
    const stream: Duplex = reply.raw.socket ?? raw.socket
    surroundings.judged(stream)
    const address = clientAddress(request)
    const tooOften = capacity.refusedTooOften(address, since)
    if (tooOften !== undefined) {
      answer(request, reply, { address }, tooOften)
      return
    }
    const facts = readFacts(request, address)
    const policy = request.is404 ? undefined : policyOf(request)
    if (policy === undefined) {
      turnAway(request, reply, facts, checkHandshakeShape(facts) ?? notASocketRoute(request))
      return
    }
    const handshake: Handshake = {
      ...questionOf(request, facts, policy, since),
      places: new Places(stream),
      place: undefined,
    }
    const isOver = () => stream.destroyed || reply.sent

    const timeout = policy.limits.handshake
    // The clock runs until the stream is a socket or gone, so it covers the hooks that come after this one as well.
    const clock = new Clock(timeout, () => {
      // The reply was taken over by something that then did nothing with it: there is nobody left to answer.
      if (reply.sent) stream.destroy()
      answer(request, reply, facts, outOfTime(handshake.asking, timeout))
    })
    handshake.places.hold(clock)

    const admit = () => {
      handshake.restoreRequest()
      admissions.grant(stream, raw, {
        signedIn: handshake.signedIn,
        policy: policy.socket,
        request: policy.socket.needsRequest ? request : noRequest,
        log: request.log,
        method: handshake.method,
        address: facts.address,
        origin: facts.origin,
        protocol: handshake.protocol,
        since,
        place: handshake.place,
        clock,
      })
      done()
    }
    const conclude = (refusal: Verdict) => {
      if (isOver()) return
      if (refusal === undefined) admit()
      else turnAway(request, reply, facts, refusal)
    }
    try {
      void after(takeThrough(handshake, surroundings, stepsOf(policy), isOver), conclude, (error) =>
        conclude(failed(error)),
      )
    } catch (error) {
      conclude(failed(error))
    }
  }
}

/** In the place of a request that nobody asks about: an idle socket would keep it, its reply and its headers alive. */
const noRequest = Object.freeze({})

/** Calls back once after so many ms, unless it is released before. */
class Clock implements Slot {
  #timer: NodeJS.Timeout | undefined

  constructor(timeout: number, onTimeout: () => void) {
    this.#timer = setTimeout(onTimeout, timeout)
  }

  release(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }
}

/** HTTP/2 has no headers about the connection (RFC 9113 section 8.2.2), and Node throws on them. */
function headersOf({ raw: { httpVersionMajor } }: FastifyRequest, refusal: Refusal): Readonly<Record<string, string>> {
  const headers = answerHeaders(refusal)
  if (httpVersionMajor !== 2) return headers
  const { upgrade: _upgrade, connection: _connection, ...rest } = headers
  return rest
}

/** A path, where Node's other servers have an object. */
export function isUnixSocket(server: { address(): unknown }): boolean {
  return typeof server.address() === 'string'
}

function readFacts(request: FastifyRequest, address = clientAddress(request)): HandshakeFacts {
  return readHandshake(request.raw, { trusted: peerIsTrusted(request), address })
}
