/** A frame as it came: text and binary are told apart by the flag. */
export interface Frame {
  readonly bytes: Buffer
  readonly isBinary: boolean
}

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

/** Who reads the frames, as this sees it. */
export interface InboxHost {
  /** One frame from start to end; the next one waits for the promise. Must not throw or reject. */
  take(frame: Frame): void | Promise<void>
  hold(): void
  release(): void
}

/**
 * Serial per socket: one frame at a time, in order. While a step waits, up to a bound of frames queue up; then the reader is
 * paused and TCP slows the client down, so that memory stays flat however fast it sends.
 */
export class Inbox {
  readonly #host: InboxHost
  readonly #bounds: InboxBounds
  #queue: Frame[] | undefined
  #bytes = 0
  #busy = false
  #holding = false

  constructor(host: InboxHost, bounds: InboxBounds) {
    this.#host = host
    this.#bounds = bounds
  }

  push(frame: Frame): void {
    if (this.#busy) {
      this.#queue ??= []
      this.#queue.push(frame)
      this.#bytes += frame.bytes.length
      const { inboundQueue, messageBytes } = this.#bounds
      if (!this.#holding && (this.#queue.length >= inboundQueue || this.#bytes >= messageBytes)) {
        this.#holding = true
        this.#host.hold()
      }
      return
    }
    const waiting = this.#host.take(frame)
    if (waiting === undefined) return
    this.#busy = true
    void this.#run(waiting)
  }

  /** Nothing that waits is delivered any more, and reading goes on: the other side's close frame is still to come. */
  clear(): void {
    this.#queue = undefined
    this.#bytes = 0
    this.#letGo()
  }

  async #run(waiting: Promise<void>): Promise<void> {
    await waiting
    for (let frame = this.#queue?.shift(); frame !== undefined; frame = this.#queue?.shift()) {
      this.#bytes -= frame.bytes.length
      await this.#host.take(frame)
    }
    this.#queue = undefined
    this.#busy = false
    this.#letGo()
  }

  #letGo(): void {
    if (!this.#holding) return
    this.#holding = false
    this.#host.release()
  }
}
