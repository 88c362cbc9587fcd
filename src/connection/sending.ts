import { SecureWsError } from '../errors.ts'
import type { Outgoing } from '../outbound/outbound.ts'
import { SharedFrame } from '../outbound/shared-frame.ts'
import { isThenable } from '../thenable.ts'
import { exceedsOutbound } from './backpressure.ts'
import { Outbox } from './outbox.ts'

/** Called when the frame was handed to the kernel, or with the error that kept it from there. */
export type SendCallback = (error?: Error) => void

/** What ws takes besides `binary`, which is the encoder's to say. */
export interface FrameOptions {
  /** Compress this message, where compression is on (`websocket.options.perMessageDeflate`). Default `true` there. */
  readonly compress?: boolean | undefined
  /** Whether this is the last fragment of a message. Default `true`. */
  readonly fin?: boolean | undefined
}

/** What sending needs of a WebSocket: of ws, `secure-socket.ts` is the only file that knows more. */
export interface Wire {
  readonly open: boolean
  /** Bytes handed over and not yet in the kernel. */
  readonly waiting: number
  write(outgoing: Outgoing, options: FrameOptions | undefined, callback: SendCallback | undefined): void
  /** Writes finished bytes; `false` when something (compression, a Blob) is in front of them and `write` must be used. */
  writeFrame(frame: SharedFrame): boolean
}

interface Pending {
  readonly outgoing: Outgoing | SharedFrame
  readonly options?: FrameOptions | undefined
  readonly callback?: SendCallback | undefined
}

/** The socket that sends, as this sees it. */
export interface SendingHost {
  readonly wire: Wire
  /** A payload does not fit, and is not sent. */
  slow(reason: string): void
  sent(): void
}

/** The way out of one socket: in order, bounded, counted. */
export class Sending {
  readonly #host: SendingHost
  readonly #outboundBytes: number
  #outbox: Outbox<Pending> | undefined

  constructor(host: SendingHost, outboundBytes: number) {
    this.#host = host
    this.#outboundBytes = outboundBytes
  }

  /** A payload of this socket alone. A promise that rejects is a refused payload: the callback gets the error. */
  send(
    outgoing: Outgoing | Promise<Outgoing>,
    options: FrameOptions | undefined,
    callback: SendCallback | undefined,
    onRefused: (error: unknown) => void,
  ): void {
    if (!isThenable(outgoing)) {
      this.#push({ outgoing, options, callback })
      return
    }
    this.#push(
      outgoing.then(
        (ready): Pending => ({ outgoing: ready, options, callback }),
        (error: unknown) => {
          onRefused(error)
          callback?.(error instanceof Error ? error : new Error('refused', { cause: error }))
          return undefined
        },
      ),
    )
  }

  /** A payload many sockets get. A promise of `undefined` is one that was refused; whoever made it has reported that. */
  deliver(frame: SharedFrame | Promise<SharedFrame | undefined>): void {
    if (isThenable(frame)) this.#push(frame.then((ready) => (ready === undefined ? undefined : { outgoing: ready })))
    else this.#push({ outgoing: frame })
  }

  /** What still waits is not sent; whoever asked to be told is told so. */
  clear(): void {
    this.#outbox?.clear(({ callback }) => callback !== undefined && process.nextTick(callback, closedError()))
  }

  #push(pending: Pending | PromiseLike<Pending | undefined>): void {
    if (this.#outbox === undefined) {
      // Only sockets that ever wait for a sanitizer have an outbox.
      if (!isThenable(pending)) {
        this.#write(pending)
        return
      }
      this.#outbox = new Outbox((item) => this.#write(item))
    }
    this.#outbox.push(pending)
  }

  #write({ outgoing, options, callback }: Pending): void {
    const { wire } = this.#host
    if (!wire.open) {
      if (callback !== undefined) process.nextTick(callback, closedError())
      return
    }
    const { payload } = outgoing
    const size = typeof payload === 'string' || 'byteLength' in payload ? payload : { byteLength: payload.size }
    if (exceedsOutbound(wire.waiting, size, this.#outboundBytes)) {
      this.#host.slow(`over ${this.#outboundBytes} bytes waiting (limits.outboundBytes)`)
      if (callback !== undefined) process.nextTick(callback, slowError())
      return
    }
    this.#host.sent()
    if (outgoing instanceof SharedFrame && wire.writeFrame(outgoing)) return
    wire.write(outgoing, options, callback)
  }
}

export function closedError(): SecureWsError {
  return new SecureWsError('SWS_CLOSED', 'This socket is closing or closed: nothing is sent on it any more.')
}

function slowError(): SecureWsError {
  return new SecureWsError('SWS_CLOSED', 'The client reads too slowly: this message was not sent.')
}
