import type { Sender } from '../inbound/cleaning.ts'

/** The socket that a message came on. */
export interface Receiver {
  /** Who it is to those that share the sanitizer. */
  readonly sender: string
  /** Told of a document that was too dear, which this message made the application send. */
  tooDear(): void
}

/** The sender of one message. What is sent because of it is refused once, however many documents that are too dear it holds. */
export class MessageSender implements Sender {
  readonly #socket: Receiver
  #isRefused = false

  constructor(socket: Receiver) {
    this.#socket = socket
  }

  get name(): string {
    return this.#socket.sender
  }

  outputRefused(): void {
    if (this.#isRefused) return
    this.#isRefused = true
    this.#socket.tooDear()
  }
}
