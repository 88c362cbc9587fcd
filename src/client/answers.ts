import { type Message, report } from './incoming.ts'

type Giver = (message: never) => unknown

/** The answers to what the server asks, by type of the message: one for each. */
export class Answers {
  readonly #givers = new Map<unknown, Giver>()

  /** Takes the place of the one before. Returns its own end. */
  on(type: string, giver: Giver): () => void {
    this.#givers.set(type, giver)
    return () => {
      if (this.#givers.get(type) === giver) this.#givers.delete(type)
    }
  }

  /** Answers one request, whatever it is: a server need not wait for its deadline to hear that nobody is there. */
  async give({ id, message }: Message, send: (text: string) => void): Promise<void> {
    const giver = this.#givers.get(Object(message).type)
    let answer = JSON.stringify({ type: 'error', id, code: giver ? 'SWS_INTERNAL' : 'SWS_NO_LISTENER' })
    try {
      if (giver) answer = JSON.stringify({ type: 'reply', id, value: await giver(message as never) })
    } catch (error) {
      report(error)
    }
    send(answer)
  }
}
