import { SecureWsError } from '../errors.ts'
import type { Outgoing } from '../outbound/outbound.ts'
import { SharedFrame } from '../outbound/shared-frame.ts'
import type { Underway } from '../outbound/underway.ts'
import { isThenable } from '../thenable.ts'
import { exceedsOutbound } from './backpressure.ts'
import { isLast, Outbox, Waiting } from './outbox.ts'
import type { FrameOptions, Port, SendCallback } from './port.ts'

/** The socket that sends, as this sees it. */
export interface SendingHost {
  readonly wire: Port
  /** Asked before what has waited is written: the right to it may have ended meanwhile, and then so has the socket. */
  isExpired(): boolean
  sent(): void
  /** A payload does not fit, and none may be dropped for it. */
  slow(reason: string): void
  /** A payload does not fit, and is not sent, or an older one in its stead. */
  outputDropped(reason: string): void
  /** A payload could not be made, and is not sent. */
  outputRefused(error: unknown): void
  /** A message has begun to leave whose rest cannot be made: nothing that is sent after it can be told from it. */
  broken(reason: string): void
  /** So many payloads were accepted, and are not sent: the end came before their turn. */
  outputLost(count: number): void
  /** Told of bytes that wait in the outbox from now on. */
  kept(bytes: number): void
}

/** A payload on its way out. */
interface Sent {
  readonly content: Outgoing | SharedFrame | Underway<Outgoing | SharedFrame | undefined>
  readonly own: boolean
  readonly key?: string | undefined
  readonly options?: FrameOptions | undefined
  readonly callback?: SendCallback | undefined
}

export interface SendingPolicy {
  readonly limits: { readonly outboundBytes: number }
  /** Whether the oldest messages give way to the newest, or the socket ends, when a client is too far behind. */
  readonly slowReader: 'close' | 'drop'
}

/** The way out of one socket: in order, bounded, counted. */
export class Sending {
  readonly #host: SendingHost
  readonly #policy: SendingPolicy
  /** Only while something waits in it. */
  #outbox: Outbox | undefined
  /** A message has begun on the wire whose last fragment is still to come. */
  #betweenFragments = false
  /** A message was begun by the application whose last fragment it has not sent yet. */
  #begun = false
  /** Its beginning was dropped, and so is the rest. */
  #droppingRest = false
  #awaitsWire = false
  #whenEmpty: (() => void) | undefined

  constructor(host: SendingHost, policy: SendingPolicy) {
    this.#host = host
    this.#policy = policy
  }

  /** Bytes that wait here and not in the wire. */
  get waiting(): number {
    return this.#outbox?.bytes ?? 0
  }

  /** True while the close frame stands behind payloads that wait here. */
  get finishing(): boolean {
    return this.#whenEmpty !== undefined
  }

  /**
   * A payload of this socket alone. A promise that rejects is a refused payload: the callback gets the error.
   *
   * @param key of what a newer payload replaces while the client is behind
   */
  send(
    content: Outgoing | Underway<Outgoing>,
    options: FrameOptions | undefined,
    callback: SendCallback | undefined,
    key?: string,
  ): void {
    const begins = !this.#begun
    this.#begun = !isLast(options)
    if (begins) this.#droppingRest = false
    if (!this.#droppingRest && !isThenable(content) && this.#isFree(content, true, key)) {
      this.#write(content, options, callback)
      return
    }
    const sent = { content, own: true, options, callback, ...(begins && { key }) }
    if (this.#droppingRest) this.#drop(sent)
    else this.#accept(sent, begins)
  }

  /** A payload many sockets get, or an answer. A promise of `undefined` was refused; whoever made it has reported that. */
  deliver(content: SharedFrame | Underway<SharedFrame | undefined>, key?: string): void {
    if (!isThenable(content) && this.#isFree(content, false, key)) this.#write(content, undefined, undefined)
    else this.#accept({ content, own: false, key }, true)
  }

  /** Nothing new is accepted any more. What waits leaves first, then `done` is called: at once, if nothing does. */
  finish(done: () => void): void {
    this.#whenEmpty = done
    this.#writeReady()
  }

  /** Gives up the payloads that were to leave first. */
  cut(): void {
    const done = this.#whenEmpty
    this.clear()
    done?.()
  }

  /** Drops the payloads that wait, and tells their callbacks. */
  clear(): void {
    const outbox = this.#outbox
    this.#outbox = this.#whenEmpty = undefined
    if (outbox !== undefined) this.#lose(outbox)
  }

  /** Nearly always: nothing waits, and there is room. */
  #isFree({ payload }: Outgoing | SharedFrame, own: boolean, key: string | undefined): boolean {
    if (this.#outbox !== undefined || (this.#betweenFragments && !own)) return false
    return !this.#isHeld(key) && !this.#isBeyond(0, payload)
  }

  #accept(sent: Sent, begins: boolean): void {
    const { content, key } = sent
    if (key !== undefined) this.#replace(key)
    if (!this.#makeRoom(sent, begins)) return
    if (isThenable(content)) {
      this.#make(content, this.#queue(new Waiting({ ...sent, content: undefined, begins, bytes: content.bytes })))
    } else {
      this.#queue(new Waiting({ ...sent, content, begins, bytes: bytesOf(content) }))
      this.#writeReady()
    }
  }

  /** True for a payload that may still be dropped or replaced: it is not given away before the client can take it. */
  #isHeld(key: string | undefined): boolean {
    return (key !== undefined || this.#policy.slowReader === 'drop') && this.#host.wire.behind
  }

  #replace(key: string): void {
    const older = this.#outbox?.keyed(key)
    if (older === undefined) return
    this.#outbox?.delete(older)
    if (older.callback !== undefined) process.nextTick(older.callback, replacedError())
  }

  /** False for a payload that does not fit, which has been dealt with. */
  #makeRoom(sent: Sent, begins: boolean): boolean {
    const size = isThenable(sent.content) ? { byteLength: sent.content.bytes } : sent.content.payload
    if (!this.#isBeyond(this.waiting, size)) return true
    if (this.#policy.slowReader === 'drop') {
      // Larger than all there is room for: nothing older is dropped in vain.
      const isTooLarge = begins && this.#isBeyond(0, size)
      if (!isTooLarge && this.#dropUntilFits(size)) {
        // The beginning of its message may have been dropped just now.
        if (!begins && this.#droppingRest) this.#drop(sent)
        return begins || !this.#droppingRest
      }
      if (begins) {
        this.#droppingRest = sent.own && !isLast(sent.options)
        this.#drop(sent)
        return false
      }
    }
    forget(sent.content)
    if (sent.callback !== undefined) process.nextTick(sent.callback, slowError())
    this.#host.slow(this.#reason)
    return false
  }

  #dropUntilFits(size: string | { readonly byteLength: number }): boolean {
    while (this.#isBeyond(this.waiting, size)) {
      const dropped = this.#outbox?.takeOldest() ?? []
      const last = dropped.at(-1)
      if (last === undefined) return false
      if (last.own && !isLast(last.options)) this.#droppingRest = true
      for (const each of dropped) this.#drop(each)
    }
    return true
  }

  #drop({ content, callback }: { content?: Sent['content'] | undefined; callback?: SendCallback | undefined }): void {
    forget(content)
    this.#host.outputDropped(this.#reason)
    if (callback !== undefined) process.nextTick(callback, slowError())
  }

