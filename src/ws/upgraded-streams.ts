import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Places } from '../capacity/places.ts'
import type { Admitted } from '../connection/admitted.ts'
import { Deadlines, type Due } from './deadlines.ts'
import { responseOn } from './response.ts'
import type { UpgradeListener } from './upgrade.ts'
import { noteUpgraded, UpgradedStream, type UpgradeState, upgradedOn, WaitingStream } from './upgraded-stream.ts'

/** The end of a stream that was upgraded and became no socket, where no refusal of the guard says it already. */
export interface StreamEnd {
  readonly code: 'SWS_BAD_HANDSHAKE' | 'SWS_HANDSHAKE_TIMEOUT' | 'SWS_TOO_MANY_CONNECTIONS'
  readonly reason: string
  readonly address: string | undefined
}

export interface UpgradedStreamsOptions {
  /** Milliseconds that a stream may stay undecided. */
  readonly deadline: number
  /** Streams that may be undecided at once. */
  readonly most: number
  /** A clock that nobody can set. */
  readonly now: () => number
  /** Runs work in a context of its own. */
  readonly apart: (work: () => void) => void
  readonly report: (end: StreamEnd) => void
  /** Gives back everything that one of them has taken. */
  readonly release: (places: Places) => void
  /** The bytes of a refusal that needs no request of the framework; `undefined` where the framework is to have it. */
  readonly refuse: (raw: IncomingMessage) => Uint8Array | undefined
}

/**
 * Owns every stream from the `upgrade` event until it is a socket or gone. Node takes its own timers and listeners off a
 * stream before it emits `upgrade`, so a stream that no hook hears of would stay for ever: answered by a hook before ours,
 * by the router, behind another request's response, or by nobody. Whatever is no socket at the end of its turn has a deadline.
 */
export class UpgradedStreams {
  readonly #options: UpgradedStreamsOptions
  readonly #deadlines: Deadlines
  /** Those that nobody has decided: the ones that the guard has are counted by capacity. */
  #undecided = 0
  /** Those that were refused here and whose answer the kernel has not taken. */
  #leaving = 0
  readonly #expired = (waiting: WaitingStream) => this.#outOfTime(waiting)
  /** The `close` listener of all streams: a closure each would be one more object for each handshake. */
  readonly #onClose: (this: Duplex) => void

