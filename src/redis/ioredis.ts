import { connectLimit, type RedisConnection, reconnectDelay, silenceLimit } from './connection.ts'

/** The part of ioredis that is used. A cluster says `isCluster`, and takes the options of its nodes under `redisOptions`. */
export interface IoRedisClient {
  duplicate(...overrides: never[]): IoRedisClient
  connect(): Promise<unknown>
  disconnect(): void
  call(command: string, ...args: string[]): Promise<unknown>
  subscribe(...channels: string[]): Promise<unknown>
  unsubscribe(...channels: string[]): Promise<unknown>
  ssubscribe(...channels: string[]): Promise<unknown>
  sunsubscribe(...channels: string[]): Promise<unknown>
  on(event: string, listener: (...args: unknown[]) => void): unknown
  readonly status: string
  readonly isCluster?: boolean
  /** Left out until it first connects, and by a cluster, which has `nodes`. */
  readonly stream?: { on(event: 'error', listener: () => void): unknown }
  nodes?(): readonly IoRedisClient[]
}

export function isIoRedis(client: unknown): client is IoRedisClient {
  if (typeof client !== 'object' || client === null || typeof Reflect.get(client, 'status') !== 'string') return false
  return ['duplicate', 'call', 'ssubscribe', 'on', 'disconnect'].every(
    (name) => typeof Reflect.get(client, name) === 'function',
  )
}

export function openIoRedis(template: IoRedisClient): RedisConnection {
  const cluster = template.isCluster === true
  const duplicate = template.duplicate.bind(template) as (...overrides: unknown[]) => IoRedisClient
  const client = cluster ? duplicate([], clusterOverrides(template)) : duplicate(overrides)
  const wanted = new Set<string>()
  let changed = () => {}
  let failed: (error: unknown) => void = () => {}
  let ready = false

  // We subscribe again ourselves, so that `up` means that it has been done, and not only that it was asked for.
  const onReady = async (): Promise<void> => {
    try {
      if (wanted.size > 0 && !cluster) await client.subscribe(...wanted)
      ready = client.status === 'ready'
    } catch (error) {
      ready = false
      failed(error)
    }
    changed()
  }
  const onLoss = (): void => {
    ready = false
    changed()
  }
  client.on('ready', () => void onReady())
  for (const event of ['close', 'reconnecting', 'end']) client.on(event, onLoss)
  // ioredis prints an `error` nobody listens to, address included.
  client.on('error', (error) => failed(error))
  if (cluster) client.on('node error', (error) => failed(error))

  return {
    get up() {
      return ready
    },
    connect() {
      client.connect().catch((error: unknown) => failed(error))
    },
    onChange(listener) {
      changed = listener
    },
    onFailure(listener) {
      failed = listener
    },
    send: (_key, [command = '', ...args]) => client.call(command, ...args),
    async subscribe(channel) {
      wanted.add(channel)
      try {
        await (cluster ? client.ssubscribe(channel) : client.subscribe(channel))
      } catch (error) {
        wanted.delete(channel)
        throw error
      }
    },
    async unsubscribe(channel) {
      if (!wanted.delete(channel)) return
      await (cluster ? client.sunsubscribe(channel) : client.unsubscribe(channel))
    },
    onPayload(listener) {
      client.on(cluster ? 'smessage' : 'message', (channel, payload) => listener(String(channel), String(payload)))
    },
    async close() {
      changed = () => {}
      failed = () => {}
      // ioredis ends its streams, and hears one error of each. Node tells a TLS stream that is ended before its certificate is
      // refused of that, and of the server's alert as well, which would end the process.
      for (const { stream } of [client, ...(client.nodes?.() ?? [])]) stream?.on('error', () => {})
      client.disconnect()
    },
  }
}

const shared = {
  lazyConnect: true,
  enableOfflineQueue: false,
  enableAutoPipelining: true,
}

const ofOneNode = {
  keyPrefix: '',
  stringNumbers: false,
  autoResubscribe: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  connectTimeout: connectLimit,
  socketTimeout: silenceLimit,
  // It would ask INFO, which a least-privilege user may not; a server that is still loading shows in the first answer.
  enableReadyCheck: false,
}

const overrides = { ...shared, ...ofOneNode, retryStrategy: (attempt: number) => reconnectDelay(attempt) }

function clusterOverrides(template: object): object {
  const options: unknown = Reflect.get(template, 'options')
  const given: unknown =
    typeof options === 'object' && options !== null ? Reflect.get(options, 'redisOptions') : undefined
  return {
    ...shared,
    shardedSubscribers: true,
    clusterRetryStrategy: (attempt: number) => reconnectDelay(attempt),
    redisOptions: { ...(typeof given === 'object' ? given : {}), connectTimeout: connectLimit },
  }
}
