import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { responseOn } from './response.ts'

/** The end of a stream that was upgraded and became no socket, where no refusal of the guard says it already. */
export interface StreamEnd {
  readonly code: 'SWS_BAD_HANDSHAKE' | 'SWS_HANDSHAKE_TIMEOUT' | 'SWS_TOO_MANY_CONNECTIONS'
  readonly reason: string
  readonly address: string | undefined
}

export interface UpgradedStreamsOptions {
  /** Milliseconds that a stream may stay undecided, give or take a quarter. */
  readonly deadline: number
  /** Streams that may be undecided at once. */
  readonly most: number
  readonly now: () => number
  readonly report: (end: StreamEnd) => void
  /** The bytes of a refusal that needs no request of the framework; `undefined` where the framework is to have it. */
  readonly refuse: (raw: IncomingMessage) => Uint8Array | undefined
}

/** `open`: nobody has decided. `judged`: the guard has it, with a clock of its own. `answered`: and has refused it, with an event. */
interface Pending {
  readonly since: number
  readonly address: string | undefined
  state: 'open' | 'judged' | 'answered'
}

/**
 * Owns every stream from the `upgrade` event until it is a socket or gone. Node takes its own timers and listeners off a
 * stream before it emits `upgrade`, so a stream that no hook hears of would stay for ever: answered by a hook before ours,
 * by the router, behind another request's response, or by nobody.
 */
export class UpgradedStreams {
  readonly #options: UpgradedStreamsOptions
  readonly #pending = new Map<Duplex, Pending>()
  /** Those that nobody has decided: the ones that the guard has are counted by capacity. */
  #undecided = 0
  /** Those that were refused here and whose answer the kernel has not taken, with the end of its time. */
  readonly #leaving = new Map<Duplex, number>()
  #timer: NodeJS.Timeout | undefined

  /** The `close` listener of all streams: a closure each would keep the request alive for as long as its socket is open. */
  readonly #onClose: (this: Duplex) => void

