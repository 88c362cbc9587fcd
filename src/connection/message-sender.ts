import type { Sender } from '../inbound/cleaning.ts'

/** The socket that a message came on. */
export interface HeardSocket {
  /** A session or an address. */
  readonly sender: string
  tooDear(): void
}

/** The sender of one message. What is sent because of it is refused once, however many documents that are too dear it holds. */
export class MessageSender implements Sender {
  readonly #socket: HeardSocket
  #isRefused = false

  constructor(socket: HeardSocket) {
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
