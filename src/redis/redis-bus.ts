import { type Bus, type BusState, isTopic } from '../relay/bus.ts'
import { answerOfRedis, type RedisCommands, redisCommandLimits, redisCommands } from './commands.ts'
import { redisDenials } from './denials.ts'
import { redisLeases } from './leases.ts'
import { compileRedisBus, type RedisBusOptions, type RedisBusPlan } from './options.ts'
import { redisRates } from './rates.ts'

export type { RedisBusOptions } from './options.ts'

/** The bus that `redisBus` makes. */
export interface RedisBus extends Bus {
  readonly name: 'redis'
  /** The prefix of every key and channel. */
  readonly channel: string
  readonly state: BusState
  /** The connection for commands, for stores that live beside the bus (`redisTickets`). */
  readonly commands: RedisCommands
}

/**
 * Nodes that share a Redis. Connects on first use, with one connection for commands and one for subscriptions, and closes
 * with the application. On a cluster pub/sub is sharded: a room's traffic reaches only the shard that owns it.
 *
 * @throws SecureWsError `SWS_BAD_OPTION`
 */
export function redisBus(options: RedisBusOptions): RedisBus {
  return connectRedisBus(compileRedisBus(options))
}

/** Milliseconds: how often an answer is asked for, and how long it may take. */
export interface Heartbeat {
  readonly every: number
  readonly timeout: number
}

export function connectRedisBus(
  { source, channel, secret, clockSkew, leaseTtl }: RedisBusPlan,
  pulse: Heartbeat = { every: 5_000, timeout: 4_000 },
): RedisBus {
  const writer = source.open()
  const reader = source.open()
  const ofWriter = redisCommands(writer)
  const commands: RedisCommands = {
    async send(...command) {
      if (!begun) await beginning()
      return ofWriter.send(...command)
    },
    async run(...call) {
      if (!begun) await beginning()
      return ofWriter.run(...call)
    },
  }
  const deliveries = new Map<string, Set<(payload: string) => void>>()
  const stateListeners = new Set<(state: BusState) => void>()
  const failureListeners = new Set<(error: unknown) => void>()
  let phase: 'new' | 'open' | 'closed' = 'new'
  let state: BusState = 'down'
  let answering = true
  let heartbeat: NodeJS.Timeout | undefined
  let begun = false
  let first: Promise<void> | undefined
  let waiting = 0

  const open = (): void => {
    if (phase !== 'new') return
    phase = 'open'
    writer.connect()
    reader.connect()
    heartbeat = setInterval(() => void beat(), pulse.every)
    heartbeat.unref()
  }

  const update = (): void => {
    const next: BusState = phase === 'open' && answering && writer.up && reader.up ? 'up' : 'down'
    if (next === state) return
    state = next
    for (const listener of [...stateListeners]) listener(next)
  }

  // A peer that vanished without a FIN looks connected for a long time; an unanswered PING does not.
  const beat = async (): Promise<void> => {
    if (!writer.up || !reader.up) return
    try {
      await answerOfRedis(Promise.all([writer.send(channel, ['PING']), reader.send(channel, ['PING'])]), pulse.timeout)
      answering = true
    } catch {
      answering = false
    }
    update()
  }

  writer.onChange(update)
  reader.onChange(update)
  const failed = (error: unknown): void => {
    for (const listener of [...failureListeners]) listener(error)
  }
  writer.onFailure(failed)
  reader.onFailure(failed)
  reader.onPayload((name, payload) => {
    for (const deliver of [...(deliveries.get(name) ?? [])]) {
      try {
        deliver(payload)
      } catch (error) {
        queueMicrotask(() => process.emitWarning(error instanceof Error ? error : String(error)))
      }
    }
  })

  /** Once, at the beginning: time to connect, so that nobody starts by being refused. */
  const firstUp = async (): Promise<void> => {
    open()
    if (state !== 'up') {
      const { promise, resolve } = Promise.withResolvers<void>()
      const listener = () => resolve()
      stateListeners.add(listener)
      await answerOfRedis(promise, 2_000).catch(() => {})
      stateListeners.delete(listener)
    }
    // Not in this turn: who waits goes first, or a later command would overtake it.
    setImmediate(() => {
      begun = true
    })
  }

  async function beginning(): Promise<void> {
    if (phase === 'closed') return
    if (waiting >= redisCommandLimits.pending) throw new Error('too many commands wait for Redis')
    waiting++
    first ??= firstUp()
    await first
    waiting--
  }

  return {
    name: 'redis',
    channel,
    get secret() {
      return secret()
    },
    clockSkew,
    leaseTtl,
    commands,
    stores: {
      denials: redisDenials(commands, channel, secret),
      leases: redisLeases(commands, channel),
      rates: redisRates(commands, channel),
    },
    get state() {
      return state
    },
    onState(listener) {
      stateListeners.add(listener)
      return () => void stateListeners.delete(listener)
    },
    onFailure(listener) {
      failureListeners.add(listener)
      return () => void failureListeners.delete(listener)
    },
    async subscribe(topic, deliver) {
      if (!isTopic(topic)) throw new TypeError('not a topic')
      if (phase === 'closed') throw new Error('the bus is closed')
      if (!begun) await beginning()
      const name = `${channel}:${topic}`
      const all = deliveries.get(name) ?? new Set()
      deliveries.set(name, all)
      const one = (payload: string) => deliver(payload)
      all.add(one)
      const drop = () => {
        all.delete(one)
        if (all.size === 0 && deliveries.get(name) === all) deliveries.delete(name)
      }
      try {
        if (!reader.up) throw new Error('Redis is away')
        await answerOfRedis(reader.subscribe(name), 2_000)
      } catch (error) {
        drop()
        throw error
      }
      return async () => {
        drop()
        // While Redis is away there is nothing to undo there, and a later delivery finds nobody.
        if (!deliveries.has(name)) await reader.unsubscribe(name).catch(() => {})
      }
    },
    async publish(topic, payload) {
      if (!isTopic(topic)) throw new TypeError('not a topic')
      const name = `${channel}:${topic}`
      await commands.send(name, source.cluster ? 'SPUBLISH' : 'PUBLISH', name, payload)
    },
    async close() {
      if (phase === 'closed') return
      phase = 'closed'
      clearInterval(heartbeat)
      state = 'down'
      stateListeners.clear()
      failureListeners.clear()
      deliveries.clear()
      await Promise.all([writer.close(), reader.close()])
    },
  }
}
