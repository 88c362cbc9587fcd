import { createHmac, createSecretKey, type KeyObject } from 'node:crypto'
import { badOption } from '../errors.ts'
import { type Bus, type BusState, isTopic } from './bus.ts'
import { type RedisClient, type RedisSource, redisSource } from './redis-client.ts'
import { type RedisCommands, redisCommands, within } from './redis-commands.ts'
import { redisCounters } from './redis-counters.ts'
import { redisDenials } from './redis-denials.ts'
import { redisPresence } from './redis-presence.ts'
import { type RedisTls, redisUrlSource } from './redis-url.ts'

export interface RedisBusOptions {
  /** `rediss://user:password@host:6379/0`. Needs the package `redis`. Either this or `client`. */
  readonly url?: string
  /** With `url`: certificates for `rediss://`, where the system's authorities are not enough. The server is always verified. */
  readonly tls?: RedisTls
  /** With `url`: admit `redis://` beyond loopback. Everything in rooms then crosses that network in the clear. */
  readonly allowInsecureTransport?: boolean
  /** A node-redis or ioredis client (also a cluster) to copy: two connections of our own are made from its options. */
  readonly client?: RedisClient
  /**
   * In front of every key and channel: letters, digits, `_ . -`, at most 64. Required, because a shared default would
   * silently join applications that happen to use one Redis. No `:` in it, so that no prefix can begin with another one's.
   */
  readonly channel: string
  /** 32 bytes or more, shared by all nodes; a list to rotate: the first signs, all verify. Who only has Redis cannot forge. */
  readonly secret: string | Uint8Array | readonly (string | Uint8Array)[]
  /** Most that the clocks of two nodes may differ, in ms, 1,000 to 600,000. Default 30,000. */
  readonly clockSkew?: number
}

export interface RedisBus extends Bus {
  readonly name: 'redis'
  readonly channel: string
  readonly state: BusState
  /** The connection for commands, for stores that live beside the bus (`redisTickets`). */
  readonly commands: RedisCommands
}

const optionNames = ['url', 'tls', 'allowInsecureTransport', 'client', 'channel', 'secret', 'clockSkew']

/**
 * Nodes that share a Redis. Connects on first use, with one connection for commands and one for subscriptions, and closes
 * with the application. On a cluster pub/sub is sharded: a room's traffic reaches only the shard that owns it.
 *
 * @throws SecureWsError `SWS_BAD_OPTION`
 */
export function redisBus(options: RedisBusOptions): RedisBus {
  const { channel, clockSkew, keys, source } = compile(options)
  return connectBus(source, channel, keys, clockSkew)
}

function connectBus(source: RedisSource, channel: string, secret: readonly KeyObject[], clockSkew: number): RedisBus {
  const writer = source.open()
  const reader = source.open()
  const ofWriter = redisCommands(writer)
  const commands: RedisCommands = {
    send(...command) {
      open()
      return ofWriter.send(...command)
    },
    run(...call) {
      open()
      return ofWriter.run(...call)
    },
  }
  const deliveries = new Map<string, Set<(payload: string) => void>>()
  const stateListeners = new Set<(state: BusState) => void>()
  let phase: 'new' | 'open' | 'closed' = 'new'
  let state: BusState = 'down'
  let answering = true
  let heartbeat: NodeJS.Timeout | undefined

  const open = (): void => {
    if (phase !== 'new') return
    phase = 'open'
    writer.connect()
    reader.connect()
    heartbeat = setInterval(() => void beat(), 5_000)
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
      await within(Promise.all([writer.send(channel, ['PING']), reader.send(channel, ['PING'])]), 4_000)
      answering = true
    } catch {
      answering = false
    }
    update()
  }

  writer.onChange(update)
  reader.onChange(update)
  reader.onPayload((name, payload) => {
    for (const deliver of [...(deliveries.get(name) ?? [])]) {
      try {
        deliver(payload)
      } catch (error) {
        queueMicrotask(() => process.emitWarning(error instanceof Error ? error : String(error)))
      }
    }
  })

  /** Once, at the beginning: time to connect, so that an application does not start by being refused. */
  const firstUp = async (): Promise<void> => {
    open()
    if (state === 'up') return
    const { promise, resolve } = Promise.withResolvers<void>()
    const listener = () => resolve()
    stateListeners.add(listener)
    try {
      await within(promise, 2_000)
    } catch {
      throw new Error('Redis is away')
    } finally {
      stateListeners.delete(listener)
    }
  }
  let first: Promise<void> | undefined

  return {
    name: 'redis',
    channel,
    secret,
    clockSkew,
    commands,
    stores: {
      denials: redisDenials(commands, channel),
      counters: redisCounters(commands, channel),
      presence: redisPresence(commands, channel),
    },
    get state() {
      return state
    },
    onState(listener) {
      stateListeners.add(listener)
      return () => void stateListeners.delete(listener)
    },
    async subscribe(topic, deliver) {
      if (!isTopic(topic)) throw new TypeError('not a topic')
      if (phase === 'closed') throw new Error('the bus is closed')
      first ??= firstUp()
      await first.catch(() => {})
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
        await within(reader.subscribe(name), 2_000)
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
      deliveries.clear()
      await Promise.all([writer.close(), reader.close()])
    },
  }
}

