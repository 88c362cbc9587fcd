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

/** Who reads the frames, as this sees it. */
export interface InboxHost {
  /** Takes a frame from start to end; the next one waits for the promise. */
  take(frame: Frame, now: number): void | Promise<void>
  /** Takes a frame that waited: no longer in the turn in which it came, and so in the context of another one. */
  takeLater(frame: Frame): void | Promise<void>
  /** Told of what `take` threw: the frames behind it go on. Must not throw. */
  failed(error: unknown): void
  hold(): void
  release(): void
}

/** The keeper of the accounts, as this sees it. */
export interface InboxAccount {
  /** Told of bytes that wait from now on. */
  kept(bytes: number): void
}

/**
 * Serial per socket: one frame at a time, in order. While a step waits, up to a bound of frames queue up; then the reader is
 * paused and TCP slows the client down, so that memory stays flat however fast it sends.
 *
 * What was read before the pause still comes. Uncompressed that is little; inflated it can be a thousand times what was on the
 * wire, so there is a bound behind the bound.
 */
export class Inbox {
  readonly #host: InboxHost
  readonly #bounds: InboxBounds
  readonly #account: InboxAccount
  #queue: Frame[] | undefined
  #bytes = 0
  #busy = false
  #holding = false

  constructor(host: InboxHost, bounds: InboxBounds, account: InboxAccount) {
    this.#host = host
    this.#bounds = bounds
    this.#account = account
  }

  /** Messages that wait. */
  get length(): number {
    return this.#queue?.length ?? 0
  }

  /** Bytes that wait. */
  get bytes(): number {
    return this.#bytes
  }

  /** Says `over` when more would wait than any uncompressed stream can bring: the frame is not kept. */
  push(frame: Frame, now: number): 'over' | undefined {
    if (!this.#busy) {
      const waiting = this.#take(frame, now)
      if (waiting === undefined) return undefined
      this.#busy = true
      void this.#run(waiting)
      return undefined
    }
    const { inboundQueue, messageBytes } = this.#bounds
    if (this.#bytes + frame.bytes.length > 4 * Math.max(messageBytes, readBytes)) return 'over'
    this.#queue ??= []
    this.#queue.push(frame)
    this.#bytes += frame.bytes.length
    this.#account.kept(frame.bytes.length)
    if (!this.#holding && (this.#queue.length >= inboundQueue || this.#bytes >= messageBytes)) {
      this.#holding = true
      this.#host.hold()
    }
    return undefined
  }

  /** Nothing that waits is delivered any more, and reading goes on: the other side's close frame is still to come. */
  clear(): void {
    this.#queue = undefined
    this.#bytes = 0
    this.#letGo()
  }

  async #run(waiting: Promise<void>): Promise<void> {
    let next: void | Promise<void> = waiting
    for (;;) {
      try {
        await next
      } catch (error) {
        this.#host.failed(error)
      }
      const frame = this.#queue?.shift()
      if (frame === undefined) break
      this.#bytes -= frame.bytes.length
      next = this.#take(frame)
    }
    this.#queue = undefined
    this.#busy = false
    this.#letGo()
  }

  /** @param now when it came; `undefined` for a frame that had to wait */
  #take(frame: Frame, now?: number): void | Promise<void> {
    try {
      return now === undefined ? this.#host.takeLater(frame) : this.#host.take(frame, now)
    } catch (error) {
      this.#host.failed(error)
    }
  }

  #letGo(): void {
    if (!this.#holding) return
    this.#holding = false
    this.#host.release()
  }
}
