import type { EventEmitter } from 'node:events'
import { CloseCode, SecureWsError } from '../errors.ts'
import type { RefusedMessage } from '../inbound/verdict.ts'
import { type EncodeMode, encodeOption, encodeOutgoing, encodeOwn, type OutboundPolicy } from '../outbound/outbound.ts'
import { SharedFrame } from '../outbound/shared-frame.ts'
import type { Member } from '../rooms/rooms.ts'
import type { Identity, SignedIn } from '../session/identity.ts'
import type { Session } from '../session/session.ts'
import type { AuditEntry } from '../telemetry/audit.ts'
import { failureOf, logThrown, nameOfThrown } from '../telemetry/thrown.ts'
import { isThenable } from '../thenable.ts'
import type { Admitted, LifeWire, Surroundings } from './admitted.ts'
import { closeReason } from './close.ts'
import { checkLifetime, Life, type LifeVerdict } from './life.ts'
import { Receiving, type ReceivingHost } from './receiving.ts'
import { Rights } from './rights.ts'
import { closedError, type FrameOptions, type SendCallback, Sending, type SendingHost } from './sending.ts'
import type { Tick } from './sweep.ts'

/** So many faults of listeners within a minute are no accident any more. */
const faultsPerMinute = 5

/** The life of one socket, from the 101 to the last byte. `SecureWebSocket` is its public face; this is its state. */
export class Connection implements Member, ReceivingHost, SendingHost {
  readonly id: string
  readonly socket: EventEmitter
  readonly wire: LifeWire
  readonly admitted: Admitted
  /** In ms since the epoch: what other machines say about a session is compared with it. */
  readonly openedAt: number
  /** The same moment on the clock that nobody can set. */
  readonly since: number
  /** Replaced as a whole when the session is asked about again; its `identity` is the copy that everything here goes by. */
  signedIn: SignedIn | null
  readonly #surroundings: Surroundings
  readonly #sending: Sending
  readonly #receiving: Receiving
  readonly #rights: Rights
  readonly #life: Life
  #endedWith: number | undefined
  #reported = false
  #faults: number[] | undefined

  constructor(id: string, socket: EventEmitter, wire: LifeWire, admitted: Admitted, surroundings: Surroundings) {
    const { policy, signedIn, method } = admitted
    const { limits } = policy
    this.id = id
    this.admitted = admitted
    this.signedIn = signedIn
    this.socket = socket
    this.wire = wire
    this.#surroundings = surroundings
    this.openedAt = surroundings.now()
    this.since = surroundings.uptime()
    this.#life = new Life(id)
    this.#sending = new Sending(this, limits.outboundBytes)
    this.#receiving = new Receiving(this)
    this.#rights = new Rights(this, surroundings)
    admitted.clock.release()
    surroundings.sweep.add(this)
    surroundings.identities.enter(this)
    this.audit({ type: 'handshake.accepted', durationMs: wholeMs(this.since - admitted.since), method })
    // Race: revoked while the handshake ran. The identity rooms are joined, so a later revocation finds this socket;
    // an earlier one is found now. Both in one turn: there is no gap between them.
    if (signedIn !== null && surroundings.isDenied(signedIn.identity, admitted.since))
      this.end(CloseCode.Unauthorized, 'revoked meanwhile')
    else if (signedIn !== null && surroundings.isStale(signedIn.identity, admitted.since))
      surroundings.revalidation.request(this, true)
  }

  /** The application's own object, for its handlers. */
  get session(): Session | null {
    return this.signedIn?.session ?? null
  }

  get identity(): Identity | null {
    return this.signedIn?.identity ?? null
  }

  now(): number {
    return this.#surroundings.now()
  }

  uptime(): number {
    return this.#surroundings.uptime()
  }

  /** True once the end has begun: nothing is delivered to a listener and nothing sent any more. */
  get ended(): boolean {
    return this.#endedWith !== undefined
  }

  get outbound(): OutboundPolicy {
    return this.admitted.policy.outbound
  }

  get rooms(): ReadonlySet<string> {
    return this.#surroundings.rooms.of(this)
  }

  // --- out ---

  /** @throws SecureWsError for what cannot be encoded, or is not declared: nothing of it is sent. */
  send(
    value: unknown,
    options: (FrameOptions & { encode?: EncodeMode | undefined; binary?: boolean | undefined }) | undefined,
    callback?: SendCallback,
  ): void {
    if (this.#isOver()) {
      if (callback !== undefined) process.nextTick(this.contained(callback), closedError())
      return
    }
    const outgoing = encodeOutgoing(value, this.outbound, encodeOption(options), options?.binary)
    this.#sending.send(outgoing, options, callback && this.contained(callback), (error) => this.outputRefused(error))
  }

  /** A callback that throws is the application's fault on this socket: it ends neither the process nor other callbacks. */
  contained<E>(callback: (error: E) => unknown): (error: E) => void {
    const failed = (thrown: unknown) => this.fault(thrown)
    return (error) => {
      try {
        const said = callback(error)
        if (isThenable(said)) said.then(undefined, failed)
      } catch (thrown) {
        failed(thrown)
      }
    }
  }

