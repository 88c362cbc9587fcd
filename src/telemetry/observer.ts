import { createAttention } from './attention.ts'
import { type MessageTrace, messagesAreTraced, traceMessage } from './channels.ts'
import { thenEither } from './settled.ts'
import type { MessageSpan, TraceLink, Traces } from './traces.ts'
import type { CallOutcome, Traffic } from './traffic.ts'

/** A socket, as whoever watches its messages sees it. */
export interface Observed {
  readonly policy: { readonly route: string }
  /** The span of its handshake. */
  readonly trace?: TraceLink | undefined
}

/** One message in, from its first step to its answer. */
export interface WatchedMessage {
  /** Runs its work, where somebody looks closely at this one; elsewhere it is left out, and the work is simply done. */
  readonly run?: (<T>(work: () => T) => T) | undefined
  /** Its verdict is known. @param type a declared type; `other` for what is none */
  decided(type: string, code?: string): void
  /** Its listeners are called now. */
  called(): void
  /** They have ended. */
  ended(outcome: CallOutcome): void
}

/** Watches messages where somebody measures or traces them. */
export interface Observer {
  /** A message has come. @param now ms of a clock that nobody can set */
  watch(socket: Observed, bytes: number, now: number): WatchedMessage
  sent(socket: Observed, type: string, bytes: number): void
  lookup(question: string, outcome: CallOutcome, duration: number): void
}

export interface ObserverOptions {
  readonly traffic: Traffic | undefined
  readonly traces: Traces | undefined
  /** A clock that nobody can set. */
  readonly uptime: () => number
}

/** @returns a question for the observer of this moment, `undefined` as long as nobody watches */
export function createObserver(options: ObserverOptions): () => Observer | undefined {
  const { traffic, traces } = options
  const attention = createAttention()
  const observer: Observer = {
    watch({ policy: { route }, trace }, bytes, now) {
      const isTold = messagesAreTraced()
      // Everything is counted. A closer look costs as much as a message, so of a crowd it falls on some.
      if (!attention(now) && !isTold) return traffic === undefined ? unseen : new CountedMessage(traffic, route, bytes)
      const span = traces?.message(route, bytes, trace)
      return new SeenMessage(options, span, isTold ? { route, bytes } : undefined, route, bytes)
    },
    sent: ({ policy: { route } }, type, bytes) => traffic?.message('out', route, type, bytes),
    lookup: (question, outcome, duration) => traffic?.lookup(question, outcome, duration),
  }
  if (traffic !== undefined || traces !== undefined) return () => observer
  return () => (messagesAreTraced() ? observer : undefined)
}

const unseen: WatchedMessage = { decided() {}, called() {}, ended() {} }

class CountedMessage implements WatchedMessage {
  readonly #traffic: Traffic
  readonly #route: string
  readonly #bytes: number

  constructor(traffic: Traffic, route: string, bytes: number) {
    this.#traffic = traffic
    this.#route = route
    this.#bytes = bytes
  }

  get run(): undefined {
    return undefined
  }

  decided(type: string): void {
    this.#traffic.message('in', this.#route, type, this.#bytes)
  }

  called(): void {}

  ended(): void {}
}

class SeenMessage implements WatchedMessage {
  readonly #options: ObserverOptions
  readonly #span: MessageSpan | undefined
  readonly #said: MessageTrace | undefined
  readonly #route: string
  readonly #bytes: number
  #type = 'other'
  #since = 0

  constructor(
    options: ObserverOptions,
    span: MessageSpan | undefined,
    said: MessageTrace | undefined,
    route: string,
    bytes: number,
  ) {
    this.#options = options
    this.#span = span
    this.#said = said
    this.#route = route
    this.#bytes = bytes
  }

  get run(): (<T>(work: () => T) => T) | undefined {
    return this.#span === undefined && this.#said === undefined ? undefined : this.#run
  }

  readonly #run = <T>(work: () => T): T => {
    const span = this.#span
    const said = this.#said
    const told = said === undefined ? work : () => traceMessage(said, work)
    if (span === undefined) return told()
    return thenEither(
      () => span.run(told),
      () => span.end(),
    )
  }

  decided(type: string, code?: string): void {
    this.#type = type
    this.#options.traffic?.message('in', this.#route, type, this.#bytes)
    this.#span?.decided(type, code)
    if (this.#said !== undefined) Object.assign(this.#said, { type, code })
  }

  called(): void {
    this.#since = this.#options.uptime()
  }

  ended(outcome: CallOutcome): void {
    const { traffic, uptime } = this.#options
    traffic?.listener(this.#route, this.#type, outcome, uptime() - this.#since)
    this.#span?.ended(outcome)
    if (this.#said !== undefined) this.#said.outcome = outcome
  }
}
