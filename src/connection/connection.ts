import type { EventEmitter } from 'node:events'
import { CloseCode } from '../errors.ts'
import type { InboundPolicy } from '../inbound/inbound.ts'
import type { RefusedMessage } from '../inbound/verdict.ts'
import { type EncodeMode, encodeOutgoing, encodeOwn, type OutboundPolicy } from '../outbound/outbound.ts'
import { SharedFrame } from '../outbound/shared-frame.ts'
import type { Identities } from '../rooms/identities.ts'
import type { Member, Rooms } from '../rooms/rooms.ts'
import type { Session } from '../session/session.ts'
import type { Audit, AuditEntry, AuditLogger } from '../telemetry/audit.ts'
import { closeReason } from './close.ts'
import { checkLife, type LifeLimits } from './life.ts'
import { Receiving } from './receiving.ts'
import { closedError, type FrameOptions, type SendCallback, Sending, type Wire } from './sending.ts'
import type { Sweep } from './sweep.ts'

export interface ConnectionLimits extends LifeLimits {
  readonly handshake: number
  readonly messageBytes: number
  readonly inboundQueue: number
  readonly outboundBytes: number
}

/** What a route decided about its sockets, compiled once when the route was declared. */
export interface SocketPolicy {
  readonly route: string
  readonly inbound: InboundPolicy
  /** Declared message types; `undefined` on a raw route. */
  readonly types: ReadonlySet<string> | undefined
  readonly binary: boolean
  readonly outbound: OutboundPolicy
  readonly encode: EncodeMode
  readonly limits: ConnectionLimits
  /** What happens when a client reads too slowly: 1013, or the message is dropped and the socket stays. */
  readonly slowReader: 'close' | 'drop'
}

/** A handshake that passed every check: what its socket is made of. */
export interface Admitted {
  readonly session: Session | null
  readonly policy: SocketPolicy
  readonly request: object
  readonly log: AuditLogger
  readonly method: string
  readonly address: string | undefined
  readonly origin: string | undefined
  readonly protocol: string | undefined
  readonly startedAt: number
  /** The stream is a socket now: the handshake's clock stops. */
  opened(): void
}

/** What the sockets of one server share. */
export interface Surroundings {
  readonly now: () => number
  readonly audit: Audit
  readonly expiryGrace: number
  readonly rooms: Rooms<Connection>
  readonly identities: Identities<Connection>
  readonly sweep: Sweep<Connection>
  /** Asked after the identity rooms were joined: a revocation from during the handshake is found here. */
  readonly isDenied: (session: Session) => boolean
  readonly onClosed: (connection: Connection) => void
}

/** The rest of what a connection needs of a WebSocket. */
export interface LifeWire extends Wire {
  readonly reading: boolean
  /** Has the receiver begun something that is not complete? */
  readonly midMessage: boolean
  /** Bytes the kernel has taken, ever; `undefined` where the stream does not count. */
  readonly written: number | undefined
  hold(): void
  release(): void
  ping(payload: Buffer): void
  /** Starts the closing handshake; ends by itself, answered or not, after ws's `closeTimeout`. */
  closeFrame(code: number, reason: string): void
  terminate(): void
}

/** So many faults of listeners within a minute are no accident any more. */
const faultsPerMinute = 5

/** The life of one socket, from the 101 to the last byte. `SecureWebSocket` is its public face; this is its state. */
export class Connection implements Member {
  readonly id: string
  readonly admitted: Admitted
  readonly openedAt: number
  session: Session | null
  readonly #wire: LifeWire
  readonly #surroundings: Surroundings
  readonly #sending: Sending
  readonly #receiving: Receiving
  #ended: CloseCode | number | undefined
  #lastMessageAt: number
  #pingedAt: number
  #awaitedPong: Buffer | undefined
  #pings = 0
  #partialSince: number | undefined
  #mark: { readonly at: number; readonly position: number } | undefined
  #faults: number[] | undefined

