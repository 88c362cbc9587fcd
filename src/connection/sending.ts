import { SecureWsError } from '../errors.ts'
import type { Outgoing } from '../outbound/outbound.ts'
import { SharedFrame } from '../outbound/shared-frame.ts'
import type { Underway } from '../outbound/underway.ts'
import { isThenable } from '../thenable.ts'
import { exceedsOutbound } from './backpressure.ts'
import { Outbox, Waiting } from './outbox.ts'
import type { FrameOptions, SendCallback, Wire } from './port.ts'

/** The socket that sends, as this sees it. */
export interface SendingHost {
  readonly wire: Wire
  /** Asked before what has waited is written: the right to it may have ended meanwhile, and then so has the socket. */
  isExpired(): boolean
  sent(): void
  /** A payload does not fit, and is not sent. */
  slow(reason: string): void
  /** A payload could not be made, and is not sent. */
  outputRefused(error: unknown): void
  /** So many payloads were accepted, and are not sent: the end came before their turn. */
  outputLost(count: number): void
}

/** The way out of one socket: in order, bounded, counted. */
export class Sending {
  readonly #host: SendingHost
  readonly #outboundBytes: number
  /** Only while something waits in it. */
  #outbox: Outbox | undefined
  /** A message has begun on the wire whose last fragment is still to come. */
  #betweenFragments = false
  #whenEmpty: (() => void) | undefined

  constructor(host: SendingHost, outboundBytes: number) {
    this.#host = host
    this.#outboundBytes = outboundBytes
  }

  /** Bytes that wait here and not in the wire. */
  get waiting(): number {
    return this.#outbox?.bytes ?? 0
  }

  /** What waits here is to leave before the close frame does. */
  get finishing(): boolean {
    return this.#whenEmpty !== undefined
  }

  /** A payload of this socket alone. A promise that rejects is a refused payload: the callback gets the error. */
  send(
    outgoing: Outgoing | Underway<Outgoing>,
    options: FrameOptions | undefined,
    callback: SendCallback | undefined,
  ): void {
    this.#accept(outgoing, true, options, callback)
  }

  /** A payload many sockets get, or an answer. A promise of `undefined` was refused; whoever made it has reported that. */
  deliver(frame: SharedFrame | Underway<SharedFrame | undefined>): void {
    this.#accept(frame, false)
  }

  /** Nothing new is accepted any more. What waits leaves first, then `done` is called: at once, if nothing does. */
  finish(done: () => void): void {
    this.#whenEmpty = done
    this.#writeReady()
  }

  /** What was to leave first is not waited for any longer. */
  cut(): void {
    const done = this.#whenEmpty
    this.clear()
    done?.()
  }

  /** What waits is not sent, and whoever asked to be told is told so. */
  clear(): void {
    const outbox = this.#outbox
    this.#outbox = this.#whenEmpty = undefined
    if (outbox !== undefined) this.#lose(outbox)
  }

  #accept(
    given: Outgoing | SharedFrame | Underway<Outgoing | SharedFrame | undefined>,
    own: boolean,
    options?: FrameOptions,
    callback?: SendCallback,
  ): void {
    const size = isThenable(given) ? { byteLength: given.bytes } : given.payload
    if (exceedsOutbound(this.#host.wire.waiting + this.waiting, size, this.#outboundBytes)) {
      this.#tooSlow(callback)
      // Nobody waits for it any more, and a rejection that nobody hears ends the process.
      if (isThenable(given)) given.then(undefined, () => {})
    } else if (isThenable(given)) {
      this.#make(given, this.#queue(new Waiting({ own, bytes: given.bytes, options, callback })))
    } else if (this.#outbox !== undefined || (this.#betweenFragments && !own)) {
      this.#queue(new Waiting({ own, content: given, bytes: bytesOf(given), options, callback }))
      this.#writeReady()
    } else this.#write(given, options, callback)
  }

  #queue(waiting: Waiting): Waiting {
    this.#outbox ??= new Outbox()
    this.#outbox.add(waiting)
    return waiting
  }

  #make(making: Underway<Outgoing | SharedFrame | undefined>, waiting: Waiting): void {
    making.then(
      (content) => {
        if (!waiting.isIn) return
        if (content === undefined) this.#outbox?.delete(waiting)
        else this.#outbox?.fill(waiting, content, bytesOf(content))
        this.#writeReady()
      },
      (error: unknown) => {
        if (!waiting.isIn) return
        this.#outbox?.delete(waiting)
        this.#host.outputRefused(error)
        waiting.callback?.(error instanceof Error ? error : new Error('refused', { cause: error }))
        this.#writeReady()
      },
    )
  }

  #writeReady(): void {
    const outbox = this.#outbox
    let next = outbox?.next(this.#betweenFragments)
    while (outbox !== undefined && next?.content !== undefined) {
      // It may have grown while it was made, and the right to send may have ended.
      if (this.#host.isExpired()) return
      const { content, options, callback } = next
      outbox.delete(next)
      if (exceedsOutbound(this.#host.wire.waiting + outbox.bytes, content.payload, this.#outboundBytes)) {
        this.#tooSlow(callback)
      } else this.#write(content, options, callback)
      // A callback of the application, or a reader that is too slow, may have ended it all.
      if (this.#outbox !== outbox) return
      next = outbox.next(this.#betweenFragments)
    }
    if (outbox?.size === 0) this.#outbox = undefined
    if (!this.finishing || next !== undefined) return
    // What is left stands behind a message whose last fragment will not come.
    this.cut()
  }

  #write(content: Outgoing | SharedFrame, options: FrameOptions | undefined, callback: SendCallback | undefined): void {
    const { wire } = this.#host
    if (!wire.open) {
      if (callback !== undefined) process.nextTick(callback, closedError())
      return
    }
    this.#host.sent()
    if (content instanceof SharedFrame) {
      if (!wire.writeFrame(content)) wire.write(content, undefined, callback)
      return
    }
    this.#betweenFragments = !(options?.fin ?? true)
    wire.write(content, options, callback)
  }

  #tooSlow(callback: SendCallback | undefined): void {
    this.#host.slow(`over ${this.#outboundBytes} bytes waiting (limits.outboundBytes)`)
    if (callback !== undefined) process.nextTick(callback, slowError())
  }

  #lose(outbox: Outbox): void {
    const count = outbox.size
    if (count === 0) return
    for (const { callback } of outbox.empty()) if (callback !== undefined) process.nextTick(callback, closedError())
    this.#host.outputLost(count)
  }
}

function bytesOf(content: Outgoing | SharedFrame): number {
  const { payload } = content
  if (typeof payload !== 'string') return payload.byteLength
  // Text for many is made into its frame once, here or by the first who writes it; text for one is only measured.
  return content instanceof SharedFrame ? content.bytes.length : Buffer.byteLength(payload)
}

export function closedError(): SecureWsError {
  return new SecureWsError('SWS_CLOSED', 'This socket is closing or closed: nothing is sent on it any more.')
}

function slowError(): SecureWsError {
  return new SecureWsError('SWS_CLOSED', 'The client reads too slowly: this message was not sent.')
}