  #isBeyond(waiting: number, size: string | { readonly byteLength: number }): boolean {
    return exceedsOutbound(this.#host.wire.waiting + waiting, size, this.#policy.limits.outboundBytes)
  }

  get #reason(): string {
    return `over ${this.#policy.limits.outboundBytes} bytes waiting (limits.outboundBytes)`
  }

  #queue(waiting: Waiting): Waiting {
    this.#outbox ??= new Outbox()
    this.#outbox.add(waiting)
    this.#host.kept(waiting.bytes)
    return waiting
  }

  #make(making: Underway<Outgoing | SharedFrame | undefined>, waiting: Waiting): void {
    making.then(
      (content) => {
        if (!waiting.isIn) return
        if (content === undefined) this.#outbox?.delete(waiting)
        else this.#outbox?.fill(waiting, content, bytesOf(content))
        this.#checkBound()
        this.#writeReady()
      },
      (error: unknown) => {
        if (waiting.isIn) this.#refused(waiting, error)
      },
    )
  }

  /** Without one of its fragments a message would be another one, so all of them go, or the socket does. */
  #refused(waiting: Waiting, error: unknown): void {
    const taken = this.#outbox?.takeWith(waiting) ?? []
    const last = taken.at(-1)
    if (last?.own && !isLast(last.options)) this.#droppingRest = true
    this.#host.outputRefused(error)
    const cause = error instanceof Error ? error : new Error('refused', { cause: error })
    for (const { callback } of taken) callback?.(cause)
    if (last === undefined) {
      this.#outbox?.delete(waiting)
      waiting.callback?.(cause)
      this.#host.broken('a fragment could not be made, and the beginning of its message has left')
    } else this.#writeReady()
  }

  /** Looks at the bound again: a payload that was being made may have grown. */
  #checkBound(): void {
    if (!this.#isBeyond(this.waiting, '')) return
    if (this.#policy.slowReader !== 'drop' || !this.#dropUntilFits('')) this.#host.slow(this.#reason)
  }

  #writeReady(): void {
    const outbox = this.#outbox
    let next = outbox?.next(this.#betweenFragments)
    while (outbox !== undefined && next?.content !== undefined) {
      if (this.#host.isExpired()) return
      const { content, key, options, callback } = next
      if (this.#isHeld(key)) {
        this.#awaitWire()
        return
      }
      outbox.delete(next)
      this.#write(content, options, callback)
      next = outbox.next(this.#betweenFragments)
    }
    if (outbox?.size === 0) this.#outbox = undefined
    if (!this.finishing || next !== undefined) return
    // What is left stands behind a message whose last fragment will not come.
    this.cut()
  }

  #awaitWire(): void {
    if (this.#awaitsWire) return
    this.#awaitsWire = true
    this.#host.wire.whenTaken(() => {
      this.#awaitsWire = false
      this.#writeReady()
    })
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
    this.#betweenFragments = !isLast(options)
    wire.write(content, options, callback)
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

/** Nobody waits for it any more, and a rejection that nobody hears ends the process. */
function forget(content: Sent['content'] | undefined): void {
  if (isThenable(content)) content.then(undefined, () => {})
}

function replacedError(): SecureWsError {
  return new SecureWsError('SWS_CLOSED', 'A newer message with the same `latest` was sent in the place of this one.')
}

function slowError(): SecureWsError {
  return new SecureWsError('SWS_CLOSED', 'The client reads too slowly: this message was not sent.')
}
