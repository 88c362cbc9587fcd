import { CloseCode } from '../errors.ts'
import type { Admitted } from './admitted.ts'
import { noCode } from './close.ts'
import { HeldSocket } from './held-socket.ts'
import { checkLifetime } from './life.ts'
import type { Surroundings } from './surroundings.ts'
import type { Tick } from './sweep.ts'

/** The stream of another server's socket, as far as it is needed: its bytes are not ours. */
export interface OtherStream {
  readonly destroyed: boolean
  readonly bytesWritten?: number
  readonly writableLength?: number
  destroy(): unknown
  once(event: 'close', listener: () => void): unknown
}

/**
 * A socket of another WebSocket server on this HTTP server, from the moment when its handshake passed the guard. Nothing is
 * read of it and nothing written: a frame of ours could land in the middle of one of theirs. So whatever ends it here, a
 * revocation say, destroys the stream.
 */
export class GuardedStream extends HeldSocket {
  readonly #stream: OtherStream
  /** Bytes that had been written when the other server took over; `undefined` once it has written anything. */
  #silentAt: number | undefined
  #ended = false

  constructor(makeId: () => string, stream: OtherStream, admitted: Admitted, surroundings: Surroundings) {
    super(makeId, admitted, surroundings)
    this.#stream = stream
    this.#silentAt = stream.bytesWritten
    stream.once('close', () => this.#closed())
    this.begin()
  }

  get ended(): boolean {
    return this.#ended
  }

  get inWire(): number {
    return this.#stream.writableLength ?? 0
  }

  /** Nothing: how the other server queues is its own business. */
  get queued(): number {
    return 0
  }

  /** Nothing: a guarded stream is in no room. */
  leftRoom(): void {}

  sweep({ uptime }: Tick): void {
    if (this.#ended || this.isExpired()) return
    // Nobody else tells what the other server has written.
    if (this.inWire > 0) this.surroundings.memory.add(this.inWire)
    const { limits } = this.admitted.policy
    const open = uptime - this.since
    const old = checkLifetime(open, limits.lifetime)
    if (old?.kind === 'close') this.end(old.code, old.reason)
    else if (this.#isSilent() && open >= limits.handshake)
      this.end(CloseCode.Timeout, `the server behind the guard did not answer within ${limits.handshake} ms`)
    else this.review(uptime)
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

  protected destroy(): void {
    this.#stream.destroy()
  }

  terminate(): void {
    this.end(CloseCode.ServiceRestart, 'terminated')
    this.#closed()
  }

  #closed(): void {
    if (!this.#ended) this.#over(noCode, 'its client, or the server behind the guard, has ended it')
    this.leave()
  }

  #over(code: number, reason: string): void {
    this.#ended = true
    this.reportEnd(code, reason, 'stream.closed')
  }
}
