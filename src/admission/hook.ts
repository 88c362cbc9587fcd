import type { Duplex } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { causeOf } from '../authentication/authentication.ts'
import { credentialTexts } from '../authentication/credential.ts'
import type { Capacity, Slot } from '../capacity/capacity.ts'
import type { Caps, IdentityPlace, IdentityReservation } from '../capacity/identity-capacity.ts'
import { Places } from '../capacity/places.ts'
import { codeHeader, type Refusal, refusalBody, refuse } from '../http/refusal.ts'
import type { RoutePolicy } from '../options/route.ts'
import type { Identity, SignedIn } from '../session/identity.ts'
import type { Audit } from '../telemetry/audit.ts'
import type { DeveloperLog } from '../telemetry/developer-log.ts'
import type { ThrownLog } from '../telemetry/thrown.ts'
import { isThenable } from '../thenable.ts'
import { checkAdmission } from './admission.ts'
import type { Admissions } from './admissions.ts'
import { adviceOn, undeclaredProtocol } from './advice.ts'
import { checkHandshakeShape, type HandshakeFacts, readHandshake } from './handshake-request.ts'
import { askOrigins } from './origin.ts'
import { clientAddress, peerIsTrusted } from './peer.ts'
import { away, failed, notASocketRoute, outOfTime, permit, unanswered, upgradeRequired, verified } from './refusals.ts'
import { checkRouteSchema, type SchemaVerdict } from './route-schema.ts'
import { situationOf } from './situation.ts'
import { chooseProtocol } from './sub-protocol.ts'
import type { VerifyClient } from './verify-client.ts'

export interface GuardSurroundings {
  /** A clock that nobody can set. */
  readonly uptime: () => number
  readonly audit: Audit
  readonly policyOf: (request: FastifyRequest) => RoutePolicy | undefined
  /** A plain request of it is nobody's but ours to answer. */
  readonly isSocketOnly: (request: FastifyRequest) => boolean
  readonly capacity: Capacity
  readonly caps: Caps
  /** The handshake rate across nodes; `undefined` when there is only this one. */
  readonly sharedRate: ((address: string | undefined) => Promise<Refusal | undefined>) | undefined
  readonly admissions: Admissions
  /** ws's own hook, when the application brought one. */
  readonly verifyClient: VerifyClient | undefined
  /** Told of the streams that came this far: from here on the guard's own clock and events hold. */
  readonly judged: (stream: Duplex) => void
  /** Told of those that were refused here: their event is made. */
  readonly answered: (stream: Duplex) => void
  /** A reason to admit nobody now: draining, or a bus that has not caught up. */
  readonly unavailable: (needsSession: boolean) => string | undefined
  readonly isDenied: (identity: Identity, since: number) => boolean
  readonly tell: DeveloperLog
  readonly thrown: ThrownLog
  /** Security headers for a refusal at a path that is no socket route, and so has none of its own. */
  readonly headersOnRefusal: (reply: FastifyReply) => void
}

/** One handshake on its way through the checks. */
interface Handshake {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly stream: Duplex
  readonly facts: HandshakeFacts
  readonly policy: RoutePolicy
  readonly since: number
  readonly places: Places
  signedIn: SignedIn | null
  place: IdentityPlace | undefined
  method: string
  protocol: string | undefined
  /** The function of the application whose answer is waited for, where a missing answer means that nobody could be asked. */
  asking: string | undefined
  /** What a validator put in place of params and query is for `authorize` only: Fastify validates again. */
  restoreRequest: () => void
}

type Verdict = Refusal | undefined
type Step = (handshake: Handshake) => Verdict | Promise<Verdict>

/**
 * The one `onRequest` hook. Every upgrade passes it, whatever its path and method; nothing else does. It refuses before the
 * first byte of a 101, in the order of the list below, cheap before dear.
 */
