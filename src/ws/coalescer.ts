/** What is needed of a stream. */
export interface Sink {
  readonly writable: boolean
  /** Bytes that it holds, because the kernel has not taken them. */
  readonly writableLength: number
  write(bytes: Piece, encoding: 'latin1', callback?: WriteCallback): unknown
  cork(): void
  uncork(): void
  destroy(): unknown
}

export type WriteCallback = (error?: Error | null) => void

/** A frame, or a piece of one. In a string each unit is a byte: it is Latin-1, as the stream is told. */
export type Piece = Buffer | string

/** The time at which frames leave: behind all that came with one look at the network. */
export interface Turn {
  atEnd(coalescer: Coalescer): void
  /** The pieces as one. Members of a room mostly get the same ones: these are joined for the first of them only. */
  join(pieces: readonly Piece[], bytes: number): Piece
  /** Told of bytes that were written, and that the kernel did not take at once. */
  readonly kept: (bytes: number) => void
}

/** So many sockets at most wait for what else came with the look. */
export const mostWaiting = 64

/**
 * A write to a client that sleeps costs twice as much as one to a client that is awake: the kernel has to wake it. Answers that leave
 * one behind the other meet clients that the first of them has woken, so they wait until all that came has been read. In a crowd, or
 * in a broadcast, they do not wait for more than the callback that runs.
 */
export function createTurn(
  kept: (bytes: number) => void = () => {},
  afterReading: (task: () => void) => void = setImmediate,
  afterCallback: (task: () => void) => void = process.nextTick,
): Turn {
  let waiting: Coalescer[] = []
  let isDue = false
  let last: { readonly pieces: readonly Piece[]; readonly whole: Buffer } | undefined
  const flush = () => {
    const due = waiting
    waiting = []
    for (const coalescer of due) coalescer.turnEnded()
    last = undefined
  }
  return {
    kept,
    atEnd(coalescer) {
      if (waiting.push(coalescer) === mostWaiting) afterCallback(flush)
      if (isDue) return
      isDue = true
      afterReading(() => {
        isDue = false
        flush()
      })
    },
    join(pieces, bytes) {
      const [first] = pieces
      if (pieces.length === 1 && first !== undefined) return first
      if (last !== undefined && areSame(last.pieces, pieces)) return last.whole
      const whole = joined(pieces, bytes)
      last = { pieces, whole }
      return whole
    },
  }
}

/** What waits beyond this goes out at once: a turn that sends much must not look like a client that reads slowly. */
const flushBytes = 65_536

/**
 * Joins what is written to one socket within a turn of the loop into one write. A write is a system call, and system calls
 * are most of what a small message costs: sixteen answers to sixteen messages that came in one packet leave in one, too.
 */
export class Coalescer<S extends Sink = Sink> {
  protected readonly sink: S
  readonly #turn: Turn
  /** All that stands before `#text`. */
  #pieces: Piece[] | undefined
  /** Frames that are text, as one: nearly always all there is. */
  #text = ''
  #callbacks: WriteCallback[] | undefined
  #bytes = 0
  #awaitsEnd = false

  constructor(sink: S, turn: Turn) {
    this.sink = sink
    this.#turn = turn
  }

  /** Bytes that the stream has not been given yet. */
  get bytes(): number {
    return this.#bytes
  }

  push(piece: Piece, callback?: WriteCallback): void {
    if (this.#isEmpty) this.#awaitEnd()
    if (typeof piece === 'string') this.#text += piece
    else this.#closeText().push(piece)
    this.#bytes += piece.length
    if (callback !== undefined) {
      this.#callbacks ??= []
      this.#callbacks.push(callback)
    }
    if (this.#bytes >= flushBytes) this.flush()
  }

  turnEnded(): void {
    this.#awaitsEnd = false
    this.flush()
  }

  flush(): void {
    if (this.#isEmpty) return
    const bytes = this.#bytes
    const callback = together(this.#callbacks)
    const written = this.#pieces === undefined ? this.#text : this.#closeText()
    this.#pieces = this.#callbacks = undefined
    this.#text = ''
    this.#bytes = 0
    const { sink } = this
    if (!sink.writable) {
      callback?.(new Error('The stream has ended.'))
      return
    }
    try {
      if (typeof written === 'string') sink.write(written, 'latin1', callback)
      else if (bytes < flushBytes) sink.write(this.#turn.join(written, bytes), 'latin1', callback)
      else this.#writeEach(written, callback)
    } catch (error) {
      // Of the sockets that are written behind it, and of a broadcast, none may stay mute because of this one.
      sink.destroy()
      callback?.(new Error('The stream has failed.', { cause: error }))
      this.broke(error)
      return
    }
    if (sink.writableLength > 0) {
      this.kept(bytes)
      this.fellBehind()
    }
  }

  get #isEmpty(): boolean {
    return this.#text === '' && this.#pieces === undefined
  }

  #closeText(): Piece[] {
    const pieces = this.#pieces ?? []
    if (this.#text !== '') pieces.push(this.#text)
    this.#text = ''
    this.#pieces = pieces
    return pieces
  }

  /** Tells whoever counts that so many bytes wait somewhere on their way to the kernel. */
  kept(bytes: number): void {
    this.#turn.kept(bytes)
  }

  /** The stream has bytes that the kernel has not taken. */
  protected fellBehind(): void {}

  /** The stream threw, and is destroyed. */
  protected broke(_error: unknown): void {}

  #awaitEnd(): void {
    if (this.#awaitsEnd) return
    this.#awaitsEnd = true
    this.#turn.atEnd(this)
  }

  /** Large payloads are not copied; the kernel gets the pieces in one call. */
  #writeEach(pieces: readonly Piece[], callback: WriteCallback | undefined): void {
    this.sink.cork()
    const last = pieces.length - 1
    for (const [index, piece] of pieces.entries())
      this.sink.write(piece, 'latin1', index === last ? callback : undefined)
    this.sink.uncork()
  }
}

function joined(pieces: readonly Piece[], bytes: number): Buffer {
  const whole = Buffer.allocUnsafe(bytes)
  let offset = 0
  for (const piece of pieces) {
    if (typeof piece === 'string') offset += whole.write(piece, offset, 'latin1')
    else {
      whole.set(piece, offset)
      offset += piece.length
    }
  }
  return whole
}

/** By identity: a header that ws made for one socket is nobody else's. */
function areSame(a: readonly Piece[], b: readonly Piece[]): boolean {
  return a.length === b.length && a.every((piece, index) => typeof piece === 'object' && piece === b[index])
}

function together(callbacks: readonly WriteCallback[] | undefined): WriteCallback | undefined {
  if (callbacks === undefined) return undefined
  return (error) => {
    for (const callback of callbacks) callback(error)
  }
}
