import type { Sender } from '../inbound/cleaning.ts'

/** The socket that a message came on, as its sender sees it. */
interface Heard {
  readonly sender: string
  outputRefused(): void
}

/** The sender of one message. What is sent because of it is refused once, however many documents that are too dear it holds. */
export class MessageSender implements Sender {
  readonly #receiving: Heard
  #isRefused = false

  constructor(receiving: Heard) {
    this.#receiving = receiving
  }

  get name(): string {
    return this.#receiving.sender
  }

  outputRefused(): void {
    if (this.#isRefused) return
    this.#isRefused = true
    this.#receiving.outputRefused()
  }
}
