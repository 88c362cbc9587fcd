import type { Duplex } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Admitted } from '../connection/admitted.ts'
import { inContextOfNow } from '../connection/scope.ts'
import { answerHeaders, answerType, type Refusal, refusalBody } from '../http/refusal.ts'
import type { RoutePolicy } from '../options/route.ts'
import type { Audit } from '../telemetry/audit.ts'
import type { ThrownLog } from '../telemetry/thrown.ts'
import type { Traces } from '../telemetry/traces.ts'
import { after, isThenable } from '../thenable.ts'
import { type UpgradedStream, upgradedBy } from '../ws/upgraded-stream.ts'
import type { UpgradedStreams } from '../ws/upgraded-streams.ts'
import { admissionOf, checkAvailable, checkDenied } from './admission.ts'
import { checkHandshakeShape, type HandshakeFacts, readHandshake } from './handshake-request.ts'
import { clientAddress, isTrusted, peerIsTrusted } from './reached.ts'
import { away, failed, notASocketRoute, outOfTime, upgradeRequired } from './refusals.ts'
import type { Announcer } from './refused.ts'
import { Handshake, type Means, type Step, takeThrough, takingWay, type Verdict } from './way.ts'
import { createWhy } from './why.ts'

export interface GuardSurroundings extends Means {
  /** A clock that nobody can set. */
  readonly uptime: () => number
  readonly announcer: Announcer
  readonly audit: Audit
  readonly thrown: ThrownLog
  readonly policyOf: (request: FastifyRequest) => RoutePolicy | undefined
  /** The policies of every route that is declared by now. */
  readonly policies: readonly RoutePolicy[]
  /** A plain request of it is nobody's but ours to answer. */
  readonly isSocketOnly: (request: FastifyRequest) => boolean
  readonly streams: UpgradedStreams
  readonly traces: Traces | undefined
  /** Told of each request of Fastify's, before anything of it is looked at. */
  readonly seen: (request: FastifyRequest) => void
  /** Security headers for a refusal at a path that is no socket route, and so has none of its own. */
  readonly headersOnRefusal: (request: FastifyRequest, reply: FastifyReply) => void
}

/**
 * The one `onRequest` hook. Every upgrade passes it, whatever its path and method; nothing else does. It refuses before the
 * first byte of a 101, in the order of the one list (`admission`).
 */
