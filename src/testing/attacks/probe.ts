import type { Duplex } from 'node:stream'
import { clearTimeout, setTimeout } from 'node:timers'
import type { WebSocket } from 'ws'

/** What became of a message. */
export interface Outcome {
  /** `delivered`: a listener got it. `silent`: nobody can tell. */
  readonly kind: 'delivered' | 'refused' | 'silent'
  /** A code, or the outcome in words. */
  readonly text: string
}

/** Our side has failed behind every check: the message was delivered. */
const behindTheChecks = ['SWS_INTERNAL', 'SWS_TIMEOUT', 'SWS_NO_LISTENER']

/** How long a listener may take to answer, in ms. */
const longest = 3_000

/** The kind of answer that a right message had, where nothing says that it was answered. */
export type Likeness = string | undefined

/** A socket that sends what no client should. */
export class Probe {
  readonly socket: WebSocket
  /** The client's end of the connection, for bytes that are no frames of ws. */
  readonly stream: Duplex
  /** Every text frame, as it came. */
  readonly texts: string[] = []
  readonly #answers: boolean
  readonly #patience: number
  #closed: number | undefined
  #changed = Promise.withResolvers<void>()

  constructor(socket: WebSocket, stream: Duplex, answers: boolean, patience: number) {
    this.socket = socket
    this.stream = stream
    this.#answers = answers
    this.#patience = patience
    socket.on('error', () => {})
    stream.on('error', () => {})
    socket.on('message', (data: Buffer, isBinary) => {
      if (!isBinary) this.texts.push(String(data))
      this.#wake()
    })
    socket.on('close', (code) => {
      this.#closed = code
      this.#wake()
    })
  }

  get closed(): number | undefined {
    return this.#closed
  }

  /**
   * Sends a text, and says what became of it: by the answer to its `id` where the server promises one; else by whether something like
   * the answer to a right message comes.
   */
  async say(text: string | Uint8Array, id: number | undefined, like: Likeness): Promise<Outcome> {
    if (this.#closed !== undefined) return { kind: 'refused', text: `closed with ${this.#closed}` }
    const from = this.texts.length
    this.socket.send(text)
    return this.outcome(from, id, like)
  }

  async outcome(from: number, id: number | undefined, like: Likeness): Promise<Outcome> {
    const limit = this.#answers ? longest : this.#patience
    const found = await this.until(limit, () => {
      for (const answer of this.texts.slice(from)) {
        const outcome = this.#answers ? answerTo(answer, id) : likeness(answer) === like ? delivered : undefined
        if (outcome !== undefined) return outcome
      }
      return this.#closed === undefined
        ? undefined
        : ({ kind: 'refused', text: `closed with ${this.#closed}` } as const)
    })
    if (found !== undefined) return found
    if (this.#answers || this.texts.length === from) return { kind: 'silent', text: 'silent' }
    return { kind: 'refused', text: 'answered otherwise' }
  }

  /** Waits until something is there, or `undefined` when it is not in time. */
  async until<T>(limit: number, look: () => T | undefined): Promise<T | undefined> {
    const end = Promise.withResolvers<'late'>()
    const timer = setTimeout(end.resolve, limit, 'late')
    try {
      for (;;) {
        const found = look()
        if (found !== undefined) return found
        if ((await Promise.race([this.#changed.promise, end.promise])) === 'late') return look()
      }
    } finally {
      clearTimeout(timer)
    }
  }

  /** Waits until nothing has come for a moment: a welcome is no answer. */
  async quiet(): Promise<void> {
    for (let seen = -1; seen !== this.texts.length; ) {
      seen = this.texts.length
      await this.until(Math.min(30, this.#patience), () => (this.texts.length > seen ? true : undefined))
    }
  }

  /** Whether everything that was written has been read: the server answers a ping. */
  async isRead(limit: number): Promise<boolean> {
    if (this.#closed !== undefined) return false
    let answered = false
    this.socket.once('pong', () => {
      answered = true
      this.#wake()
    })
    this.socket.ping()
    return (await this.until(limit, () => (answered || this.#closed !== undefined ? answered : undefined))) === true
  }

  async leave(): Promise<void> {
    this.socket.terminate()
    this.stream.destroy()
    await this.until(1_000, () => this.#closed)
  }

  #wake(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }
}

const delivered: Outcome = { kind: 'delivered', text: 'delivered' }

function answerTo(text: string, id: number | undefined): Outcome | undefined {
  const answer = objectIn(text)
  const isOurs = answer?.type === 'error' || answer?.type === 'reply'
  if (!isOurs || (answer.id !== undefined && answer.id !== id)) return undefined
  if (answer.type === 'reply') return delivered
  const code = String(answer.code)
  return behindTheChecks.includes(code)
    ? { kind: 'delivered', text: `delivered (${code})` }
    : { kind: 'refused', text: code }
}

/** The kind of a text: of an object its `type`, of everything else whether it is JSON. */
export function likeness(text: string): string {
  const answer = objectIn(text)
  return answer === undefined ? 'text' : `object ${String(answer.type ?? Object.keys(answer).join(' '))}`
}

function objectIn(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Readonly<Record<string, unknown>>)
      : undefined
  } catch {
    return undefined
  }
}