  constructor(options: UpgradedStreamsOptions) {
    this.#options = options
    const gone = (stream: Duplex) => this.#gone(stream)
    this.#onClose = function (this: Duplex) {
      gone(this)
    }
  }

  /** @param route hands the request to the framework; not called for a stream that cannot be answered yet */
  take(raw: IncomingMessage, stream: Duplex, route: () => void): void {
    if (stream.destroyed) return
    const inFront = responseOn(stream)
    if (inFront === undefined && this.#undecided + this.#leaving.size < this.#options.most) {
      const answer = this.#refusal(raw)
      if (answer !== undefined) {
        this.#turnAway(stream, answer)
        return
      }
    }
    const pending: Pending = { since: this.#options.now(), address: raw.socket?.remoteAddress, state: 'open' }
    this.#pending.set(stream, pending)
    this.#undecided++
    stream.on('close', this.#onClose)
    this.#watch()
    if (inFront !== undefined || this.#undecided > this.#options.most) {
      stream.on('error', destroyItself)
      if (inFront === undefined) this.#end(stream, 'SWS_TOO_MANY_CONNECTIONS', 'too many streams wait for a decision')
      else this.#endBehind(inFront, stream)
      return
    }
    route()
    const response = responseOn(stream)
    if (response === undefined || response.req !== raw) return
    const answered = () => {
      if (pending.state === 'answered') stream.destroy()
      else {
        const when = pending.state === 'open' ? 'before the guard saw it' : 'by a hook, after the guard had begun'
        this.#end(stream, 'SWS_BAD_HANDSHAKE', `answered with ${response.statusCode} ${when}`)
      }
    }
    if (response.writableFinished) answered()
    else response.once('finish', answered)
  }

  /** The guard has begun with this stream: its clock runs from here. */
  judged(stream: Duplex): void {
    const pending = this.#pending.get(stream)
    if (pending?.state !== 'open') return
    pending.state = 'judged'
    this.#undecided--
  }

  /** The guard has refused it, and said so. */
  answered(stream: Duplex): void {
    const pending = this.#pending.get(stream)
    if (pending === undefined) return
    if (pending.state === 'open') this.#undecided--
    pending.state = 'answered'
  }

  /** The stream is a socket. */
  opened(stream: Duplex): void {
    this.#forget(stream)
    stream.off('close', this.#onClose)
  }

  /** Ends what nobody has decided: the server closes. */
  close(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    for (const [stream, { state }] of this.#pending) {
      if (state === 'open') this.#end(stream, 'SWS_BAD_HANDSHAKE', 'the server closed before anybody answered')
    }
    for (const stream of this.#leaving.keys()) stream.destroy()
  }

  /** A logger of the application's may throw: here, in an event of the server, it would end the process. The hook has a catch. */
  #refusal(raw: IncomingMessage): Uint8Array | undefined {
    try {
      return this.#options.refuse(raw)
    } catch {
      return undefined
    }
  }

  #watch(): void {
    this.#timer ??= setTimeout(() => this.#sweep(), this.#every).unref()
  }

  /** Its event has been told. The stream goes when the kernel has the answer, or when a client that takes none is out of time. */
  #turnAway(stream: Duplex, answer: Uint8Array): void {
    stream.on('error', destroyItself)
    stream.write(answer, () => stream.destroy())
    if (stream.destroyed || stream.writableLength === 0) return
    this.#leaving.set(stream, this.#options.now() + this.#options.deadline)
    stream.once('close', () => this.#leaving.delete(stream))
    this.#watch()
  }

  get #every(): number {
    return Math.min(Math.max(20, Math.floor(this.#options.deadline / 4)), longestWait)
  }

  #sweep(): void {
    this.#timer = undefined
    const before = this.#options.now() - this.#options.deadline
    for (const [stream, { since, state }] of this.#pending) {
      // In order of arrival: those behind it are younger.
      if (since > before) break
      if (state === 'open') {
        this.#end(stream, 'SWS_HANDSHAKE_TIMEOUT', `nobody answered within ${this.#options.deadline} ms`)
      }
    }
    const now = this.#options.now()
    for (const [stream, until] of this.#leaving) if (until <= now) stream.destroy()
    if (this.#pending.size + this.#leaving.size > 0) this.#watch()
  }

  /**
   * A handshake sent behind another request, before that was answered: its answer would be written into the other one's.
   * RFC 6455 section 4.1 has the client wait; here the response in front goes out whole, and the stream ends with it.
   */
  #endBehind(inFront: ServerResponse, stream: Duplex): void {
    inFront.once('close', () => {
      // Further requests may have been in between: Node puts their responses on the stream one after the other.
      const next = responseOn(stream)
      if (next !== undefined && next !== inFront) this.#endBehind(next, stream)
      else this.#end(stream, 'SWS_BAD_HANDSHAKE', 'sent behind a request that was not answered yet')
    })
  }

  #end(stream: Duplex, code: StreamEnd['code'], reason: string): void {
    const pending = this.#pending.get(stream)
    if (pending === undefined) return
    this.#forget(stream)
    stream.destroy()
    this.#options.report({ code, reason, address: pending.address })
  }

  #gone(stream: Duplex): void {
    const state = this.#pending.get(stream)?.state
    if (state !== undefined && state !== 'answered')
      this.#end(stream, 'SWS_BAD_HANDSHAKE', 'the client left before anybody answered')
    this.#forget(stream)
  }

  #forget(stream: Duplex): void {
    if (this.#pending.get(stream)?.state === 'open') this.#undecided--
    this.#pending.delete(stream)
  }
}

/** Milliseconds. Node's timers are 32 bit: beyond that they fire at once, and again and again. */
const longestWait = 60_000

function destroyItself(this: Duplex): void {
  this.destroy()
}
