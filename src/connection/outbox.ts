import type { Outgoing } from '../outbound/outbound.ts'
import type { SharedFrame } from '../outbound/shared-frame.ts'
import type { FrameOptions, SendCallback } from './port.ts'

export interface WaitingParts {
  /** Sent on this socket alone: only such a payload can be a part of a message that is sent in fragments. */
  readonly own: boolean
  /** Bytes it holds in memory, as near as can be said. */
  readonly bytes: number
  /** `undefined` while it is being made. */
  readonly content?: Outgoing | SharedFrame | undefined
  readonly options?: FrameOptions | undefined
  readonly callback?: SendCallback | undefined
}

/** A payload that was accepted and has not been written; once it has left its outbox it stays out. */
export class Waiting {
  readonly own: boolean
  readonly options: FrameOptions | undefined
  readonly callback: SendCallback | undefined
  bytes: number
  content: Outgoing | SharedFrame | undefined
  // Linked: the first leave one after the other, and a Set takes a third of a second to let 50,000 go that way.
  previous: Waiting | undefined
  next: Waiting | undefined
  isIn = false

  constructor({ own, bytes, content, options, callback }: WaitingParts) {
    this.own = own
    this.bytes = bytes
    this.content = content
    this.options = options
    this.callback = callback
  }
}

/**
 * Payloads in the order in which they were sent, from the first one that cannot be written yet (a field waits for the
 * sanitizer, a Blob for its bytes) to the last. They are counted like the bytes that wait in the stream.
 */
export class Outbox {
  #first: Waiting | undefined
  #last: Waiting | undefined
  #size = 0
  #bytes = 0

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
  }

  /** What was being made is there. */
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
