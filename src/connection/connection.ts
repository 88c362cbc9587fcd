import type { EventEmitter } from 'node:events'
import { CloseCode } from '../errors.ts'
import type { Membership } from '../rooms/rooms.ts'
import type { SignedIn } from '../session/identity.ts'
import { failureOf } from '../telemetry/thrown.ts'
import type { Admitted } from './admitted.ts'
import { closeReason, noCode } from './close.ts'
import { ExpiryNotice } from './expiry-notice.ts'
import { checkLifetime, Life, type LifeVerdict } from './life.ts'
import { late, settled } from './listening.ts'
import { closed, closing, opened, opening, type Phase } from './phase.ts'
import type { Port } from './port.ts'
import { ReceivingSocket } from './receiving.ts'
import type { Surroundings } from './surroundings.ts'
import type { Tick } from './sweep.ts'

/**
 * The life of one socket, from the 101 to the last byte. `SecureWebSocket` is its public face; this is its state: whose it is
 * (`HeldSocket`), its way out (`SendingSocket`), its way in (`ReceivingSocket`), and here its time and its end.
 */
export class Connection extends ReceivingSocket {
  membership: Membership | undefined
  // Made by the first visit of the sweep: many sockets are soon gone.
  #life: Life | undefined
  #phase: Phase = opening
  /** The next visit of the sweep that has something to look at. */
  #visitAt = 0
  /** Something has just begun, or is about to have had its time: the sweep comes more often. */
  #isWatched = false
  /** Only where the session has an end. */
  #notice: ExpiryNotice | undefined

  constructor(makeId: () => string, socket: EventEmitter, wire: Port, admitted: Admitted, surroundings: Surroundings) {
    super(makeId, socket, wire, admitted, surroundings)
    wire.owner = this
    // Nothing is read while the handler is at work: early frames wait in the kernel, neither lost nor early.
    wire.block('opening')
    this.begin()
  }

  /** True once the end has begun: nothing is delivered to a listener and nothing sent any more. */
  get ended(): boolean {
    return this.#phase.ended
  }

  open(): void {
    this.#phase = opened(this.#phase)
    this.wire.unblock('opening')
  }

  get rooms(): ReadonlySet<string> {
    return this.surroundings.rooms.of(this)
  }

  get queued(): number {
    return this.inOutbox + this.inInbox
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
      else if (event === 'ping') this.controlFrame()
      else if (event === 'pong' && this.#life?.answered(args[0] as Buffer) !== true) this.controlFrame()
    } catch (error) {
      this.failed(error)
    }
  }

  listenerAdded(event: string): void {
    const { types, binary, noteListener } = this.admitted.policy
    noteListener(event)
    const awaited = types === undefined ? event === 'message' : types.has(event)
    if (awaited || (binary && event === 'binary')) this.open()
    this.wake()
  }

  /**
   * The handler has returned, or its promise has settled: of declared types, whoever did not listen by now is missing. Reading
   * begins in any case, or a handler that only sends would not see its client go; raw frames wait here for a late listener.
   */
  handlerSettled(): void {
    this.open()
    if (!this.listening.late) this.listening = settled
    this.wake()
    for (const type of this.admitted.policy.types ?? []) {
      if (this.socket.listenerCount(type) === 0) this.report.deaf(type)
    }
  }

  /** The handler itself failed: nobody will ever listen on this socket. */
  handlerFailed(error: unknown): void {
    this.fault(error)
    this.end(CloseCode.InternalError, 'the handler failed')
  }

  reauthorize(): Promise<void> {
    return this.rights.reauthorize()
  }

  /** Tells the client that a right to be in a room was taken away: the socket itself stays. */
  leftRoom(room: string, reason = 'the grant ended'): void {
    this.audit({ type: 'room.left', room, reason })
    this.answer({ type: 'left', room })
  }

  begun(): void {
    if (this.#isWatched) return
    this.#isWatched = true
    this.#visitAt = 0
    this.surroundings.sweep.watch(this)
  }

  /** Soon: a listener is waited for. */
  protected override waitsForListener(): void {
    this.#visitAt = 0
  }

  #rest(): void {
    if (!this.#isWatched) return
    this.#isWatched = false
    this.surroundings.sweep.rest(this)
  }

  sweep(tick: Tick): void {
    if (tick.uptime < this.#visitAt) return
    this.#life ??= new Life(this)
    const { limits } = this.admitted.policy
    if (this.ended) {
      this.#rest()
      // ws starts its closing clock with a close frame of ours. After the peer's FIN there is none: a peer that says it has
      // finished, and reads nothing, would keep the socket and its place for ever.
      if (!this.#life.outstayed(limits.writeTimeout, tick)) return
      if (this.finishing) this.cut()
      else this.wire.terminate()
      return
    }
    // No timer of its own, so no 2^31 ms overflow: a silent listener is asked like everybody else (CS-8).
    if (this.isOver) return
    const open = tick.uptime - this.since
    // A handler that never settles and never listens must still see the other side go.
    if (open >= limits.handshake && !this.listening.late) {
      this.open()
      this.listening = late
      this.wake()
    }
    this.#tellExpiry()
    this.review(tick.uptime)
    this.visitListeners(tick)
    this.#carryOut(checkLifetime(open, limits.lifetime) ?? this.#life.verdict(this.wire, limits, tick))
    // In between, a look now and then is enough.
    if (this.#life.left(limits, tick) <= tick.every) this.begun()
    else this.#rest()
    // The last visit before something is due, and each one after that; by the clock, because visits are late on a busy machine.
    if (!this.ended) this.#visitAt = Math.floor(tick.uptime + this.#quiet(open, tick, this.#life) - tick.every)
  }

  /** How long there is nothing to look at, in ms. */
  #quiet(open: number, tick: Tick, life: Life): number {
    if (this.waits) return 0
    const { limits } = this.admitted.policy
    const untilLate = this.listening.late ? Number.POSITIVE_INFINITY : limits.handshake - open
    const untilTold = this.#notice?.quiet(this.now()) ?? Number.POSITIVE_INFINITY
    const ofSession = Math.min(untilTold, this.untilReview(tick.uptime))
    const ofTime = Math.min(untilLate, limits.lifetime - open, life.quiet(limits, tick))
    return Math.max(0, Math.min(ofSession, ofTime))
  }

  override replaceSession(signedIn: SignedIn): void {
    super.replaceSession(signedIn)
    // The new one may end sooner.
    this.#visitAt = 0
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
      if (this.finishing) this.cut()
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
    this.clear()
  }

  /** As the application closes, or the peer: what was sent before leaves before the close frame does, within `writeTimeout`. */
  close(code: number | undefined, reason: string | undefined): void {
    if (this.finishing) return
    if (this.ended) {
      this.wire.closeFrame(code, reason)
      return
    }
    this.#shut(code ?? noCode)
    this.finish(() => this.wire.closeFrame(code, reason))
  }

  #shut(code: number): void {
    this.#phase = closing(this.#phase, code)
    this.#visitAt = 0
    // The peer's close frame has to be read, whoever had paused the reader.
    this.stopReceiving()
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
}