export function createGuard(surroundings: GuardSurroundings) {
  const { uptime, streams, capacity, announcer, policyOf } = surroundings

  const compiled = new WeakMap<RoutePolicy, readonly Step[]>()
  function stepsOf(policy: RoutePolicy, request: FastifyRequest): readonly Step[] {
    const known = compiled.get(policy)
    if (known !== undefined) return known
    const steps = admissionOf(policy, surroundings, request)
    compiled.set(policy, steps)
    return steps
  }

  type Asker = Pick<HandshakeFacts, 'address'> &
    Partial<Pick<HandshakeFacts, 'origin'> & Pick<Handshake, 'signedIn' | 'since'>>

  /** A refusal for which our own side is the reason is nobody's to pay for. */
  function turnAway(request: FastifyRequest, reply: FastifyReply, asker: Asker, refusal: Refusal): void {
    if (!reply.sent && refusal.status < 500) capacity.noteRefused(asker.address, uptime())
    answer(request, reply, asker, refusal)
  }

  function answer(request: FastifyRequest, reply: FastifyReply, facts: Asker, refusal: Refusal): void {
    if (reply.sent) return
    if (request.ws) streams.answered(streamOf(request, reply))
    announce(request, facts, refusal)
    if (request.is404 || policyOf(request) === undefined) surroundings.headersOnRefusal(request, reply)
    reply
      .code(refusal.status)
      .headers(headersOf(request, refusal))
      .type(answerType)
      .send(JSON.stringify(refusalBody(refusal)))
  }

  function announce(request: FastifyRequest, facts: Asker, refusal: Refusal, onlyReported = false): void {
    if (!announcer.isHeard()) return
    announcer.announce({
      refusal,
      onlyReported,
      raw: request.raw,
      route: request.routeOptions.url,
      address: facts.address,
      origin: facts.origin,
      signedIn: facts.signedIn,
      durationMs: facts.since === undefined ? undefined : Math.round(uptime() - facts.since),
      asked: policyOf(request)?.authentication,
      peerIsTrusted: () => isTrusted(request),
      unixSocket: () => isUnixSocket(request.server.server),
      log: request.log,
    })
  }

  /**
   * The last word before the 101. The application's own hooks may have waited since the guard admitted: the server may have
   * begun to drain meanwhile, or the session have been revoked. Says whether the handshake, or the page, may go on; else it is answered.
   */
  function mayUpgrade(request: FastifyRequest, reply: FastifyReply): boolean {
    // Here and not in the guard: a hook of the application may have an answer of its own for a plain request.
    if (!request.ws && request.method === 'GET' && surroundings.isSocketOnly(request)) {
      answer(request, reply, readFacts(request), upgradeRequired)
      return false
    }
    const admitted = request.ws ? upgradedBy(request.raw)?.admitted : undefined
    const refusal =
      admitted &&
      (checkAvailable(admitted.signedIn !== null, surroundings) ??
        checkDenied(admitted.signedIn, admitted.since, surroundings))
    if (admitted !== undefined && refusal !== undefined) answer(request, reply, admitted, refusal)
    return refusal === undefined
  }

  const way = takingWay((handshake, refusal) => announce(handshake.request, askerOf(handshake), refusal, true))

  const behind = away('nobody listens for upgrades behind this guard')
  const nobodyBehind = (request: FastifyRequest, reply: FastifyReply) =>
    answer(request, reply, readFacts(request), behind)

  const answersWhy = createWhy({ ...surroundings, stepsOf })

  return { guard, mayUpgrade, nobodyBehind }

  function guard(request: FastifyRequest, reply: FastifyReply, done: () => void): void {
    if (!request.ws) {
      if (!answersWhy(request, reply)) done()
      return
    }
    const since = uptime()
    surroundings.seen(request)
    const upgraded = streams.judged(request.raw, streamOf(request, reply))
    const address = clientAddress(request)
    const tooOften = capacity.refusedTooOften(address, since)
    if (tooOften !== undefined) {
      answer(request, reply, { address, since }, tooOften)
      return
    }
    const facts = readFacts(request, address)
    const policy = request.is404 ? undefined : policyOf(request)
    if (policy === undefined) {
      turnAway(request, reply, facts, checkHandshakeShape(facts) ?? notASocketRoute(request))
      return
    }
    const handshake = new Handshake(request, reply, upgraded, facts, policy, since)
    handshake.span = surroundings.traces?.handshake(request.raw.headers, policy.socket.route)
    try {
      const verdict = takeThrough(handshake, surroundings, stepsOf(policy, request), way)
      if (isThenable(verdict)) concludeLater(handshake, upgraded, verdict, done)
      else conclude(handshake, upgraded, verdict, done)
    } catch (error) {
      conclude(handshake, upgraded, failed(error), done)
    }
    if (upgraded.state !== 'socket') wait(handshake, upgraded)
  }

  // The closures of what waits are made in functions of their own: where they stand, each handshake would pay for them.

  function concludeLater(handshake: Handshake, upgraded: UpgradedStream, late: PromiseLike<Verdict>, done: () => void) {
    const stopped = (error: unknown) => conclude(handshake, upgraded, failed(error), done)
    void after(late, (verdict) => conclude(handshake, upgraded, verdict, done), stopped)
  }

  /** For a step of the list, or for a hook that comes after this one: the deadline is for both. */
  function wait(handshake: Handshake, upgraded: UpgradedStream): void {
    const { request, reply, policy } = handshake
    const timeout = policy.limits.handshake
    const expire = () => {
      // The reply was taken over by something that then did nothing with it: there is nobody left to answer.
      if (reply.sent) upgraded.stream.destroy()
      const late = outOfTime(handshake.asking, timeout)
      answer(request, reply, askerOf(handshake), late)
      handshake.span?.end(late.code)
    }
    // The timer is that of all who wait, and the answer is this request's: its hooks find the context that they left.
    streams.waits(upgraded, timeout, inContextOfNow(expire))
  }

  function conclude(handshake: Handshake, upgraded: UpgradedStream, refusal: Verdict, done: () => void): void {
    if (handshake.isOver) {
      handshake.span?.end('gone')
      return
    }
    handshake.span?.end(refusal?.code)
    if (refusal !== undefined) {
      turnAway(handshake.request, handshake.reply, askerOf(handshake), refusal)
      return
    }
    handshake.restoreRequest?.()
    upgraded.admitted = new Passed(handshake, upgraded)
    done()
  }
}

/**
 * A handshake that was admitted, as its socket is made of it. A class, because V8 allocates literals that mostly stay in its old
 * space at once, and there each held its stream, and all that hangs on it, long after the socket was gone.
 */
class Passed implements Admitted {
  readonly signedIn: Admitted['signedIn']
  readonly policy: Admitted['policy']
  readonly request: object
  readonly log: Admitted['log']
  readonly method: string
  readonly address: string | undefined
  readonly origin: string | undefined
  readonly protocol: string | undefined
  readonly trace: Admitted['trace']
  readonly since: number
  readonly places: Admitted['places']

  constructor(handshake: Handshake, upgraded: UpgradedStream) {
    const { request, facts, policy } = handshake
    this.signedIn = handshake.signedIn
    this.policy = policy.socket
    this.request = policy.socket.needsRequest ? request : noRequest
    this.log = request.log
    this.method = handshake.method
    this.address = facts.address
    this.origin = samePage(facts.origin)
    this.protocol = handshake.protocol
    this.trace = handshake.span?.link
    this.since = handshake.since
    this.places = upgraded
  }
}

let pageOfLast: string | undefined

/** The same string for the same page, as far as it comes several times in a row: most sockets of a server are of one. */
function samePage(origin: string | undefined): string | undefined {
  if (origin !== pageOfLast) pageOfLast = origin
  return pageOfLast
}

function askerOf({ facts: { address, origin }, signedIn, since }: Handshake) {
  return { address, origin, signedIn, since }
}

function streamOf(request: FastifyRequest, reply: FastifyReply): Duplex {
  return reply.raw.socket ?? request.raw.socket
}

/** In the place of a request that nobody asks about: an idle socket would keep it, its reply and its headers alive. */
const noRequest = Object.freeze({})

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
