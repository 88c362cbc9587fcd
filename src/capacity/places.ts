import type { Slot } from './capacity.ts'
import { Slots } from './slots.ts'

/**
 * Everything one TCP connection has taken, given back when it is gone: refused, reset, timed out, or upgraded and closed.
 * The listener to that end calls `release`.
 */
export class Places extends Slots {
  #gone = false

  hold(slot: Slot): void {
    // The connection had gone before the store answered: nobody would ever give the slot back.
    if (this.#gone) slot.release()
    else this.push(slot)
  }

  override release(): void {
    this.#gone = true
    super.release()
  }
}