  constructor(id: string, socket: EventEmitter, wire: LifeWire, admitted: Admitted, surroundings: Surroundings) {
    const { policy, session, request } = admitted
    const { limits } = policy
    this.id = id
    this.admitted = admitted
    this.session = session
    this.#wire = wire
    this.#surroundings = surroundings
    this.openedAt = this.#lastMessageAt = this.#pingedAt = surroundings.now()
    this.#sending = new Sending({
      wire,
      outboundBytes: limits.outboundBytes,
      onSlow: (reason) => this.#slow(reason),
      onSent: () => this.#touch(),
    })
    this.#receiving = new Receiving({
      socket,
      policy: policy.inbound,
      types: policy.types,
      binary: policy.binary,
      session,
      request,
      now: surroundings.now,
      queue: { frames: limits.inboundQueue, bytes: limits.messageBytes },
      hold: () => wire.hold(),
      release: () => wire.release(),
      answer: (message) => this.#sending.deliver(this.#own(message)),
      onRefused: (refusal, tooMany) => this.#refused(refusal, tooMany),
      onFault: (error, messageType) => this.fault(error, messageType),
    })
    admitted.opened()
    surroundings.sweep.add(this)
    surroundings.identities.enter(this)
    this.audit({ type: 'handshake.accepted', durationMs: this.openedAt - admitted.startedAt, method: admitted.method })
    // Race: revoked while the handshake ran. The identity rooms are joined, so a later revocation finds this socket;
    // an earlier one is found now. Both in one turn: there is no gap between them.
    if (session !== null && surroundings.isDenied(session)) this.end(CloseCode.Unauthorized, 'revoked meanwhile')
  }

  /** True once the end has begun: nothing is delivered to a listener and nothing sent any more. */
  get ended(): boolean {
    return this.#ended !== undefined
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
    options: (FrameOptions & { encode?: EncodeMode | undefined }) | undefined,
    callback?: SendCallback,
  ): void {
    if (this.#isOver()) {
      if (callback !== undefined) process.nextTick(callback, closedError())
      return
    }
    const outgoing = encodeOutgoing(value, this.outbound, options?.encode)
    this.#sending.send(outgoing, options, callback, (error) => this.outputRefused(error))
  }

  /** A payload that was encoded for all members of an audience. */
  deliver(frame: SharedFrame | Promise<SharedFrame | undefined>): void {
    if (!this.#isOver()) this.#sending.deliver(frame)
  }

  outputRefused(error: unknown): void {
    this.audit({ type: 'output.refused', reason: reasonOf(error) })
  }

  // --- in ---

  frame(bytes: Buffer, isBinary: boolean): void {
    if (this.#isOver()) return
    this.#touch()
    this.#partialSince = undefined
    this.#receiving.frame(bytes, isBinary)
  }

  ping(): void {
    if (!this.ended) this.#receiving.controlFrame()
  }

  /** RS-02: a pong counts as a sign of life only when it answers our ping. */
  pong(payload: Buffer): void {
    if (this.ended) return
    if (this.#awaitedPong?.equals(payload)) this.#awaitedPong = undefined
    else this.#receiving.controlFrame()
  }

  listenerAdded(event: string): void {
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
    const { log } = this.admitted
    log.error({ err: error, socket: this.id, messageType }, 'fastify-secure-ws: a listener threw')
    this.audit({ type: 'message.failed', code: 'SWS_INTERNAL', reason: nameOf(error), messageType })
    const now = this.#surroundings.now()
    this.#faults = [...(this.#faults ?? []).filter((at) => now - at < 60_000), now]
    if (this.#faults.length >= faultsPerMinute) this.end(CloseCode.InternalError, 'listeners kept failing')
  }

  /** The handler itself failed: nobody will ever listen on this socket. */
  handlerFailed(error: unknown): void {
    this.fault(error)
    this.end(CloseCode.InternalError, 'the handler failed')
  }

  // --- time ---

  /** Called by the one timer of the server. */
  sweep(now: number): void {
    if (this.ended) return
    const { limits } = this.admitted.policy
    // A handler that never listens must still see the other side go.
    if (now - this.openedAt >= limits.handshake) this.#receiving.open()
    this.#partialSince = this.#wire.midMessage ? (this.#partialSince ?? now) : undefined
    this.#measureWriting(now)
    const verdict = checkLife(
      {
        openedAt: this.openedAt,
        expiresAt: this.#expiresAt(),
        lastMessageAt: this.#lastMessageAt,
        pingedAt: this.#pingedAt,
        awaitingPong: this.#awaitedPong !== undefined,
        reading: this.#wire.reading,
        partialSince: this.#partialSince,
        write: { markedAt: this.#mark?.at },
      },
      limits,
      now,
    )
    if (verdict === undefined) return
    if (verdict.kind === 'ping') this.#beat(now)
    else if (verdict.kind === 'slow') this.#stalled(verdict.reason)
    else if (verdict.kind === 'close') this.end(verdict.code, verdict.reason)
    else this.end(verdict.code, verdict.reason, { terminate: true })
  }

  // --- the end ---

  /** Shuts the gate at once, in both directions, and starts the closing handshake. The first reason stays. */
  end(code: CloseCode, reason: string, how: { terminate?: boolean; retryAfter?: number } = {}): void {
    if (this.ended) return
    this.audit({ type: 'socket.closed', code, reason, durationMs: this.#surroundings.now() - this.openedAt })
    this.gate(code)
    if (how.terminate === true) this.#wire.terminate()
    else this.#wire.closeFrame(code, closeReason(code, how.retryAfter))
  }

  /** No listener is called and nothing is sent after this, however many frames are in flight (ws alone goes on for 30 s). */
  gate(code: number): void {
    this.#ended ??= code
    this.#receiving.end()
    this.#sending.clear()
    // The peer's close frame has to be read, whoever had paused the reader.
    this.#receiving.open()
  }

  terminate(): void {
    this.end(CloseCode.ServiceRestart, 'terminated')
    this.#wire.terminate()
  }

  /** The TCP connection is gone: everything this socket had taken is given back. */
  closed(code: number): void {
    if (!this.ended) {
      this.audit({ type: 'socket.closed', code, durationMs: this.#surroundings.now() - this.openedAt })
      this.gate(code)
    }
    const { sweep, identities, rooms, onClosed } = this.#surroundings
    sweep.delete(this)
    identities.leave(this)
    rooms.forget(this)
    onClosed(this)
  }

  audit(entry: AuditEntry): void {
    const { session, admitted } = this
    this.#surroundings.audit(
      {
        route: admitted.policy.route,
        socket: this.id,
        ...entry,
        sessionId: session?.id,
        user: session?.userId,
        address: admitted.address,
        origin: admitted.origin,
      },
      admitted.log,
    )
  }

  /** The gate for whatever is sent or received: a session that is over is over now, not at the next sweep (SE-04). */
  #isOver(): boolean {
    if (this.ended) return true
    const expiresAt = this.#expiresAt()
    if (expiresAt === undefined || this.#surroundings.now() < expiresAt) return false
    this.end(CloseCode.Unauthorized, 'the session expired')
    return true
  }

  #expiresAt(): number | undefined {
    const expiresAt = this.session?.expiresAt
    return expiresAt === undefined ? undefined : expiresAt + this.#surroundings.expiryGrace
  }

  #own(message: object): SharedFrame {
    return new SharedFrame({ payload: encodeOwn(message, this.admitted.policy.encode), binary: false })
  }

  #touch(): void {
    this.#lastMessageAt = this.#surroundings.now()
  }

  #beat(now: number): void {
    // Unpredictable enough: a pong that comes without its ping must not match the next one.
    const payload = Buffer.from(`${this.id.slice(0, 8)}${this.#pings++}`)
    this.#pingedAt = now
    this.#awaitedPong = payload
    this.#wire.ping(payload)
  }

  #measureWriting(now: number): void {
    const { written, waiting } = this.#wire
    if (written === undefined || waiting === 0) this.#mark = undefined
    else if (this.#mark === undefined || written >= this.#mark.position) {
      this.#mark = { at: now, position: written + waiting }
    }
  }

  #refused(refusal: RefusedMessage, tooMany: boolean): void {
    const { code, reason, messageType, cause } = refusal
    this.audit({ type: 'message.refused', code, reason, messageType })
    if (cause !== undefined)
      this.admitted.log.error({ err: cause, socket: this.id }, 'fastify-secure-ws: a check threw')
    if (refusal.close !== undefined) this.end(refusal.close, reason)
    else if (tooMany) this.end(CloseCode.PolicyViolation, 'too many refused messages (limits.refusals)')
  }

  #slow(reason: string): void {
    if (this.admitted.policy.slowReader === 'drop')
      this.audit({ type: 'output.refused', code: 'SWS_SLOW_READER', reason })
    else this.end(CloseCode.TryAgainLater, reason)
  }

  /** What already waits cannot be dropped, it may be half in the kernel: a reader that has stalled is closed either way. */
  #stalled(reason: string): void {
    this.end(CloseCode.TryAgainLater, reason)
  }
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : typeof error
}

/** Our own errors say what is wrong and quote nothing; of others, only the name is safe to repeat. */
function reasonOf(error: unknown): string {
  return error instanceof Error && error.name === 'SecureWsError' ? error.message : nameOf(error)
}
