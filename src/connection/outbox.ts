import type { Outgoing } from '../outbound/outbound.ts'
import type { SharedFrame } from '../outbound/shared-frame.ts'
import type { FrameOptions, SendCallback } from './port.ts'

export interface WaitingParts {
  /** Sent on this socket alone: only such a payload can be a part of a message that is sent in fragments. */
  readonly own: boolean
  /** Bytes it holds in memory, as near as can be said. */
  readonly bytes: number
  /** The beginning of a message: any payload but the second and later fragments. */
  readonly begins: boolean
  /** A newer one with the same key takes its place. */
  readonly key?: string | undefined
  /** `undefined` while it is being made. */
  readonly content?: Outgoing | SharedFrame | undefined
  readonly options?: FrameOptions | undefined
  readonly callback?: SendCallback | undefined
}

/** A payload that was accepted and has not been written; once it has left its outbox it stays out. */
export class Waiting {
  readonly own: boolean
  readonly begins: boolean
  readonly key: string | undefined
  readonly options: FrameOptions | undefined
  readonly callback: SendCallback | undefined
  bytes: number
  content: Outgoing | SharedFrame | undefined
  // Linked: the first leave one after the other, and a Set takes a third of a second to let 50,000 go that way.
  previous: Waiting | undefined
  next: Waiting | undefined
  isIn = false

  constructor({ own, bytes, begins, key, content, options, callback }: WaitingParts) {
    this.own = own
    this.begins = begins
    this.key = key
    this.bytes = bytes
    this.content = content
    this.options = options
    this.callback = callback
  }
}

/** Tells whether a payload is the last of its message, or all of it. */
export function isLast(options: FrameOptions | undefined): boolean {
  return options?.fin ?? true
}

/**
 * Payloads in the order in which they were sent, from the first one that cannot be written yet (a field waits for the
 * sanitizer, a Blob for its bytes, the newest for a client that is behind) to the last. They are counted like the bytes that
 * wait in the stream.
 */
export class Outbox {
  /** Told when the client has caught up, and not asked again until then. */
  awaitsWire = false
  #first: Waiting | undefined
  #last: Waiting | undefined
  #size = 0
  #bytes = 0
  #newest: Map<string, Waiting> | undefined

  get size(): number {
    return this.#size
  }

  get bytes(): number {
    return this.#bytes
  }

  add(waiting: Waiting): void {
    waiting.previous = this.#last
    if (this.#last === undefined) this.#first = waiting
    else this.#last.next = waiting
    this.#last = waiting
    waiting.isIn = true
    this.#size++
    this.#bytes += waiting.bytes
    if (waiting.key === undefined) return
    this.#newest ??= new Map()
    this.#newest.set(waiting.key, waiting)
  }

  /** Fills in a payload that was being made. */
  fill(waiting: Waiting, content: Outgoing | SharedFrame, bytes: number): void {
    this.#bytes += bytes - waiting.bytes
    waiting.content = content
    waiting.bytes = bytes
  }

  delete(waiting: Waiting): void {
    const { previous, next } = waiting
    if (previous === undefined) this.#first = next
    else previous.next = next
    if (next === undefined) this.#last = previous
    else next.previous = previous
    waiting.previous = waiting.next = undefined
    waiting.isIn = false
    this.#size--
    this.#bytes -= waiting.bytes
    if (waiting.key !== undefined) this.#newest?.delete(waiting.key)
  }

  /** The one with this key; there is one at the most. */
  keyed(key: string): Waiting | undefined {
    return this.#newest?.get(key)
  }

  /**
   * Takes out the oldest message that has not begun to leave, with all its fragments: half a message is none. Empty when
   * there is none; without its last fragment when that is still to be sent.
   */
  takeOldest(): readonly Waiting[] {
    let first = this.#first
    while (first !== undefined && !first.begins) first = first.next
    return first === undefined ? [] : this.#takeMessage(first)
  }

  /**
   * Takes out the message that a payload is a part of, with all its fragments: a message with a hole is another message. Empty
   * when its beginning has left.
   */
  takeWith(part: Waiting): readonly Waiting[] {
    let first: Waiting | undefined = part
    while (first !== undefined && !(first.own === part.own && first.begins)) first = first.previous
    return first === undefined ? [] : this.#takeMessage(first)
  }

  #takeMessage(first: Waiting): readonly Waiting[] {
    const taken = [first]
    let last = first
    for (let each = first.next; each !== undefined && first.own && !isLast(last.options); each = each.next) {
      if (!each.own) continue
      taken.push(each)
      last = each
    }
    for (const each of taken) this.delete(each)
    return taken
  }

  /**
   * Tells whose turn it is. RFC 6455 section 5.4: between the fragments of one message no other message may stand, so there
   * only the next fragment has its turn, whatever was sent to a whole room meanwhile.
   */
  next(betweenFragments: boolean): Waiting | undefined {
    let waiting = this.#first
    while (betweenFragments && waiting?.own === false) waiting = waiting.next
    return waiting
  }

  /** Takes out everything, in order. */
  *empty(): Iterable<Waiting> {
    for (let waiting = this.#first; waiting !== undefined; waiting = this.#first) {
      this.delete(waiting)
      yield waiting
    }
  }
}
