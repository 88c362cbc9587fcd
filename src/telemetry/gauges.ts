import type { Meter } from '@opentelemetry/api'

/** The figures of `stats()` that gauges show. */
export interface Measured {
  readonly sockets: number
  readonly connections: number
  readonly rooms: number
  readonly sessions: number
  readonly users: number
  readonly addresses: number
  readonly budgets: { readonly memoryBytes: { readonly used: number } }
  readonly bus: string
  readonly drain: object | null
  readonly load: Load
}

/** Messages, bytes and sockets that wait, at the moment of the question. */
export interface Load {
  /** Messages that were read and wait for a listener. */
  readonly unheard: number
  /** Bytes that wait for clients. */
  readonly outputBytes: number
  /** Sockets whose client has not taken all that was sent. */
  readonly slowReaders: number
  /** Documents. */
  readonly sanitizerQueue: number
}

type Gauge = readonly [
  name: string,
  unit: string,
  description: string,
  read: (stats: Measured) => number,
  /** The number of several servers of one process: their sum, or another one. */
  together?: (...numbers: readonly number[]) => number,
]

const gauges: readonly Gauge[] = [
  ['secure_ws.server.active_connections', '{connection}', 'Open sockets.', ({ sockets }) => sockets],
  [
    'secure_ws.server.places',
    '{connection}',
    'Sockets and running handshakes: what limits.connections counts.',
    ({ connections }) => connections,
  ],
  ['secure_ws.server.rooms', '{room}', 'Rooms with a member on this node.', ({ rooms }) => rooms],
  ['secure_ws.server.sessions', '{session}', 'Sessions that hold a place.', ({ sessions }) => sessions],
  ['secure_ws.server.users', '{user}', 'Users that hold a place.', ({ users }) => users],
  ['secure_ws.server.addresses', '{address}', 'Addresses that hold a place.', ({ addresses }) => addresses],
  [
    'secure_ws.server.memory.usage',
    'By',
    'Bytes that wait in the queues of all sockets.',
    ({ budgets: { memoryBytes } }) => memoryBytes.used,
  ],
  [
    'secure_ws.server.inbound.queue',
    '{message}',
    'Messages that were read and wait for a listener.',
    ({ load }) => load.unheard,
  ],
  ['secure_ws.server.output.waiting', 'By', 'Bytes that wait for their clients.', ({ load }) => load.outputBytes],
  [
    'secure_ws.server.slow_readers',
    '{connection}',
    'Sockets whose client has not taken all that was sent.',
    ({ load }) => load.slowReaders,
  ],
  ['secure_ws.server.sanitizer.queue', '{document}', 'Documents that wait.', ({ load }) => load.sanitizerQueue],
  [
    'secure_ws.server.bus_up',
    '1',
    '1 while this node hears the others, 0 while the bus is away or not caught up.',
    ({ bus }) => Number(bus === 'up'),
    Math.min,
  ],
  [
    'secure_ws.server.draining',
    '1',
    '1 from the start of a drain on.',
    ({ drain }) => Number(drain !== null),
    Math.max,
  ],
]

/** The `stats()` of the servers of one meter, read together: of one series only the number that is reported last would stay. */
class Gauges {
  readonly #readers = new Set<() => Measured>()
  readonly #meter: Meter
  #stop = () => {}

  constructor(meter: Meter) {
    this.#meter = meter
  }

  /** @returns the end of it */
  add(read: () => Measured): () => void {
    if (this.#readers.size === 0) this.#begin()
    this.#readers.add(read)
    return () => {
      if (this.#readers.has(read) && this.#readers.size === 1) this.#stop()
      this.#readers.delete(read)
    }
  }

  #begin(): void {
    const made = gauges.map(([name, unit, description, of, together = sum]) => {
      return { gauge: this.#meter.createObservableGauge(name, { unit, description }), of, together }
    })
    const all = made.map(({ gauge }) => gauge)
    const report: Parameters<Meter['addBatchObservableCallback']>[0] = (result) => {
      const numbers = [...this.#readers].map((read) => read())
      for (const { gauge, of, together } of made) result.observe(gauge, together(...numbers.map(of)))
    }
    this.#meter.addBatchObservableCallback(report, all)
    this.#stop = () => this.#meter.removeBatchObservableCallback(report, all)
  }
}

function sum(...numbers: readonly number[]): number {
  return numbers.reduce((whole, each) => whole + each, 0)
}

const gaugesOfMeters = new WeakMap<Meter, Gauges>()

/** Those of a meter, which its servers share. */
export function gaugesOf(meter: Meter): Gauges {
  const found = gaugesOfMeters.get(meter) ?? new Gauges(meter)
  gaugesOfMeters.set(meter, found)
  return found
}
