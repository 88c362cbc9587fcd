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
  /** Its verdict is known. @param type a declared type; `other` for what is none */
  decided(type: string, code?: string): void
  /** Its listeners are called now. */
  called(): void
  /** They have ended. */
  ended(outcome: CallOutcome): void
}

/** Watches messages where somebody measures or traces them. */
export interface Observer {
  /** Runs the work of one message. */
  message<T>(socket: Observed, bytes: number, work: (watched: WatchedMessage) => T): T
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
  const observer: Observer = {
    message({ policy: { route }, trace }, bytes, work) {
      const span = traces?.message(route, bytes, trace)
      const said = messagesAreTraced() ? { route, bytes } : undefined
      const watched = new Message(options, span, said, route, bytes)
      let run = () => work(watched)
      if (said !== undefined) run = within(run, (inner) => traceMessage(said, inner))
      if (span === undefined) return run()
      return thenEither(
        () => span.run(run),
        () => span.end(),
      )
    },
    sent: ({ policy: { route } }, type, bytes) => traffic?.message('out', route, type, bytes),
    lookup: (question, outcome, duration) => traffic?.lookup(question, outcome, duration),
  }
  if (traffic !== undefined || traces !== undefined) return () => observer
  return () => (messagesAreTraced() ? observer : undefined)
}

function within<T>(work: () => T, around: (work: () => T) => T): () => T {
  return () => around(work)
}

class Message implements WatchedMessage {
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
