import type { EventEmitter } from 'node:events'
import { CloseCode, SecureWsError } from '../errors.ts'
import type { RefusedMessage } from '../inbound/verdict.ts'
import { latestOption } from '../outbound/latest.ts'
import { encodeOption, encodeOutgoing, encodeOwn, type OutboundPolicy, type Outgoing } from '../outbound/outbound.ts'
import { reasonOfRefused } from '../outbound/schema.ts'
import { SharedFrame } from '../outbound/shared-frame.ts'
import { type Underway, underway } from '../outbound/underway.ts'
import type { SignedIn } from '../session/identity.ts'
import { failureOf } from '../telemetry/thrown.ts'
import type { Admitted } from './admitted.ts'
import { closeReason, noCode } from './close.ts'
import { ExpiryNotice } from './expiry-notice.ts'
import { HeldSocket } from './held-socket.ts'
import { checkLifetime, Life, type LifeVerdict } from './life.ts'
import { containedCallback } from './listeners.ts'
import { Listening } from './listening.ts'
import { closed, closing, hasEnded, opened, opening, type Phase } from './phase.ts'
import type { Port, SendCallback, SendOptions } from './port.ts'
import { Receiving, type ReceivingHost } from './receiving.ts'
import { typeOfRefusal } from './report.ts'
import type { Requests } from './requests.ts'
import { closedError, Sending, type SendingHost } from './sending.ts'
import type { Surroundings } from './surroundings.ts'
import type { Tick } from './sweep.ts'
import { ownLabel, watchSent } from './watched.ts'

/** The life of one socket, from the 101 to the last byte. `SecureWebSocket` is its public face; this is its state. */
export class Connection extends HeldSocket implements ReceivingHost, SendingHost {
  readonly socket: EventEmitter
  readonly wire: Port
  readonly listening = new Listening()
  // Made by the first message either way, and by the first visit of the sweep: most sockets are idle, and many are soon gone.
  #sending: Sending | undefined
  #receiving: Receiving | undefined
  #life: Life | undefined
  requests: Requests | undefined
  #phase: Phase = opening
  /** The next visit of the sweep that has something to look at. */
  #nextRound = 0
  /** Only where the session has an end. */
  #notice: ExpiryNotice | undefined

  constructor(makeId: () => string, socket: EventEmitter, wire: Port, admitted: Admitted, surroundings: Surroundings) {
    super(makeId, admitted, surroundings)
    this.socket = socket
    this.wire = wire
    wire.owner = this
    // Nothing is read while the handler is at work: early frames wait in the kernel, neither lost nor early.
    wire.block('opening')
    this.begin()
  }

  /** True once the end has begun: nothing is delivered to a listener and nothing sent any more. */
  get ended(): boolean {
    return hasEnded(this.#phase)
  }

  open(): void {
    this.#phase = opened(this.#phase)
    this.wire.unblock('opening')
  }

  get outbound(): OutboundPolicy {
    return this.admitted.policy.outbound
  }

  get rooms(): ReadonlySet<string> {
    return this.surroundings.rooms.of(this)
  }

  get #in(): Receiving {
    this.#receiving ??= new Receiving(this)
    return this.#receiving
  }

