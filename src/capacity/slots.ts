import type { Slot } from './capacity.ts'

interface Held {
  readonly slot: Slot
  readonly before: Held | undefined
}

/** Several slots as one. A chain: there are two or three for each connection, and an array starts with room for 17. */
export class Slots implements Slot {
  #last: Held | undefined

  push(slot: Slot): void {
    this.#last = { slot, before: this.#last }
  }

  release(): void {
    let held = this.#last
    this.#last = undefined
    for (; held !== undefined; held = held.before) held.slot.release()
  }
}
