import { CloseCode } from '../errors.ts'
import type { Identity, SignedIn } from '../session/identity.ts'
import type { Session } from '../session/session.ts'
import type { AuditEntry } from '../telemetry/audit.ts'
import type { Observer } from '../telemetry/observer.ts'
import type { Admitted } from './admitted.ts'
import { Report, wholeMs } from './report.ts'
import { type Reviewed, Rights, untilEnd } from './rights.ts'
import type { Surroundings } from './surroundings.ts'
import type { Tick } from './sweep.ts'

/** An open socket without its frames: whose it is, since when, and how that ends. The same for ours and for one behind a guard. */
export abstract class HeldSocket implements Reviewed {
  readonly admitted: Admitted
  /** In ms since the epoch: what other machines say about a session is compared with it. */
  readonly openedAt: number
  /** The same moment on the clock that nobody can set. */
  readonly since: number
  /** Replaced as a whole when the session is asked about again; its `identity` is the copy that everything here goes by. */
  signedIn: SignedIn | null
  reviewAt: number | undefined
  protected readonly surroundings: Surroundings
  #report: Report | undefined
  #rights: Rights | undefined

  readonly #makeId: () => string
  #id: string | undefined

  constructor(makeId: () => string, admitted: Admitted, surroundings: Surroundings) {
    this.#makeId = makeId
    this.admitted = admitted
    this.signedIn = admitted.signedIn
    this.surroundings = surroundings
    this.openedAt = surroundings.now()
    this.since = surroundings.uptime()
  }

  now(): number {
    return this.surroundings.now()
  }

  uptime(): number {
    return this.surroundings.uptime()
  }

  get observer(): Observer | undefined {
    return this.surroundings.observer()
  }

  apart<Given extends unknown[], T>(work: (...given: Given) => T, ...given: Given): T {
    return this.surroundings.scope.run(work, ...given)
  }

  /** Made for whoever asks first: an event that somebody hears, a room, the application. */
  get id(): string {
    this.#id ??= this.#makeId()
    return this.#id
  }

  /** Made with the first event that somebody hears. */
  protected get report(): Report {
    this.#report ??= new Report(this, this.surroundings)
    return this.#report
  }

  /** Made with the first question. */
  protected get rights(): Rights {
    this.#rights ??= new Rights(this, this.surroundings)
    return this.#rights
  }

  /** Asks what is due by now. */
  protected review(uptime: number): void {
    if (this.untilReview(uptime) <= 0) this.rights.sweep(uptime)
  }

  /** How long nothing has to be asked, in ms. */
  protected untilReview(uptime: number): number {
    // A whole number takes no memory of its own.
    this.reviewAt ??= Math.floor(this.surroundings.revalidation.dueAfter(this.since))
    if (this.#rights?.isOpen === true) return 0
    return Math.min(this.reviewAt - uptime, untilEnd(this, this.surroundings.now()))
  }

  /** Nothing is delivered to anybody any more. */
  abstract get ended(): boolean
  /** Ends it for good. The first reason stays. */
  abstract end(code: CloseCode, reason: string, how?: { terminate?: boolean; retryAfter?: number }): void
  /** Ends the connection without a word to anybody. */
  protected abstract destroy(): void
  abstract terminate(): void
  /** Bytes that its stream was given, and the kernel has not taken. */
  abstract get inWire(): number
  /** Bytes that wait elsewhere. */
  abstract get queued(): number
  abstract leftRoom(room: string): void
  /** Called by the one timer of the server. */
  abstract sweep(tick: Tick): void

  /** The application's own object, for its handlers. */
  get session(): Session | null {
    return this.signedIn?.session ?? null
  }

  get identity(): Identity | null {
    return this.signedIn?.identity ?? null
  }

  /** Called last by a constructor: from here on it is found, asked about, and ended. */
  protected begin(): void {
    const { admitted, signedIn, surroundings } = this
    surroundings.sweep.add(this)
    surroundings.identities.enter(this)
    const { method, since } = admitted
    if (surroundings.isHeard()) {
      this.report.event({ type: 'handshake.accepted', durationMs: wholeMs(this.since - since), method })
    }
    // Race: revoked while the handshake ran. The identity rooms are joined, so a later revocation finds this socket;
    // an earlier one is found now. Both in one turn: there is no gap between them.
    if (signedIn === null) return
    if (surroundings.isDenied(signedIn.identity, since)) this.end(CloseCode.Unauthorized, 'revoked meanwhile')
    else if (surroundings.isStale(signedIn.identity, since)) surroundings.revalidation.request(this, true)
  }

  /** The TCP connection is gone: what `begin` took is given back. */
  protected leave(): void {
    this.surroundings.sweep.delete(this)
    this.surroundings.identities.leave(this)
  }

  revalidate(): Promise<void> {
    // The question before this one may have been about somebody else.
    return this.surroundings.scope.run(() => this.rights.revalidate())
  }

  /** A new token has a new id: a revocation of it must find this socket. */
  replaceSession(signedIn: SignedIn): void {
    this.surroundings.identities.leave(this)
    this.signedIn = signedIn
    this.surroundings.identities.enter(this)
  }

  /** Time or the session store has ended it; a revocation has an event of its own. */
  sessionEnded(reason: string): void {
    this.audit({ type: 'session.expired', reason })
    this.end(CloseCode.Unauthorized, reason)
  }

  /** The gate for whatever is sent or received: a session that is over is over now, not at the next sweep (SE-04). */
  protected get isOver(): boolean {
    return this.ended || this.isExpired()
  }

  /** Tells whether the session is over by now, and ends the socket then. */
  isExpired(): boolean {
    const expiresAt = this.identity?.expiresAt
    const { now, expiryGrace } = this.surroundings
    if (expiresAt === undefined || now() < expiresAt + expiryGrace) return false
    this.sessionEnded('the session expired')
    return true
  }

  /** A question to the application failed; whoever asked it has given the answer that lets nobody in. */
  askingFailed(error: unknown, asked: string): void {
    this.report.thrown(error, `${asked} threw`)
  }

  /** A listener, the handler or a check failed. The client learns nothing of it, the log everything. */
  fault(error: unknown, messageType?: string): void {
    if (this.report.fault(error, messageType, this.surroundings.uptime()))
      this.end(CloseCode.InternalError, 'listeners kept failing')
  }

  /** A failure between a timer, a frame or an event and the application, which was caught by nobody else. Does not throw. */
  failed(error: unknown): void {
    try {
      this.fault(error)
    } catch {
      // A logger that throws, say: there is nobody left to tell.
      this.destroy()
    }
  }

  audit(entry: AuditEntry): void {
    if (this.surroundings.isHeard()) this.report.event(entry)
  }

  /** The end has begun, by whomever: told once. */
  protected reportEnd(
    code: number,
    reason: string | undefined,
    type: 'socket.closed' | 'stream.closed' = 'socket.closed',
  ): void {
    if (this.surroundings.isHeard()) this.report.closed(type, code, reason, this.surroundings.uptime())
  }
}