  get #out(): Sending {
    this.#sending ??= new Sending(this, this.admitted.policy)
    return this.#sending
  }

  /** @throws SecureWsError for what cannot be encoded, or is not declared: nothing of it is sent. */
  send(value: unknown, options: SendOptions | undefined, callback?: SendCallback): void {
    const key = latestOption(options)
    if (this.#isOver()) {
      if (callback !== undefined) process.nextTick(this.contained(callback), closedError())
      return
    }
    const outgoing = this.#encoded(value, options)
    if (this.observer !== undefined) watchSent(this, outgoing, value)
    this.#out.send(outgoing, options, callback && this.contained(callback), key)
  }

  /** The application is told by what is thrown, which it may have caught; the operator, by an event. */
  #encoded(value: unknown, options: SendOptions | undefined): Outgoing | Underway<Outgoing> {
    try {
      return encodeOutgoing(value, this.outbound, encodeOption(options), options?.binary)
    } catch (error) {
      this.outputRefused(error)
      throw error
    }
  }

  /** A callback that throws is the application's fault on this socket: it ends neither the process nor other callbacks. */
  contained<E>(callback: (error: E) => unknown): (error: E) => void {
    return containedCallback(callback, (thrown) => this.fault(thrown))
  }

  /** A payload that was encoded for all members of an audience. */
  deliver(frame: SharedFrame | Underway<SharedFrame | undefined>, key?: string): void {
    if (this.#isOver()) return
    if (this.observer !== undefined) watchSent(this, frame)
    this.#out.deliver(frame, key)
  }

  /** A reply, an error or a notice of our own. @throws SecureWsError for a value that cannot be encoded */
  answer(message: object | Underway<object>): void {
    if (this.#isOver()) return
    const { encode } = this.admitted.policy
    const framed = (ready: object) =>
      new SharedFrame({ payload: encodeOwn(ready, encode), binary: false }, ownLabel(ready))
    this.deliver(message instanceof Promise ? underway(message.then(framed), message.bytes) : framed(message))
  }

  outputRefused(error: unknown): void {
    const code = error instanceof SecureWsError ? error.code : undefined
    this.audit({ type: 'output.refused', code, reason: reasonOfRefused(error) })
    // A failure of ours, and not of what was to be sent: an event has no place for its cause.
    if (code === 'SWS_INTERNAL') this.report.thrown(error, 'a message could not be made')
  }

  outputLost(count: number): void {
    const reason = `${count} accepted and not sent: the socket ended before their turn`
    this.audit({ type: 'output.refused', code: 'SWS_CLOSED', reason, count })
  }

  /** Bytes that were accepted and are not in the kernel. */
  get waiting(): number {
    return this.wire.waiting + (this.#sending?.waiting ?? 0)
  }

  /** Messages that were read and wait for a listener. */
  get unheard(): number {
    return this.#receiving?.inbox.length ?? 0
  }

  get inWire(): number {
    return this.wire.waiting
  }

  get queued(): number {
    return (this.#sending?.waiting ?? 0) + (this.#receiving?.inbox.bytes ?? 0)
  }

  kept(bytes: number): void {
    this.surroundings.memory.add(bytes)
  }

  /** The close frame waits behind what was sent before it. */
  get finishing(): boolean {
    return this.#sending?.finishing === true
  }

  sent(): void {
    this.#life?.sent()
  }

  outputDropped(reason: string): void {
    this.audit({ type: 'output.refused', code: 'SWS_SLOW_READER', reason })
  }

  broken(reason: string): void {
    this.end(CloseCode.InternalError, reason)
  }

  slow(reason: string): void {
    this.end(CloseCode.TryAgainLater, reason)
  }

  frame(bytes: Buffer, isBinary: boolean): void {
    if (this.#isOver()) return
    this.#life?.received()
    this.wire.gather()
    try {
      this.#in.frame(bytes, isBinary)
    } catch (error) {
      this.failed(error)
    } finally {
      this.wire.gathered()
    }
  }

  /** As of every socket; here its client is told as well. */
  override failed(error: unknown): void {
    try {
      if (!this.ended && this.admitted.policy.types !== undefined) this.answer({ type: 'error', code: 'SWS_INTERNAL' })
    } catch {
      this.destroy()
    }
    super.failed(error)
  }

  protected destroy(): void {
    this.wire.terminate()
  }

  /** An event of ws, before its listeners hear of it. */
  happened(event: string, args: readonly unknown[]): void {
    try {
      if (event === 'close') this.closed(Number(args[0]))
      // Without a listener it would throw, as everywhere in Node: here it is the client's doing, and ws has answered it.
      else if (event === 'error') {
        this.audit({ type: 'socket.failed', ...failureOf(args[0]) })
        this.admitted.log.debug({ err: args[0], socket: this.id }, 'fastify-secure-ws: a socket failed')
      } else if (this.ended) return
      else if (event === 'ping') this.#in.controlFrame()
      else if (event === 'pong' && this.#life?.answered(args[0] as Buffer) !== true) this.#in.controlFrame()
    } catch (error) {
      this.failed(error)
    }
  }

  refused(refusal: RefusedMessage): void {
    const { code, reason, messageType, cause, isFault } = refusal
    this.audit({ type: typeOfRefusal(code), code, reason, messageType })
    if (isFault === true) this.fault(cause, messageType)
    else if (cause !== undefined) this.report.thrown(cause, 'a check threw', messageType)
    if (refusal.close !== undefined) this.end(refusal.close, reason)
  }

  listenerAdded(event: string): void {
    const { types, binary, noteListener } = this.admitted.policy
    noteListener(event)
    const awaited = types === undefined ? event === 'message' : types.has(event)
    if (awaited || (binary && event === 'binary')) this.open()
    this.listening.wake()
  }

  /**
   * The handler has returned, or its promise has settled: of declared types, whoever did not listen by now is missing. Reading
   * begins in any case, or a handler that only sends would not see its client go; raw frames wait here for a late listener.
   */
  handlerSettled(): void {
    this.open()
    this.listening.settled()
    for (const type of this.admitted.policy.types ?? []) {
      if (this.socket.listenerCount(type) === 0) this.report.deaf(type)
    }
  }

  /** A listener that does not settle is the application's fault, and has broken nothing. */
  silent(messageType: string): void {
    const reason = `a listener did not settle within ${this.admitted.policy.limits.listener} ms (limits.listener)`
    this.audit({ type: 'message.failed', code: 'SWS_TIMEOUT', reason, messageType })
  }

  /** The handler itself failed: nobody will ever listen on this socket. */
  handlerFailed(error: unknown): void {
    this.fault(error)
    this.end(CloseCode.InternalError, 'the handler failed')
  }

  reauthorize(): Promise<void> {
    return this.rights.reauthorize()
  }

  refresh(token: string): Promise<boolean> {
    return this.rights.refresh(token)
  }

  /** Tells the client that a right to be in a room was taken away: the socket itself stays. */
  leftRoom(room: string, reason = 'the grant ended'): void {
    this.audit({ type: 'room.left', room, reason })
    this.answer({ type: 'left', room })
  }

  sweep(tick: Tick): void {
    if (tick.round < this.#nextRound) return
    this.#life ??= new Life(this)
    const { limits } = this.admitted.policy
    if (this.ended) {
      // ws starts its closing clock with a close frame of ours. After the peer's FIN there is none: a peer that says it has
      // finished, and reads nothing, would keep the socket and its place for ever.
      if (!this.#life.outstayed(limits.writeTimeout, tick)) return
      if (this.finishing) this.#sending?.cut()
      else this.wire.terminate()
      return
    }
    // No timer of its own, so no 2^31 ms overflow: a silent listener is asked like everybody else (CS-8).
    if (this.#isOver()) return
    const open = tick.uptime - this.since
    // A handler that never settles and never listens must still see the other side go.
    if (open >= limits.handshake && !this.listening.late) {
      this.open()
      this.listening.timeIsUp()
    }
    this.#tellExpiry()
    this.rights.sweep(tick.uptime)
    this.#receiving?.sweep(tick)
    this.#carryOut(checkLifetime(open, limits.lifetime) ?? this.#life.verdict(this.wire, limits, tick))
    if (!this.ended) this.#nextRound = tick.round + Math.floor(this.#quiet(open, tick, this.#life) / tick.every)
  }

  /** How long there is nothing to look at, in ms. */
  #quiet(open: number, tick: Tick, life: Life): number {
    if (this.#receiving?.waits === true) return 0
    const { limits } = this.admitted.policy
    const untilLate = this.listening.late ? Number.POSITIVE_INFINITY : limits.handshake - open
    const untilTold = this.#notice?.quiet(this.now()) ?? Number.POSITIVE_INFINITY
    const ofSession = Math.min(untilTold, this.rights.quiet(tick.uptime))
    const ofTime = Math.min(untilLate, limits.lifetime - open, limits.listener / 3, life.quiet(limits, tick))
    return Math.max(0, Math.min(ofSession, ofTime))
  }

  override replaceSession(signedIn: SignedIn): void {
    super.replaceSession(signedIn)
    // The new one may end sooner.
    this.#nextRound = 0
  }

  /** A raw route speaks a protocol of its own, in which our JSON would be noise. */
  #tellExpiry(): void {
    const expiresAt = this.identity?.expiresAt
    if (expiresAt === undefined || this.admitted.policy.types === undefined) return
    this.#notice ??= new ExpiryNotice()
    const now = this.now()
    if (!this.#notice.isDue(expiresAt, now)) return
    this.answer({ type: 'expiring', in: Math.max(0, Math.round(expiresAt + this.surroundings.expiryGrace - now)) })
  }

  #carryOut(verdict: LifeVerdict | undefined): void {
    if (verdict === undefined) return
    if (verdict.kind === 'ping') this.wire.ping(verdict.payload)
    // What already waits cannot be dropped, it may be half in the kernel: a reader that has stalled is closed either way.
    else if (verdict.kind === 'slow') this.end(CloseCode.TryAgainLater, verdict.reason)
    else this.end(verdict.code, verdict.reason, { terminate: verdict.kind === 'terminate' })
  }

  /** Shuts the gate at once, in both directions, and starts the closing handshake. The first reason stays. */
  end(code: CloseCode, reason: string, how: { terminate?: boolean; retryAfter?: number } = {}): void {
    if (this.ended) {
      // Race: the application has closed, and what it had sent still waits. It does not wait for a right that is gone.
      if (this.finishing) this.#sending?.cut()
      return
    }
    this.reportEnd(code, reason)
    this.gate(code)
    if (how.terminate === true) this.wire.terminate()
    else this.wire.closeFrame(code, closeReason(code, how.retryAfter))
  }

  /** No listener is called and nothing is sent after this, however many frames are in flight (ws alone goes on for 30 s). */
  gate(code: number): void {
    this.#shut(code)
    this.#sending?.clear()
  }

  /** As the application closes, or the peer: what was sent before leaves before the close frame does, within `writeTimeout`. */
  close(code: number | undefined, reason: string | undefined): void {
    if (this.finishing) return
    if (this.ended) {
      this.wire.closeFrame(code, reason)
      return
    }
    this.#shut(code ?? noCode)
    this.#out.finish(() => this.wire.closeFrame(code, reason))
  }

  #shut(code: number): void {
    this.#phase = closing(this.#phase, code)
    this.#nextRound = 0
    this.#receiving?.end()
    this.requests?.end()
    this.listening.wake()
    // The peer's close frame has to be read, whoever had paused the reader.
    this.wire.unblock('opening')
    this.wire.unblock('queue')
    this.wire.unblock('application')
  }

  terminate(): void {
    this.end(CloseCode.ServiceRestart, 'terminated')
    this.wire.terminate()
  }

  /** The TCP connection is gone: everything this socket had taken is given back. */
  closed(code: number): void {
    this.gate(code)
    const end = closed(this.#phase, code)
    this.#phase = end
    this.reportEnd(end.code, undefined)
    this.leave()
    this.surroundings.rooms.forget(this)
  }

  /** The gate for whatever is sent or received: a session that is over is over now, not at the next sweep (SE-04). */
  #isOver(): boolean {
    return this.ended || this.isExpired()
  }
}
