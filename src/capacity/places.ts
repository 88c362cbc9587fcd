import type { Slot } from './capacity.ts'
import { Slots } from './slots.ts'

/** What is needed of a TCP connection: to hear when it is gone. */
export interface Closing {
  readonly destroyed: boolean
  on(event: 'close', listener: () => void): unknown
}

/**
 * Everything one TCP connection has taken, given back when it is gone: refused, reset, timed out, or upgraded and closed. One
 * listener, however many slots, and nothing of the handshake is kept alive by it.
 */
export class Places implements Slot {
  readonly #slots = new Slots()
  #gone: boolean

  constructor(connection: Closing) {
    this.#gone = connection.destroyed
    connection.on('close', () => this.release())
  }

  hold(slot: Slot): void {
    // `close` was emitted before we asked: nobody would ever give the slot back.
    if (this.#gone) slot.release()
    else this.#slots.push(slot)
  }

  release(): void {
    this.#gone = true
    this.#slots.release()
  }
}