export function createGuard(surroundings: GuardSurroundings) {
  const { uptime, audit, admissions, capacity, caps, sharedRate, policyOf } = surroundings

  const steps: readonly Step[] = [
    ({ facts, policy }) => checkAdmission(facts, policy.admission, true),
    ({ policy }) => unavailable(!policy.authentication.anonymous),
    // Before the first step that can wait: a thousand at once are counted, and do not ask the application a thousand times.
    (handshake) => reserveConnection(handshake),
    (handshake) => askAboutOrigin(handshake),
    ({ facts }) => sharedRate?.(facts.address),
    (handshake) => authenticate(handshake),
    (handshake) => reserveSession(handshake),
    (handshake) => selectProtocol(handshake),
    (handshake) => validate(handshake),
    (handshake) => authorize(handshake),
    ({ request }) =>
      surroundings.verifyClient?.(request.raw).then(verified, (error: unknown) => failed(error, '`verifyClient`')),
    ({ signedIn, since }) => denied(signedIn, since),
  ]

  function unavailable(needsSession: boolean): Verdict {
    const reason = surroundings.unavailable(needsSession)
    return reason === undefined ? undefined : away(reason)
  }

  /** The place belongs to the TCP connection: refused, reset, upgraded and closed, or timed out, it ends with `close`. */
  function reserveConnection({ places, facts, since }: Handshake): Verdict {
    const { slot, refusal } = capacity.reserve(facts.address, since)
    if (slot === undefined) return refusal
    places.hold(slot)
    return undefined
  }

  /** What a page of strangers makes its visitor's browser do is not taken from the handshakes that the visitor has. */
  function askAboutOrigin({ facts, policy, request, since }: Handshake): Verdict | Promise<Verdict> {
    const verdict = askOrigins(facts.origin, policy.admission.origins, request)
    return isThenable(verdict) ? verdict.then(settle) : settle(verdict)

    function settle(refusal: Verdict): Verdict {
      if (refusal !== undefined) capacity.giveBack(facts.address, since)
      return refusal
    }
  }

  function authenticate(handshake: Handshake): Verdict | Promise<Verdict> {
    const verdict = handshake.policy.authentication.authenticate(handshake.request)
    if (!isThenable(verdict)) return identify(verdict)
    handshake.asking = '`authenticate`'
    return verdict.then(identify)

    function identify(said: Awaited<typeof verdict>): Verdict {
      handshake.asking = undefined
      if (said.refused)
        return said.fault
          ? unanswered(said.reason, causeOf(said))
          : refuse('SWS_UNAUTHENTICATED', said.reason, { forgottenBy: said.forgottenBy })
      handshake.signedIn = said.signedIn
      handshake.method = said.method
      return denied(said.signedIn, handshake.since)
    }
  }

  function reserveSession(handshake: Handshake): Verdict | Promise<Verdict> {
    const { signedIn, places, policy } = handshake
    if (signedIn === null) return undefined
    const reservation = caps.reserve(signedIn.identity, policy.limits)
    return isThenable(reservation) ? reservation.then(settle) : settle(reservation)

    function settle({ place, refusal }: IdentityReservation): Verdict {
      if (place === undefined) return refusal
      places.hold(place)
      handshake.place = place
      return undefined
    }
  }

  function selectProtocol(handshake: Handshake): Verdict {
    const { facts, policy } = handshake
    const offered = facts.protocols ?? []
    const credentials = policy.authentication.credentialProtocols(offered)
    const chosen = chooseProtocol(
      offered.filter((name) => !credentials.includes(name)),
      policy.protocols,
    )
    if (chosen.refusal !== undefined) return chosen.refusal
    handshake.protocol = chosen.protocol
    if (policy.passesOn === true) return undefined
    if (policy.protocols === undefined && chosen.protocol === undefined && offered.length > credentials.length) {
      const others = offered.filter((name) => !credentials.includes(name))
      const { log, routeOptions } = handshake.request
      surroundings.tell({ about: 'sub-protocol', route: routeOptions.url, text: () => undeclaredProtocol(others) }, log)
    }
    return undefined
  }

  function validate(handshake: Handshake): Verdict | Promise<Verdict> {
    const checked = checkRouteSchema(handshake.request)
    return isThenable(checked) ? checked.then(settle) : settle(checked)

    function settle({ refusal, restore }: SchemaVerdict): Verdict {
      handshake.restoreRequest = restore
      return refusal
    }
  }

  function authorize({ policy, signedIn, request }: Handshake): Verdict | Promise<Verdict> {
    if (policy.authorize === undefined) return undefined
    const threw = (error: unknown) => failed(error, '`authorize`')
    try {
      const allowed = policy.authorize(signedIn?.session ?? null, request)
      return isThenable(allowed) ? allowed.then(permit, threw) : permit(allowed)
    } catch (error) {
      return threw(error)
    }
  }

  /** Race: revoked while a step waited. Asked again after each wait, and once more when the socket joins its identity. */
  function denied(signedIn: SignedIn | null, since: number): Verdict {
    if (signedIn === null || !surroundings.isDenied(signedIn.identity, since)) return undefined
    return refuse('SWS_UNAUTHENTICATED', 'the session, its user or its token was revoked')
  }

  function run(handshake: Handshake, from: number): Verdict | Promise<Verdict> {
    for (let index = from; index < steps.length; index++) {
      const verdict = steps[index]?.(handshake)
      if (isThenable(verdict)) {
        return verdict.then((late) => {
          // The client has reset, or the deadline has answered: whatever was reserved went with the stream.
          if (handshake.stream.destroyed || handshake.reply.sent) return undefined
          return late ?? run(handshake, index + 1)
        })
      }
      if (verdict !== undefined) return verdict
    }
    return undefined
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
    audit(
      {
        type: 'handshake.refused',
        code: refusal.code,
        reason: refusal.reason,
        route: request.routeOptions.url,
        address: facts.address,
        origin: facts.origin,
      },
      request.log,
    )
    if (refusal.cause !== undefined) {
      surroundings.thrown(refusal.cause, {
        log: request.log,
        secrets: credentialTexts(request),
        fields: { code: refusal.code, route: request.routeOptions.url },
      })
    }
    const { code: about, status } = refusal
    const text = () => adviceOn(refusal, situationOf(request, readFacts(request), policyOf(request)?.authentication))
    surroundings.tell({ about, status, route: request.routeOptions.url, text }, request.log)
    if (request.is404 || policyOf(request) === undefined) surroundings.headersOnRefusal(reply)
    reply
      .code(refusal.status)
      .headers({ ...hopHeaders(request, refusal), 'cache-control': 'no-store', [codeHeader]: refusal.code })
      .type('application/json; charset=utf-8')
      .send(JSON.stringify(refusalBody(refusal)))
  }

  /**
   * The last word before the 101. The application's own hooks may have waited since the guard admitted: the server may have
   * begun to drain meanwhile, or the session have been revoked.
   */
  function lastLook(request: FastifyRequest, reply: FastifyReply, done: () => void): void {
    // Here and not in the guard: a hook of the application may have an answer of its own for a plain request.
    if (!request.ws && request.method === 'GET' && surroundings.isSocketOnly(request)) {
      answer(request, reply, readFacts(request), upgradeRequired)
      return
    }
    const admitted = request.ws ? surroundings.admissions.of(request.raw) : undefined
    const refusal = admitted && (unavailable(admitted.signedIn !== null) ?? denied(admitted.signedIn, admitted.since))
    if (admitted === undefined || refusal === undefined) done()
    else answer(request, reply, admitted, refusal)
  }

  const behind = away('nobody listens for upgrades behind this guard')
  const nobodyBehind = (request: FastifyRequest, reply: FastifyReply) =>
    answer(request, reply, readFacts(request), behind)

  return { guard, lastLook, nobodyBehind }

  function guard(request: FastifyRequest, reply: FastifyReply, done: () => void): void {
    if (!request.ws) {
      done()
      return
    }
    const since = uptime()
    const { raw } = request
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
      turnAway(request, reply, facts, checkHandshakeShape(facts, true) ?? notASocketRoute(request))
      return
    }
    const handshake: Handshake = {
      request,
      reply,
      stream,
      facts,
      policy,
      since,
      places: new Places(stream),
      signedIn: null,
      place: undefined,
      method: 'anonymous',
      protocol: undefined,
      asking: undefined,
      restoreRequest: () => {},
    }

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
        request: policy.socket.needsRequest ? request : letGo,
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
      if (stream.destroyed || reply.sent) return
      if (refusal === undefined) admit()
      else turnAway(request, reply, facts, refusal)
    }
    try {
      const verdict = run(handshake, 0)
      if (isThenable(verdict)) verdict.then(conclude, (error: unknown) => conclude(failed(error)))
      else conclude(verdict)
    } catch (error) {
      conclude(failed(error))
    }
  }
}

/** In the place of a request that nobody asks about: an idle socket would keep it, its reply and its headers alive. */
const letGo = Object.freeze({})

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
function hopHeaders({ raw: { httpVersionMajor } }: FastifyRequest, { headers }: Refusal): Refusal['headers'] {
  if (httpVersionMajor !== 2) return { ...headers, connection: 'close' }
  const { upgrade: _upgrade, ...rest } = headers ?? {}
  return rest
}

function readFacts(request: FastifyRequest, address = clientAddress(request)): HandshakeFacts {
  return readHandshake(request.raw, { trusted: peerIsTrusted(request), address })
}
