import { connectLimit, type RedisConnection, reconnectDelay, silenceLimit } from './connection.ts'

/** The part of node-redis that is used. A cluster client has `slots`, and names the key first in `sendCommand`. */
export interface NodeRedisClient {
  duplicate(overrides?: object): NodeRedisClient
  connect(): Promise<unknown>
  destroy(): void
  sendCommand(...args: never[]): Promise<unknown>
  subscribe(channel: string, listener: (payload: string, channel: string) => void): Promise<unknown>
  unsubscribe(channel: string): Promise<unknown>
  sSubscribe(channel: string, listener: (payload: string, channel: string) => void): Promise<unknown>
  sUnsubscribe(channel: string): Promise<unknown>
  on(event: string, listener: (...args: unknown[]) => void): unknown
  readonly isReady: boolean
}

export function isNodeRedis(client: unknown): client is NodeRedisClient {
  if (typeof client !== 'object' || client === null) return false
  return ['duplicate', 'connect', 'destroy', 'sendCommand', 'sSubscribe', 'on'].every(
    (name) => typeof Reflect.get(client, name) === 'function',
  )
}

export function openNodeRedis(template: NodeRedisClient): RedisConnection {
  const cluster = 'slots' in template
  const client = template.duplicate(cluster ? clusterOverrides(template) : overrides(Reflect.get(template, 'options')))
  /** Nodes of a cluster with which the connection is broken. */
  const broken = new Set<string>()
  let changed = () => {}
  let failed: (error: unknown) => void = () => {}
  let heard: (channel: string, payload: string) => void = () => {}
  const listener = (payload: string, channel: string) => heard(channel, payload)
  /** What node-redis subscribes to again by itself. */
  const known = new Set<string>()

  // node-redis throws an `error` nobody listens to.
  client.on('error', (error) => {
    failed(error)
    changed()
  })
  for (const event of ['ready', 'reconnecting', 'end']) client.on(event, () => changed())
  if (cluster) {
    const note = (change: 'add' | 'delete') => (node: unknown) => {
      broken[change](`${Reflect.get(Object(node), 'host')}:${Reflect.get(Object(node), 'port')}`)
      changed()
    }
    client.on('node-reconnecting', note('add'))
    client.on('node-ready', note('delete'))
    client.on('node-disconnect', note('delete'))
    client.on('node-error', (error) => failed(error))
    client.on('sharded-channel-moved-error', () => {})
  }

  return {
    get up() {
      return client.isReady && broken.size === 0
    },
    connect() {
      client.connect().then(changed, (error: unknown) => {
        failed(error)
        changed()
      })
    },
    onChange(changeListener) {
      changed = changeListener
    },
    onFailure(failureListener) {
      failed = failureListener
    },
    send(key, args) {
      const send = client.sendCommand.bind(client) as (...args: unknown[]) => Promise<unknown>
      return cluster ? send(key, false, [...args]) : send([...args])
    },
    async subscribe(channel) {
      if (known.has(channel)) return
      await (cluster ? client.sSubscribe(channel, listener) : client.subscribe(channel, listener))
      known.add(channel)
    },
    async unsubscribe(channel) {
      if (!known.delete(channel)) return
      await (cluster ? client.sUnsubscribe(channel) : client.unsubscribe(channel))
    },
    onPayload(payloadListener) {
      heard = payloadListener
    },
    async close() {
      changed = () => {}
      failed = () => {}
      heard = () => {}
      try {
        client.destroy()
      } catch {
        // It throws when it was never connected, which is as closed as can be.
      }
    },
  }
}

function overrides(options: unknown): object {
  const socket: unknown = typeof options === 'object' && options !== null ? Reflect.get(options, 'socket') : undefined
  return {
    disableOfflineQueue: true,
    pingInterval: 5_000,
    // Neither another reply type nor a second prefix: keys are ours, and so is reading what comes back.
    commandOptions: {},
    keyPrefix: '',
    socket: {
      ...(typeof socket === 'object' ? socket : {}),
      connectTimeout: connectLimit,
      socketTimeout: silenceLimit,
      reconnectStrategy: (attempt: number) => reconnectDelay(attempt),
    },
  }
}

function clusterOverrides(template: object): object {
  const options: unknown = Reflect.get(template, '_options')
  const defaults: unknown =
    typeof options === 'object' && options !== null ? Reflect.get(options, 'defaults') : undefined
  return { defaults: { ...(typeof defaults === 'object' ? defaults : {}), ...overrides(defaults) } }
}
