import { ClientError } from './client-error.ts'

/** The messages that wait for a connection. */
export class Queue {
  readonly #most: number
  #waiting: { readonly text: string; readonly id: number | undefined }[] = []

  constructor(most: number) {
    this.#most = most
  }

  /**
   * @param id of a request
   * @throws ClientError `SWS_NOT_OPEN` when it is full
   */
  push(text: string, id: number | undefined): void {
    if (this.#waiting.length >= this.#most) throw new ClientError('SWS_NOT_OPEN')
    this.#waiting.push({ text, id })
  }

  /** Nobody waits for the answer any more. */
  forget(id: number): void {
    this.#waiting = this.#waiting.filter((waiting) => waiting.id !== id)
  }

  /** The requests that have not left yet. */
  get ids(): readonly unknown[] {
    return this.#waiting.map(({ id }) => id)
  }

  /** Takes everything out. */
  take(): string[] {
    return this.#waiting.splice(0).map(({ text }) => text)
  }
}