  constructor(options: UpgradedStreamsOptions) {
    this.#options = options
    this.#deadlines = new Deadlines(options.now, options.apart)
    const gone = (upgraded: UpgradedStream) => this.#gone(upgraded)
    this.#onClose = function (this: Duplex) {
      const upgraded = upgradedOn(this)
      if (upgraded !== undefined) gone(upgraded)
    }
  }

  /** @param route hands the request to the framework; not called for a stream that cannot be answered yet */
  take(raw: IncomingMessage, stream: Duplex, head: Buffer, route: UpgradeListener): void {
    if (stream.destroyed) return
    const inFront = responseOn(stream)
    const isFull = this.#undecided >= this.#options.most
    if (inFront === undefined && this.#undecided + this.#leaving < this.#options.most) {
      const answer = this.#refusal(raw)
      if (answer !== undefined) {
        this.#turnAway(stream, answer)
        return
      }
    }
    const upgraded = this.#begin(raw, stream)
    if (inFront !== undefined || isFull) {
      stream.on('error', destroyItself)
      this.#wait(upgraded)
      if (inFront === undefined) this.#end(upgraded, 'SWS_TOO_MANY_CONNECTIONS', 'too many streams wait for a decision')
      else this.#endBehind(inFront, upgraded)
      return
    }
    route(raw, stream, head)
    // Most are sockets by now: what was decided in one turn needs no deadline, and nobody told when it ends.
    if (upgraded.state === 'socket') return
    this.#wait(upgraded)
    const response = responseOn(stream)
    if (response !== undefined && response.req === raw) this.#watchAnswer(upgraded, response)
  }

  /** Apart, for its closure: most handshakes are sockets by now, and would pay for it. */
  #watchAnswer(upgraded: UpgradedStream, response: ServerResponse): void {
    const answered = () => {
      if (upgraded.state === 'answered') upgraded.stream.destroy()
      else {
        const when = upgraded.state === 'open' ? 'before the guard saw it' : 'by a hook, after the guard had begun'
        this.#end(upgraded, 'SWS_BAD_HANDSHAKE', `answered with ${response.statusCode} ${when}`)
      }
    }
    if (response.writableFinished) answered()
    else response.once('finish', answered)
  }

  /** The guard has begun with this stream: its deadline counts from here, and its word. */
  judged(raw: IncomingMessage, stream: Duplex): UpgradedStream {
    const upgraded = upgradedOn(stream) ?? this.#begin(raw, stream)
    if (upgraded.state === 'open') this.#setState(upgraded, 'judged')
    return upgraded
  }

  /**
   * Its turn is over and the guard has not opened it: there is something that waits.
   *
   * @param expire tells its client that time is over, if nobody has answered by then
   */
  waits(upgraded: UpgradedStream, within: number, expire: () => void): void {
    if (upgraded.state === 'socket' || upgraded.stream.destroyed) return
    const waiting = this.#waitingOf(upgraded)
    waiting.expire = expire
    this.#deadlines.within(within, waiting)
  }

  /** The guard has refused it, and said so. */
  answered(stream: Duplex): void {
    const upgraded = upgradedOn(stream)
    if (upgraded !== undefined) this.#setState(upgraded, 'answered')
  }

  /** The stream is a socket, of whoever was admitted on it: once. */
  open(stream: Duplex): Admitted | undefined {
    const upgraded = upgradedOn(stream)
    const admitted = upgraded?.admitted
    if (upgraded === undefined || admitted === undefined) return undefined
    this.#setState(upgraded, 'socket')
    this.#leave(upgraded)
    upgraded.admitted = undefined
    upgraded.waiting = undefined
    upgraded.further?.open()
    return admitted
  }

  /** Ends what nobody has decided: the server closes. */
  close(): void {
    for (const due of this.#deadlines.standing()) {
      if (!(due instanceof WaitingStream)) due.outOfTime()
      else if (due.upgraded.state === 'open')
        this.#end(due.upgraded, 'SWS_BAD_HANDSHAKE', 'the server closed before anybody answered')
    }
  }

  /** A logger of the application's may throw: here, in an event of the server, it would end the process. The hook has a catch. */
  #refusal(raw: IncomingMessage): Uint8Array | undefined {
    try {
      return this.#options.refuse(raw)
    } catch {
      return undefined
    }
  }

  #begin(raw: IncomingMessage, stream: Duplex): UpgradedStream {
    const upgraded = new UpgradedStream(stream, raw.socket?.remoteAddress)
    noteUpgraded(upgraded, raw)
    this.#undecided++
    stream.on('close', this.#onClose)
    return upgraded
  }

  #wait(upgraded: UpgradedStream): void {
    if (upgraded.stream.destroyed) return
    const waiting = this.#waitingOf(upgraded)
    if (waiting.standing === undefined) this.#deadlines.within(this.#options.deadline, waiting)
  }

  #waitingOf(upgraded: UpgradedStream): WaitingStream {
    upgraded.waiting ??= new WaitingStream(upgraded, this.#expired)
    return upgraded.waiting
  }

  #leave({ waiting }: UpgradedStream): void {
    if (waiting !== undefined) this.#deadlines.leave(waiting)
  }

  /** Its event has been told. The stream goes when the kernel has the answer, or when a client that takes none is out of time. */
  #turnAway(stream: Duplex, answer: Uint8Array): void {
    // Without a callback: one that destroys the stream has Node make an error for whoever else might wait for the write.
    stream.write(answer)
    if (stream.writableLength === 0) {
      // The kernel has it, as nearly always.
      stream.destroy()
      return
    }
    stream.on('error', destroyItself)
    stream.end(() => stream.destroy())
    const leaving = new Leaving(stream)
    this.#leaving++
    this.#deadlines.within(this.#options.deadline, leaving)
    stream.once('close', () => {
      this.#leaving--
      this.#deadlines.leave(leaving)
    })
  }

  /** Called by the timer: a logger of the application's that throws must not end the process. */
  #outOfTime({ upgraded, expire }: WaitingStream): void {
    try {
      if (upgraded.state === 'answered' || upgraded.state === 'over') upgraded.stream.destroy()
      else if (expire === undefined) {
        this.#end(upgraded, 'SWS_HANDSHAKE_TIMEOUT', `nobody answered within ${this.#options.deadline} ms`)
      } else {
        expire()
        // The answer has to leave as well.
        this.#wait(upgraded)
      }
    } catch {
      upgraded.stream.destroy()
    }
  }

  /**
   * A handshake sent behind another request, before that was answered: its answer would be written into the other one's.
   * RFC 6455 section 4.1 has the client wait; here the response in front goes out whole, and the stream ends with it.
   */
  #endBehind(inFront: ServerResponse, upgraded: UpgradedStream): void {
    inFront.once('close', () => {
      // Further requests may have been in between: Node puts their responses on the stream one after the other.
      const next = responseOn(upgraded.stream)
      if (next !== undefined && next !== inFront) this.#endBehind(next, upgraded)
      else this.#end(upgraded, 'SWS_BAD_HANDSHAKE', 'sent behind a request that was not answered yet')
    })
  }

  #end(upgraded: UpgradedStream, code: StreamEnd['code'], reason: string): void {
    if (upgraded.state === 'socket' || upgraded.state === 'over') return
    this.#setState(upgraded, 'over')
    this.#leave(upgraded)
    upgraded.stream.destroy()
    this.#options.report({ code, reason, address: upgraded.address })
  }

  /** Everything that it had taken is given back, whatever had become of it. */
  #gone(upgraded: UpgradedStream): void {
    upgraded.gone = true
    this.#options.release(upgraded)
    this.#leave(upgraded)
    if (upgraded.state === 'answered') this.#setState(upgraded, 'over')
    else this.#end(upgraded, 'SWS_BAD_HANDSHAKE', 'the client left before anybody answered')
  }

  #setState(upgraded: UpgradedStream, state: UpgradeState): void {
    if (upgraded.state === 'open') this.#undecided--
    upgraded.state = state
  }
}

/** A stream whose refusal was written and has not left. */
class Leaving implements Due {
  readonly #stream: Duplex
  standing: Due['standing'] = undefined
  until = 0

  constructor(stream: Duplex) {
    this.#stream = stream
  }

  outOfTime(): void {
    this.#stream.destroy()
  }
}

function destroyItself(this: Duplex): void {
  this.destroy()
}
