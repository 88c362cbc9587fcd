import { CloseCode, SecureWsError } from '../errors.ts'
import { latestOption } from '../outbound/latest.ts'
import {
  encodeMessage,
  encodeOption,
  encodeOutgoing,
  type OutboundPolicy,
  type Outgoing,
} from '../outbound/outbound.ts'
import { reasonOfRefused } from '../outbound/schema.ts'
import { SharedFrame } from '../outbound/shared-frame.ts'
import { typeLabel } from '../outbound/type-label.ts'
import { type Underway, underway } from '../outbound/underway.ts'
import { isThenable } from '../thenable.ts'
import type { Admitted } from './admitted.ts'
import { closedError } from './close.ts'
import { HeldSocket } from './held-socket.ts'
import { containedCallback } from './listeners.ts'
import { isLast, Outbox, Waiting } from './outbox.ts'
import type { FrameOptions, Port, SendCallback, SendOptions } from './port.ts'
import type { Surroundings } from './surroundings.ts'
import { ownLabel, watchSent } from './watched.ts'

/** A payload on its way out. */
interface Sent {
  readonly content: Outgoing | SharedFrame | Underway<Outgoing | SharedFrame | undefined>
  readonly own: boolean
  readonly key?: string | undefined
  readonly options?: FrameOptions | undefined
  readonly callback?: SendCallback | undefined
}

/** The way out of one socket: in order, bounded, counted. */
export abstract class SendingSocket extends HeldSocket {
  readonly wire: Port
  /** Messages and fragments that went out. */
  sent = 0
  /** Only while something waits in it. */
  #outbox: Outbox | undefined
  /** A message has begun on the wire whose last fragment is still to come. */
  #betweenFragments = false
  /** A message was begun by the application whose last fragment it has not sent yet. */
  #begun = false
  /** Its beginning was dropped, and so is the rest. */
  #droppingRest = false
  #whenEmpty: (() => void) | undefined

  constructor(makeId: () => string, wire: Port, admitted: Admitted, surroundings: Surroundings) {
    super(makeId, admitted, surroundings)
    this.wire = wire
  }

  get outbound(): OutboundPolicy {
    return this.admitted.policy.outbound
  }

  /** Bytes that were accepted and are not in the kernel. */
  get waiting(): number {
    return this.wire.waiting + this.inOutbox
  }

  get inWire(): number {
    return this.wire.waiting
  }

  protected get inOutbox(): number {
    return this.#outbox?.bytes ?? 0
  }

  /** True while the close frame stands behind payloads that wait here. */
  get finishing(): boolean {
    return this.#whenEmpty !== undefined
  }

  /** @throws SecureWsError for what cannot be encoded, or is not declared: nothing of it is sent. */
  send(value: unknown, options: SendOptions | undefined, callback?: SendCallback): void {
    const key = options && latestOption(options)
    const told = callback && this.contained(callback)
    if (this.isOver) {
      if (told !== undefined) process.nextTick(told, closedError())
      return
    }
    const content = this.#encoded(value, options)
    const { observer } = this
    if (observer !== undefined) watchSent(observer, this.admitted, content, typeLabel(value, this.outbound.types))
    const begins = !this.#begun
    this.#begun = options !== undefined && !isLast(options)
    if (begins) this.#droppingRest = false
    if (!this.#droppingRest && !isThenable(content) && this.#isFree(content, true, key)) {
      this.#write(content, options, told)
      return
    }
    const sent = { content, own: true, options, callback: told, ...(begins && { key }) }
    if (this.#droppingRest) this.#drop(sent)
    else this.#accept(sent, begins)
  }

  /** The application is told by what is thrown, which it may have caught; the operator, by an event. */
  #encoded(value: unknown, options: SendOptions | undefined): Outgoing | Underway<Outgoing> {
    try {
      return encodeOutgoing(value, this.outbound, options && encodeOption(options), options?.binary)
    } catch (error) {
      this.outputRefused(error)
      throw error
    }
  }

  /** A callback that throws is the application's fault on this socket: it ends neither the process nor other callbacks. */
  contained<E>(callback: (error: E) => unknown): (error: E) => void {
    return containedCallback(callback, (thrown) => this.fault(thrown))
  }

  /**
   * A payload that many sockets get. A promise of `undefined` was refused; whoever made it has reported that.
   *
   * @param key of what a newer payload replaces while the client is behind
   */
  deliver(frame: SharedFrame | Underway<SharedFrame | undefined>, key?: string): void {
    if (this.isOver) return
    const { observer } = this
    if (observer !== undefined) watchSent(observer, this.admitted, frame)
    this.#hand(frame, key)
  }

  #hand(content: Sent['content'], key: string | undefined): void {
    if (!isThenable(content) && this.#isFree(content, false, key)) this.#write(content, undefined, undefined)
    else this.#accept({ content, own: false, key }, true)
  }

