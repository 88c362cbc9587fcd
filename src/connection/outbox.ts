import { isThenable } from './listeners.ts'

/**
 * Keeps the order of one socket while a payload is still being made (a field waits for the sanitizer): later payloads wait
 * behind it, on this socket only. With nothing pending, everything is written at once and nothing is allocated.
 */
export class Outbox<T> {
  readonly #write: (item: T) => void
  #waiting: (T | PromiseLike<T | undefined>)[] | undefined

  constructor(write: (item: T) => void) {
    this.#write = write
  }

  /** How many payloads wait. */
  get size(): number {
    return this.#waiting?.length ?? 0
  }

  /** A promise of `undefined`, or one that rejects, stands for a payload that was refused: it is passed over. */
  push(item: T | PromiseLike<T | undefined>): void {
    if (this.#waiting !== undefined) this.#waiting.push(item)
    else if (isThenable(item)) {
      this.#waiting = [item]
      void this.#run(this.#waiting)
    } else this.#write(item as T)
  }

  /** Forgets what waits: the socket has closed. */
  clear(): void {
    if (this.#waiting !== undefined) this.#waiting.length = 0
  }

  async #run(waiting: (T | PromiseLike<T | undefined>)[]): Promise<void> {
    while (waiting.length > 0) {
      const [next] = waiting
      const item = isThenable(next) ? await Promise.resolve(next).catch(() => undefined) : next
      // The head stays in place while it is awaited; `clear` may have taken it away meanwhile.
      if (waiting.length === 0) break
      waiting.shift()
      if (item !== undefined) this.#write(item as T)
    }
    this.#waiting = undefined
  }
}
