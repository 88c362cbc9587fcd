/** A frame as it came: text and binary are told apart by the flag. */
export interface Frame {
  readonly bytes: Buffer
  readonly isBinary: boolean
}

/** The size of a read of the kernel, as Node does it. */
const readBytes = 65_536

/** The `limits` on what was read and waits for a listener. */
export interface InboxBounds {
  /** Messages that may wait for a listener; beyond that nothing is read from the socket. Default 64. */
  readonly inboundQueue: number
  /**
   * Bytes of one message, its fragments together; a larger one ends the socket with 1009. As many bytes may wait for a
   * listener, and what one read of the kernel held (64 KiB) on top. Default 65,536.
   */
  readonly messageBytes: number
}

/**
 * The frames that wait while one is dealt with, up to a bound; then the reader is paused and TCP slows the client down, so that
 * memory stays flat however fast it sends.
 *
 * What was read before the pause still comes. Uncompressed that is little; inflated it can be a thousand times what was on the
 * wire, so there is a bound behind the bound.
 */
export class Inbox {
  readonly #bounds: InboxBounds
  #queue: Frame[] = []
  #bytes = 0

  constructor(bounds: InboxBounds) {
    this.#bounds = bounds
  }

  /** Messages that wait. */
  get length(): number {
    return this.#queue.length
  }

  /** Bytes that wait. */
  get bytes(): number {
    return this.#bytes
  }

  /**
   * @returns `over` when more would wait than any uncompressed stream can bring: the frame is not kept; `full` when nothing more
   * should be read before all of it is done
   */
  push(frame: Frame): 'kept' | 'full' | 'over' {
    const { inboundQueue, messageBytes } = this.#bounds
    if (this.#bytes + frame.bytes.length > 4 * Math.max(messageBytes, readBytes)) return 'over'
    this.#queue.push(frame)
    this.#bytes += frame.bytes.length
    return this.#queue.length >= inboundQueue || this.#bytes >= messageBytes ? 'full' : 'kept'
  }

  /** The one whose turn it is. */
  shift(): Frame | undefined {
    const frame = this.#queue.shift()
    if (frame !== undefined) this.#bytes -= frame.bytes.length
    return frame
  }

  clear(): void {
    this.#queue = []
    this.#bytes = 0
  }
}
