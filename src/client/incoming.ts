/** A message as it came: of its members, only the type is known. */
export type Message = Readonly<Record<string, unknown>> & { readonly type: string }

type Listener = (message: never) => void

/** So many messages may wait for a loop that is slow: then the loop ends with an error, rather than the memory. */
const mostWaiting = 1_000

/** The messages that came: to listeners by type, and to loops. */
export class Incoming {
  readonly #listeners = new Map<unknown, Set<Listener>>()
  readonly #loops = new Set<Loop>()

  on(type: string, listener: Listener): () => void {
    const listeners = this.#listeners.get(type) ?? new Set()
    this.#listeners.set(type, listeners.add(listener))
    return () => {
      listeners.delete(listener)
    }
  }

  deliver(message: Message): void {
    const listeners = this.#listeners.get(message.type)
    // Of those that were there when it came, who has not left meanwhile.
    for (const listener of [...(listeners ?? [])])
      if (listeners?.has(listener)) callContained(listener, message as never)
    for (const loop of this.#loops) loop.push(message)
  }

  /** @param isOver nothing is going to come */
  loop(isOver: boolean): Loop {
    const loop: Loop = new Loop(() => this.#loops.delete(loop))
    this.#loops.add(loop)
    if (isOver) loop.end()
    return loop
  }

  /** Every loop is over: with an error, or with nothing more to say. */
  end(error?: Error): void {
    for (const loop of this.#loops) loop.end(error)
  }
}

/** A listener that throws is the platform's to report, as for any event; the client goes on. */
export function callContained<T>(listener: (value: T) => void, value: T): void {
  try {
    listener(value)
  } catch (error) {
    report(error)
  }
}

export function report(error: unknown): void {
  queueMicrotask(() => {
    throw error
  })
}

class Loop implements AsyncIterator<unknown, undefined> {
  readonly #leave: () => void
  readonly #messages: unknown[] = []
  #ended: { readonly error?: Error | undefined } | undefined
  /** The calls of `next` that wait: another may come before the last one has its message. */
  readonly #waiting: (() => void)[] = []

  constructor(leave: () => void) {
    this.#leave = leave
  }

  push(message: unknown): void {
    if (this.#messages.push(message) > mostWaiting) this.end(new Error(`over ${mostWaiting} messages wait for a loop`))
    this.#wake()
  }

  end(error?: Error): void {
    this.#leave()
    this.#ended ??= { error }
    this.#wake()
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake()
  }

  async next(): Promise<IteratorResult<unknown, undefined>> {
    while (this.#messages.length === 0) {
      if (this.#ended) {
        const { error } = this.#ended
        // Thrown once: a loop that goes on asking is told that it is over.
        this.#ended = {}
        if (error) throw error
        return { value: undefined, done: true }
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
    return { value: this.#messages.shift(), done: false }
  }

  async return(): Promise<IteratorReturnResult<undefined>> {
    this.#messages.length = 0
    this.end()
    return { value: undefined, done: true }
  }
}

/** `undefined` for a frame that is no message: it is nobody's here. */
export function readMessage(data: unknown): Message | undefined {
  try {
    const message: unknown = JSON.parse(String(data))
    return typeof Object(message).type === 'string' ? (message as Message) : undefined
  } catch {
    return undefined
  }
}
