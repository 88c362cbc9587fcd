import type { CallOutcome, Traffic } from './traffic.ts'

/** A socket, as whoever watches its messages sees it. */
export interface Observed {
  readonly route: string
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

/** Watches messages where somebody measures them. */
export interface Observer {
  /** Runs the work of one message. */
  message<T>(socket: Observed, bytes: number, work: (watched: WatchedMessage) => T): T
  sent(socket: Observed, type: string, bytes: number): void
  lookup(question: string, outcome: CallOutcome, duration: number): void
}

export interface ObserverOptions {
  readonly traffic: Traffic
  /** A clock that nobody can set. */
  readonly uptime: () => number
}

export function createObserver({ traffic, uptime }: ObserverOptions): Observer {
  return {
    message: ({ route }, bytes, work) => work(new Message(traffic, uptime, route, bytes)),
    sent: ({ route }, type, bytes) => traffic.message('out', route, type, bytes),
    lookup: (question, outcome, duration) => traffic.lookup(question, outcome, duration),
  }
}

class Message implements WatchedMessage {
  readonly #traffic: Traffic
  readonly #uptime: () => number
  readonly #route: string
  readonly #bytes: number
  #type = 'other'
  #since = 0

  constructor(traffic: Traffic, uptime: () => number, route: string, bytes: number) {
    this.#traffic = traffic
    this.#uptime = uptime
    this.#route = route
    this.#bytes = bytes
  }

  decided(type: string): void {
    this.#type = type
    this.#traffic.message('in', this.#route, type, this.#bytes)
  }

  called(): void {
    this.#since = this.#uptime()
  }

  ended(outcome: CallOutcome): void {
    this.#traffic.listener(this.#route, this.#type, outcome, this.#uptime() - this.#since)
  }
}
