import { isThenable } from '../thenable.ts'

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

  /** Forgets what waits and hands it to `onForgotten`, as it becomes known: the socket has closed. */
  clear(onForgotten: (item: T) => void): void {
    const waiting = this.#waiting ?? []
    this.#waiting = undefined
    for (const item of waiting) {
      if (!isThenable(item)) onForgotten(item as T)
      else item.then((ready) => ready !== undefined && onForgotten(ready), ignore)
    }
  }

  async #run(waiting: (T | PromiseLike<T | undefined>)[]): Promise<void> {
    while (waiting.length > 0) {
      const [next] = waiting
      const item = isThenable(next) ? await Promise.resolve(next).catch(() => undefined) : next
      // The head stays in place while it is awaited; `clear` may have taken everything away meanwhile.
      if (this.#waiting !== waiting) return
      waiting.shift()
      if (item !== undefined) this.#write(item as T)
    }
    this.#waiting = undefined
  }
}

/** A payload that was refused: whoever made it has said so. */
function ignore(): void {}
