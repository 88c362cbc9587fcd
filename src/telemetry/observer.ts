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

/** A received message of which the durations and the span are taken, from its first step to its answer. */
export interface WatchedMessage {
  /** Runs its work, where somebody wants to be around it; elsewhere it is left out, and the work is simply done. */
  readonly run?: (<T>(work: () => T) => T) | undefined
  /** Its verdict is known. @param type a declared type; `other` for what is none */
  decided(type: string, code: string | undefined): void
  /** Its listeners are called now. */
  called(): void
  /** They have ended. */
  ended(outcome: CallOutcome): void
}

/** Watches messages where somebody measures or traces them. */
export interface Observer {
  /**
   * A message has come, which is looked at closely: of a crowd only some are, and of the others nothing is made.
   *
   * @param now ms of a clock that nobody can set
   */
  watch(socket: Observed, bytes: number, now: number): WatchedMessage | undefined
  /** Counts a message in, once its verdict is known. @param type a declared type; `other` for what is none */
  received(socket: Observed, type: string, bytes: number): void
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
      // A closer look costs as much as a message.
      if (!attention(now) && !isTold) return undefined
      const span = traces?.message(route, bytes, trace)
      return new SeenMessage(options, span, isTold ? { route, bytes } : undefined, route)
    },
    received: ({ policy: { route } }, type, bytes) => traffic?.message('in', route, type, bytes),
    sent: ({ policy: { route } }, type, bytes) => traffic?.message('out', route, type, bytes),
    lookup: (question, outcome, duration) => traffic?.lookup(question, outcome, duration),
  }
  if (traffic !== undefined || traces !== undefined) return () => observer
  return () => (messagesAreTraced() ? observer : undefined)
}

class SeenMessage implements WatchedMessage {
  readonly #options: ObserverOptions
  readonly #span: MessageSpan | undefined
  readonly #said: MessageTrace | undefined
  readonly #route: string
  #type = 'other'
  #since = 0

  constructor(options: ObserverOptions, span: MessageSpan | undefined, said: MessageTrace | undefined, route: string) {
    this.#options = options
    this.#span = span
    this.#said = said
    this.#route = route
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

  decided(type: string, code: string | undefined): void {
    this.#type = type
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