  /** A payload that was encoded for all members of an audience. */
  deliver(frame: SharedFrame | Promise<SharedFrame | undefined>): void {
    if (!this.#isOver()) this.#sending.deliver(frame)
  }

  /** A reply, an error or a notice of our own. @throws SecureWsError for a value that cannot be encoded */
  answer(message: object | Promise<object>): void {
    const { encode } = this.admitted.policy
    const framed = (ready: object) => new SharedFrame({ payload: encodeOwn(ready, encode), binary: false })
    const refused = (error: unknown) => {
      this.outputRefused(error)
      return undefined
    }
    this.deliver(message instanceof Promise ? message.then(framed).then(undefined, refused) : framed(message))
  }

  /** A question to the application failed; whoever asked it has given the answer that lets nobody in. */
  askingFailed(error: unknown, asked: string): void {
    this.#logThrown(error, `${asked} threw`, undefined)
  }

  outputRefused(error: unknown): void {
    this.audit({ type: 'output.refused', reason: reasonOf(error) })
  }

  sent(): void {
    this.#life.sent()
  }

  slow(reason: string): void {
    if (this.admitted.policy.slowReader === 'drop')
      this.audit({ type: 'output.refused', code: 'SWS_SLOW_READER', reason })
    else this.end(CloseCode.TryAgainLater, reason)
  }

  // --- in ---

  frame(bytes: Buffer, isBinary: boolean): void {
    if (this.#isOver()) return
    this.#life.received()
    this.wire.gather()
    try {
      this.#receiving.frame(bytes, isBinary)
    } finally {
      this.wire.gathered()
    }
  }

  ping(): void {
    if (!this.ended) this.#receiving.controlFrame()
  }

  pong(payload: Buffer): void {
    if (!this.ended && !this.#life.answered(payload)) this.#receiving.controlFrame()
  }

  refused(refusal: RefusedMessage): void {
    const { code, reason, messageType, cause } = refusal
    this.audit({ type: 'message.refused', code, reason, messageType })
    if (cause !== undefined) this.#logThrown(cause, 'a check threw', messageType)
    if (refusal.close !== undefined) this.end(refusal.close, reason)
  }

  listenerAdded(event: string): void {
    this.admitted.policy.noteListener(event)
    this.#receiving.listenerAdded(event)
  }

  handlerSettled(): void {
    for (const type of this.#receiving.handlerSettled()) {
      this.admitted.log.warn(
        { route: this.admitted.policy.route, messageType: type },
        `fastify-secure-ws: \`receives.${type}\` is declared, but the handler attached no listener: socket.on('${type}', ...)`,
      )
    }
  }

  /** A listener or the handler failed. The client learns nothing of it, the log everything. */
  fault(error: unknown, messageType?: string): void {
    this.#logThrown(error, 'a listener threw', messageType)
    this.audit({ type: 'message.failed', code: 'SWS_INTERNAL', reason: nameOfThrown(error), messageType })
    const now = this.#surroundings.uptime()
    this.#faults = [...(this.#faults ?? []).filter((at) => now - at < 60_000), now]
    if (this.#faults.length >= faultsPerMinute) this.end(CloseCode.InternalError, 'listeners kept failing')
  }

  /** A listener that does not settle is the application's fault, and has broken nothing. */
  silent(messageType: string): void {
    const reason = `a listener did not settle within ${this.admitted.policy.limits.listener} ms (limits.listener)`
    this.audit({ type: 'message.failed', code: 'SWS_TIMEOUT', reason, messageType })
  }

  /** A reset, a broken frame: ws has answered it, and the `close` that follows is reported. */
  socketFailed(error: unknown): void {
    this.audit({ type: 'socket.failed', ...failureOf(error) })
    this.admitted.log.debug({ err: error, socket: this.id }, 'fastify-secure-ws: a socket failed')
  }

  /** The handler itself failed: nobody will ever listen on this socket. */
  handlerFailed(error: unknown): void {
    this.fault(error)
    this.end(CloseCode.InternalError, 'the handler failed')
  }

  // --- rights ---

  revalidate(): Promise<void> {
    return this.#rights.revalidate()
  }

  reauthorize(): Promise<void> {
    return this.#rights.reauthorize()
  }

  refresh(token: string): Promise<boolean> {
    return this.#rights.refresh(token)
  }

  /** Out of one room, with a notice: the socket itself stays. */
  evict(room: string): void {
    this.#surroundings.rooms.leave(this, room)
    this.leftRoom(room)
  }

  leftRoom(room: string): void {
    this.audit({ type: 'room.left', room, reason: 'the grant ended' })
    this.answer({ type: 'left', room })
  }

  /** A new token has a new id: who revokes it must find this socket. */
  replaceSession(signedIn: SignedIn): void {
    this.#surroundings.identities.leave(this)
    this.signedIn = signedIn
    this.#surroundings.identities.enter(this)
  }

  /** Time or the session store has ended it; a revocation has an event of its own. */
  sessionEnded(reason: string): void {
    this.audit({ type: 'session.expired', reason })
    this.end(CloseCode.Unauthorized, reason)
  }

  // --- time ---

  /** Called by the one timer of the server. */
  sweep(tick: Tick): void {
    const { limits } = this.admitted.policy
    if (this.ended) {
      // ws starts its closing clock with a close frame of ours. After the peer's FIN there is none: a peer that says it has
      // finished, and reads nothing, would keep the socket and its place for ever.
      if (this.#life.outstayed(limits.writeTimeout, tick)) this.wire.terminate()
      return
    }
    // No timer of its own, so no 2^31 ms overflow: a silent listener is asked like everybody else (CS-8).
    if (this.#isOver()) return
    const open = tick.uptime - this.since
    // A handler that never settles and never listens must still see the other side go.
    if (open >= limits.handshake) this.#receiving.openAtLast()
    if (this.#rights.isDueBeforeEnd(this.now())) this.#surroundings.revalidation.request(this, true)
    else if (tick.uptime >= this.#rights.dueAt) this.#surroundings.revalidation.request(this)
    this.#receiving.sweep(tick)
    this.#carryOut(checkLifetime(open, limits.lifetime) ?? this.#life.verdict(this.wire, limits, tick))
  }

  #carryOut(verdict: LifeVerdict | undefined): void {
    if (verdict === undefined) return
    if (verdict.kind === 'ping') this.wire.ping(verdict.payload)
    // What already waits cannot be dropped, it may be half in the kernel: a reader that has stalled is closed either way.
    else if (verdict.kind === 'slow') this.end(CloseCode.TryAgainLater, verdict.reason)
    else this.end(verdict.code, verdict.reason, { terminate: verdict.kind === 'terminate' })
  }

  // --- the end ---

  /** Shuts the gate at once, in both directions, and starts the closing handshake. The first reason stays. */
  end(code: CloseCode, reason: string, how: { terminate?: boolean; retryAfter?: number } = {}): void {
    if (this.ended) return
    this.#report(code, reason)
    this.gate(code)
    if (how.terminate === true) this.wire.terminate()
    else this.wire.closeFrame(code, closeReason(code, how.retryAfter))
  }

  /** No listener is called and nothing is sent after this, however many frames are in flight (ws alone goes on for 30 s). */
  gate(code: number): void {
    this.#endedWith ??= code
    this.#receiving.end()
    this.#sending.clear()
    // The peer's close frame has to be read, whoever had paused the reader.
    this.#receiving.open()
  }

  terminate(): void {
    this.end(CloseCode.ServiceRestart, 'terminated')
    this.wire.terminate()
  }

  /** The TCP connection is gone: everything this socket had taken is given back. */
  closed(code: number): void {
    this.gate(code)
    this.#report(this.#endedWith ?? code)
    const { sweep, identities, rooms } = this.#surroundings
    sweep.delete(this)
    identities.leave(this)
    rooms.forget(this)
  }

  audit(entry: AuditEntry): void {
    if (!this.#surroundings.isHeard()) return
    const { identity, admitted } = this
    this.#surroundings.audit(
      {
        route: admitted.policy.route,
        socket: this.id,
        ...entry,
        sessionId: identity?.sessionId,
        user: identity?.userId,
        address: admitted.address,
        origin: admitted.origin,
      },
      admitted.log,
    )
  }

  /** Once per socket, whoever ended it: we, the application, the client, or ws for a broken frame. */
  #report(code: number, reason?: string): void {
    if (this.#reported) return
    this.#reported = true
    this.audit({ type: 'socket.closed', code, reason, durationMs: wholeMs(this.uptime() - this.since) })
  }

  /** The gate for whatever is sent or received: a session that is over is over now, not at the next sweep (SE-04). */
  #isOver(): boolean {
    if (this.ended) return true
    const expiresAt = this.#expiresAt()
    if (expiresAt === undefined || this.#surroundings.now() < expiresAt) return false
    this.sessionEnded('the session expired')
    return true
  }

  #expiresAt(): number | undefined {
    const expiresAt = this.identity?.expiresAt
    return expiresAt === undefined ? undefined : expiresAt + this.#surroundings.expiryGrace
  }

  #logThrown(error: unknown, what: string, messageType: string | undefined): void {
    const { session, admitted } = this
    const secrets = [session?.id, session?.tokenId].filter((secret) => secret !== undefined)
    const fields = { route: admitted.policy.route, socket: this.id, messageType }
    logThrown(admitted.log, error, fields, `fastify-secure-ws: ${what}`, secrets)
  }
}

/** Our own errors say what is wrong and quote nothing; of others, only the name is safe to repeat. */
function reasonOf(error: unknown): string {
  return error instanceof SecureWsError ? error.message : nameOfThrown(error)
}

/** As events show it. */
function wholeMs(duration: number): number {
  return Math.round(duration)
}