  /** A reply, an error or a notice of our own. @throws SecureWsError for a value that cannot be encoded */
  answer(message: object | Underway<object>): void {
    if (this.isOver) return
    const { encode } = this.admitted.policy
    const encoded = (ready: object): Outgoing => {
      const content = encodeMessage(ready, encode)
      const { observer } = this
      if (observer !== undefined) watchSent(observer, this.admitted, content, ownLabel(ready))
      return content
    }
    this.#hand(
      message instanceof Promise ? underway(message.then(encoded), message.bytes) : encoded(message),
      undefined,
    )
  }

  outputRefused(error: unknown): void {
    const code = error instanceof SecureWsError ? error.code : undefined
    this.audit({ type: 'output.refused', code, reason: reasonOfRefused(error) })
    // A failure of ours, and not of what was to be sent: an event has no place for its cause.
    if (code === 'SWS_INTERNAL') this.report.thrown(error, 'a message could not be made')
  }

  /** Nothing new is accepted any more. What waits leaves first, then `done` is called: at once, if nothing does. */
  protected finish(done: () => void): void {
    this.#whenEmpty = done
    this.#writeReady()
  }

  /** Gives up the payloads that were to leave first. */
  protected cut(): void {
    const done = this.#whenEmpty
    this.clear()
    done?.()
  }

  /** Drops the payloads that wait, and tells their callbacks. */
  protected clear(): void {
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
    return (key !== undefined || this.admitted.policy.slowReader === 'drop') && this.wire.behind
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
    if (!this.#isBeyond(this.inOutbox, size)) return true
    if (this.admitted.policy.slowReader === 'drop') {
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
    this.#slow()
    return false
  }

  #dropUntilFits(size: string | { readonly byteLength: number }): boolean {
    while (this.#isBeyond(this.inOutbox, size)) {
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
    this.audit({ type: 'output.refused', code: 'SWS_SLOW_READER', reason: this.#reason })
    if (callback !== undefined) process.nextTick(callback, slowError())
  }

  #isBeyond(waiting: number, size: string | { readonly byteLength: number }): boolean {
    return exceeds(this.wire.waiting + waiting, size, this.admitted.policy.limits.outboundBytes)
  }

  get #reason(): string {
    return `over ${this.admitted.policy.limits.outboundBytes} bytes waiting (limits.outboundBytes)`
  }

  /** A payload does not fit, and none may be dropped for it. */
  #slow(): void {
    this.end(CloseCode.TryAgainLater, this.#reason)
  }

  #queue(waiting: Waiting): Waiting {
    this.#outbox ??= new Outbox()
    this.#outbox.add(waiting)
    this.surroundings.memory.add(waiting.bytes)
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
    this.outputRefused(error)
    const cause = error instanceof Error ? error : new Error('refused', { cause: error })
    for (const { callback } of taken) callback?.(cause)
    if (last === undefined) {
      this.#outbox?.delete(waiting)
      waiting.callback?.(cause)
      this.end(CloseCode.InternalError, 'a fragment could not be made, and the beginning of its message has left')
    } else this.#writeReady()
  }

  /** Looks at the bound again: a payload that was being made may have grown. */
  #checkBound(): void {
    if (!this.#isBeyond(this.inOutbox, '')) return
    if (this.admitted.policy.slowReader !== 'drop' || !this.#dropUntilFits('')) this.#slow()
  }

  #writeReady(): void {
    const outbox = this.#outbox
    let next = outbox?.next(this.#betweenFragments)
    while (outbox !== undefined && next?.content !== undefined) {
      if (this.isExpired()) return
      const { content, key, options, callback } = next
      if (this.#isHeld(key)) {
        this.#awaitWire(outbox)
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

  #awaitWire(outbox: Outbox): void {
    if (outbox.awaitsWire) return
    outbox.awaitsWire = true
    this.wire.whenTaken(() => {
      outbox.awaitsWire = false
      this.#writeReady()
    })
  }

  #write(content: Outgoing | SharedFrame, options: FrameOptions | undefined, callback: SendCallback | undefined): void {
    const { wire } = this
    if (!wire.open) {
      if (callback !== undefined) process.nextTick(callback, closedError())
      return
    }
    this.sent++
    if (content instanceof SharedFrame) {
      if (!wire.writeFrame(content)) wire.send(content, undefined, callback)
      return
    }
    this.#betweenFragments = options !== undefined && !isLast(options)
    wire.send(content, options, callback)
  }

  #lose(outbox: Outbox): void {
    const count = outbox.size
    if (count === 0) return
    for (const { callback } of outbox.empty()) if (callback !== undefined) process.nextTick(callback, closedError())
    const reason = `${count} accepted and not sent: the socket ended before their turn`
    this.audit({ type: 'output.refused', code: 'SWS_CLOSED', reason, count })
  }
}

function bytesOf(content: Outgoing | SharedFrame): number {
  const { payload } = content
  if (typeof payload !== 'string') return payload.byteLength
  // Text for many is made into its frame once, here or by the first who writes it; text for one is only measured.
  return content instanceof SharedFrame ? content.bytes.length : Buffer.byteLength(payload)
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

/**
 * Tells whether this payload would take the socket over its bound. A string is counted in bytes only when its length alone
 * does not decide: one UTF-16 unit is one to three bytes.
 */
export function exceeds(waiting: number, payload: string | { readonly byteLength: number }, bound: number): boolean {
  if (typeof payload !== 'string') return waiting + payload.byteLength > bound
  if (waiting + payload.length > bound) return true
  if (waiting + payload.length * 3 <= bound) return false
  return waiting + Buffer.byteLength(payload) > bound
}
