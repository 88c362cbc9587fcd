import { CloseCode } from '../errors.ts'
import type { Identity, SignedIn } from '../session/identity.ts'
import type { Session } from '../session/session.ts'
import type { AuditEntry } from '../telemetry/audit.ts'
import type { Admitted, Surroundings } from './admitted.ts'
import { noCode } from './close.ts'
import type { Held } from './held.ts'
import { checkLifetime } from './life.ts'
import { Report } from './report.ts'
import { type Reviewed, Rights } from './rights.ts'
import type { Tick } from './sweep.ts'

/** What is needed of the stream of another server's socket: its bytes are not ours. */
export interface OtherStream {
  readonly destroyed: boolean
  readonly bytesWritten?: number
  destroy(): unknown
  once(event: 'close', listener: () => void): unknown
}

/**
 * A socket of another WebSocket server on this HTTP server, from the moment when its handshake passed the guard. Nothing is
 * read of it and nothing written: a frame of ours could land in the middle of one of theirs. So whatever ends it here, a
 * revocation say, destroys the stream.
 */
export class GuardedStream implements Held, Reviewed {
  readonly id: string
  readonly admitted: Admitted
  readonly openedAt: number
  readonly since: number
  signedIn: SignedIn | null
  readonly #stream: OtherStream
  readonly #surroundings: Surroundings
  readonly #report: Report
  readonly #rights: Rights
  /** What had been written when the other server took over; `undefined` once it has written anything. */
  #silentAt: number | undefined
  #ended = false

  constructor(id: string, stream: OtherStream, admitted: Admitted, surroundings: Surroundings) {
    const { signedIn, method } = admitted
    this.id = id
    this.admitted = admitted
    this.signedIn = signedIn
    this.#stream = stream
    this.#surroundings = surroundings
    this.#silentAt = stream.bytesWritten
    this.openedAt = surroundings.now()
    this.since = surroundings.uptime()
    this.#report = new Report(this, surroundings)
    this.#rights = new Rights(this, surroundings)
    admitted.clock.release()
    surroundings.sweep.add(this)
    surroundings.identities.enter(this)
    stream.once('close', () => this.#closed())
    this.audit({ type: 'handshake.accepted', durationMs: Math.round(this.since - admitted.since), method })
    // Race: revoked while the handshake ran, as for a socket of ours.
    if (signedIn !== null && surroundings.isDenied(signedIn.identity, admitted.since))
      this.end(CloseCode.Unauthorized, 'revoked meanwhile')
    else if (signedIn !== null && surroundings.isStale(signedIn.identity, admitted.since))
      surroundings.revalidation.request(this, true)
  }

  get session(): Session | null {
    return this.signedIn?.session ?? null
  }

  get identity(): Identity | null {
    return this.signedIn?.identity ?? null
  }

  get ended(): boolean {
    return this.#ended
  }

  revalidate(): Promise<void> {
    // The question before this one may have been about somebody else.
    return this.#surroundings.scope.run(() => this.#rights.revalidate())
  }

  replaceSession(signedIn: SignedIn): void {
    this.#surroundings.identities.leave(this)
    this.signedIn = signedIn
    this.#surroundings.identities.enter(this)
  }

  sessionEnded(reason: string): void {
    this.audit({ type: 'session.expired', reason })
    this.end(CloseCode.Unauthorized, reason)
  }

  askingFailed(error: unknown, asked: string): void {
    this.#report.thrown(error, `${asked} threw`)
  }

  /** It is in no room. */
  leftRoom(): void {}

  /** Called by the one timer of the server. */
  sweep({ uptime }: Tick): void {
    if (this.#ended) return
    const { limits } = this.admitted.policy
    const open = uptime - this.since
    const expiresAt = this.identity?.expiresAt
    if (expiresAt !== undefined && this.#surroundings.now() >= expiresAt + this.#surroundings.expiryGrace) {
      this.sessionEnded('the session expired')
      return
    }
    const old = checkLifetime(open, limits.lifetime)
    if (old?.kind === 'close') this.end(old.code, old.reason)
    else if (this.#isSilent() && open >= limits.handshake)
      this.end(CloseCode.Timeout, `the server behind the guard did not answer within ${limits.handshake} ms`)
    else this.#rights.sweep(uptime)
  }

  /** Has the other server never written anything? */
  #isSilent(): boolean {
    if (this.#silentAt !== undefined && this.#stream.bytesWritten !== this.#silentAt) this.#silentAt = undefined
    return this.#silentAt !== undefined
  }

  end(code: CloseCode, reason: string): void {
    if (this.#ended) return
    this.#over(code, reason)
    this.#stream.destroy()
  }

  terminate(): void {
    this.end(CloseCode.ServiceRestart, 'terminated')
    this.#closed()
  }

  #closed(): void {
    if (!this.#ended) this.#over(noCode, 'its client, or the server behind the guard, has ended it')
    this.#surroundings.sweep.delete(this)
    this.#surroundings.identities.leave(this)
  }

  #over(code: number, reason: string): void {
    this.#ended = true
    this.#report.closed(code, reason, this.#surroundings.uptime())
  }

  audit(entry: AuditEntry): void {
    this.#report.event(entry)
  }
}
