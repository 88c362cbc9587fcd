import type { Attributes, Histogram, Meter } from '@opentelemetry/api'

/** The way of a message, as the server sees it. */
export type Direction = 'in' | 'out'

/** How listeners, or a question to the application, ended. */
export type CallOutcome = 'returned' | 'threw' | 'silent'

/** What is measured of messages, of the questions to the application, of the sanitizer and of the relay. Durations are in ms. */
export interface Traffic {
  /** @param type a declared one, or a name of this package: what a client wrote would make a series for each text */
  message(direction: Direction, route: string, type: string, bytes: number): void
  listener(route: string, type: string, outcome: CallOutcome, duration: number): void
  lookup(question: string, outcome: CallOutcome, duration: number): void
  sanitized(outcome: 'clean' | 'refused' | 'failed', duration: number): void
  /** An envelope of another node, which was so old when it came. */
  relayed(age: number): void
}

interface Count {
  readonly labels: Attributes & { readonly type: string; readonly route: string }
  messages: number
  bytes: number
}

/** The counts of one direction, by route and type. */
type Counts = Map<string, Map<string, Count>>

/** The messages of one server in one direction, added to the counts of its meter. */
class MessageCounts {
  readonly #direction: Direction
  readonly #counts: Counts
  /** Most messages are of the kind of the one before, and to look that up costs more than all the rest. */
  #last: Count | undefined

  constructor(direction: Direction, counts: Counts) {
    this.#direction = direction
    this.#counts = counts
  }

  add(route: string, type: string, bytes: number): void {
    let count = this.#last
    if (count?.labels.type !== type || count.labels.route !== route) {
      count = this.#of(route, type)
      this.#last = count
    }
    count.messages++
    count.bytes += bytes
  }

  #of(route: string, type: string): Count {
    let types = this.#counts.get(route)
    if (types === undefined) {
      types = new Map()
      this.#counts.set(route, types)
    }
    let count = types.get(type)
    if (count === undefined) {
      count = { labels: { direction: this.#direction, type, route }, messages: 0, bytes: 0 }
      types.set(type, count)
    }
    return count
  }
}

const countsOfMeters = new WeakMap<Meter, Readonly<Record<Direction, Counts>>>()

/**
 * The sums of all servers of one meter, as of any counter: two of them with one route are one series, which a server of its own sums
 * would set back, and what the last one counted is there for whoever collects after its end.
 */
function countsOf(meter: Meter): Readonly<Record<Direction, Counts>> {
  const known = countsOfMeters.get(meter)
  if (known !== undefined) return known
  const counts: Readonly<Record<Direction, Counts>> = { in: new Map(), out: new Map() }
  const messages = meter.createObservableCounter('secure_ws.server.messages', {
    unit: '{message}',
    description: 'Messages by direction, declared type and route.',
  })
  const io = meter.createObservableCounter('secure_ws.server.io', {
    unit: 'By',
    description: 'Bytes of their payloads.',
  })
  meter.addBatchObservableCallback(
    (result) => {
      for (const types of [...counts.in.values(), ...counts.out.values()]) {
        for (const { labels, messages: count, bytes } of types.values()) {
          result.observe(messages, count, labels)
          result.observe(io, bytes, labels)
        }
      }
    },
    [messages, io],
  )
  // Last: a meter that throws here has no callback, and is asked anew by the next server.
  countsOfMeters.set(meter, counts)
  return counts
}

/** In seconds. */
const shortBounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

/**
 * Counts messages in numbers of its own, and is read when somebody collects: a counter of OpenTelemetry, which looks for its
 * labels each time, would cost a tenth of a small message.
 */
export function createTraffic(meter: Meter, failed: (error: unknown) => void): Traffic {
  const shared = countsOf(meter)
  const counts = { in: new MessageCounts('in', shared.in), out: new MessageCounts('out', shared.out) }
  const seconds = (name: string, description: string): Histogram =>
    meter.createHistogram(name, { unit: 's', description, advice: { explicitBucketBoundaries: shortBounds } })
  const listener = seconds('secure_ws.server.listener.duration', 'From the call of the listeners to their answer.')
  const lookup = seconds('secure_ws.server.lookup.duration', 'Questions to the application about an open socket.')
  const sanitizer = seconds('secure_ws.server.sanitizer.duration', 'Documents, from the queue to their verdict.')
  const lag = seconds('secure_ws.server.relay.lag', 'The age of what other nodes say, by the clocks of both.')

  function record(histogram: Histogram, duration: number, labels?: Attributes): void {
    try {
      histogram.record(duration / 1_000, labels)
    } catch (error) {
      failed(error)
    }
  }

  return {
    message: (direction, route, type, bytes) => counts[direction].add(route, type, bytes),
    listener: (route, type, outcome, duration) => record(listener, duration, { type, outcome, route }),
    lookup: (question, outcome, duration) => record(lookup, duration, { question, outcome }),
    sanitized: (outcome, duration) => record(sanitizer, duration, { outcome }),
    relayed: (age) => record(lag, Math.max(0, age)),
  }
}
