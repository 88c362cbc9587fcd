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
    for (const listener of [...(this.#listeners.get(message.type) ?? [])]) callContained(listener, message as never)
    for (const loop of this.#loops) loop.push(message)
  }

  loop(): Loop {
    const loop: Loop = new Loop(() => this.#loops.delete(loop))
    this.#loops.add(loop)
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
  #ended: { readonly error: Error | undefined } | undefined
  #wake: (() => void) | undefined

  constructor(leave: () => void) {
    this.#leave = leave
  }

  push(message: unknown): void {
    if (this.#messages.push(message) > mostWaiting) this.end(new Error(`over ${mostWaiting} messages wait for a loop`))
    this.#wake?.()
  }

  end(error: Error | undefined): void {
    this.#leave()
    this.#ended ??= { error }
    this.#wake?.()
  }

  async next(): Promise<IteratorResult<unknown, undefined>> {
    while (this.#messages.length === 0 && this.#ended === undefined) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    if (this.#messages.length > 0) return { value: this.#messages.shift(), done: false }
    // Thrown once: a loop that goes on asking is told that it is over.
    const error = this.#ended?.error
    this.#ended = { error: undefined }
    if (error !== undefined) throw error
    return { value: undefined, done: true }
  }

  async return(): Promise<IteratorReturnResult<undefined>> {
    this.#messages.length = 0
    this.end(undefined)
    return { value: undefined, done: true }
  }
}

/** `undefined` for a frame that is no message: it is nobody's here. */
export function readMessage(data: unknown): Message | undefined {
  if (typeof data !== 'string') return undefined
  try {
    const message: unknown = JSON.parse(data)
    return typeof Object(message).type === 'string' ? (message as Message) : undefined
  } catch {
    return undefined
  }
}