function compile(options: RedisBusOptions) {
  if (typeof options !== 'object' || options === null)
    throw badOption('bus', options, 'Write redisBus({ url, channel, secret }).')
  for (const name of Object.keys(options)) {
    if (!optionNames.includes(name))
      throw badOption(`redisBus.${name}`, Reflect.get(options, name), `Known are ${optionNames.join(', ')}.`)
  }
  const { url, tls, allowInsecureTransport = false, client, channel, secret, clockSkew = 30_000 } = options
  if (typeof channel !== 'string' || !/^[A-Za-z0-9_.-]{1,64}$/.test(channel)) {
    throw badOption(
      'redisBus.channel',
      channel,
      "Name your application, e.g. 'shop-production': letters, digits, `_ . -`, at most 64.",
    )
  }
  if (!Number.isSafeInteger(clockSkew) || clockSkew < 1_000 || clockSkew > 600_000) {
    throw badOption(
      'redisBus.clockSkew',
      clockSkew,
      'Write milliseconds from 1_000 to 600_000; synchronised clocks need no more than the default, 30_000.',
    )
  }
  if ((url === undefined) === (client === undefined)) {
    throw badOption(
      'redisBus.url',
      url === undefined ? undefined : 'given together with `client`',
      'Give either `url` or `client`.',
    )
  }
  if (client !== undefined && (tls !== undefined || allowInsecureTransport)) {
    throw badOption(
      'redisBus.tls',
      tls,
      '`tls` and `allowInsecureTransport` belong to `url`; a `client` brings its own transport.',
    )
  }
  const source =
    client === undefined ? redisUrlSource({ url, tls, allowInsecureTransport }) : redisSource(client, 'redisBus.client')
  return { channel, clockSkew, keys: compileSecret(secret, channel), source }
}

/** The values themselves are never shown in an error, nor by printing the bus: a KeyObject prints as its type. */
function compileSecret(secret: unknown, channel: string): KeyObject[] {
  const list: unknown[] = Array.isArray(secret) ? secret : [secret]
  const advice =
    'Write 32 bytes or more, the same on every node, e.g. from `node -p "crypto.randomBytes(32).toString(\'base64\')"`; a list to rotate.'
  if (list.length === 0) throw badOption('redisBus.secret', [], advice)
  return list.map((one, index) => {
    const path = Array.isArray(secret) ? `redisBus.secret[${index}]` : 'redisBus.secret'
    if (one === undefined) throw badOption(path, undefined, advice)
    if (typeof one !== 'string' && !(one instanceof Uint8Array)) throw badOption(path, `of type ${typeof one}`, advice)
    const bytes = Buffer.from(one)
    if (bytes.length < 32) throw badOption(path, `${bytes.length} bytes long`, advice)
    // Its own key per prefix: two applications that share a secret by mistake still do not understand each other.
    return createSecretKey(createHmac('sha256', bytes).update(`fastify-secure-ws relay ${channel}`).digest())
  })
}
