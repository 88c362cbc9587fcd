/**
 * What saturates first at 10, 100 and 1,000 nodes. Three steps: what one message costs a node (its CPU, the real relay), what
 * one command costs Redis (its CPU, as INFO says), and how many of each a cluster makes (the real relay of every node, on a
 * bus that only counts). The last table multiplies them. Run with `node bench/scaling.ts`.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { redisBus } from '../src/redis/redis-bus.ts'
import { type Bus, roomTopic } from '../src/relay/bus.ts'
import { createHoldings } from '../src/relay/holdings.ts'
import { memoryDenials } from '../src/relay/memory-denials.ts'
import { memoryLeases } from '../src/relay/memory-leases.ts'
import { memoryRates } from '../src/relay/memory-rates.ts'
import { createRelay } from '../src/relay/relay.ts'
import { packBroadcast, unpackBroadcast } from '../src/rooms/broadcast.ts'
import { denialOf } from '../src/session/denials.ts'
import { type RedisServer, startRedis } from '../test/harness/redis.ts'

const secret = 'a secret of the bench, of 32 bytes'
const message = { type: 'said', by: 'ann', text: 'the quick brown fox jumps over the lazy dog '.repeat(4) }
const frameFor = (room: string) => packBroadcast({ id: 'x'.repeat(36), rooms: [room], except: [], message })

/** A bus that delivers at once and counts what Redis would have had to do. */
function countedWire() {
  const topics = new Map<string, Set<(payload: string) => void>>()
  const counts = { subscribes: 0, publishes: 0, deliveries: 0, bytesOut: 0 }
  const stores = { denials: memoryDenials(), leases: memoryLeases(), rates: memoryRates() }
  const bus = (): Bus => ({
    name: 'counted',
    secret: redisBus({ url: 'redis://127.0.0.1:1', channel: 'bench', secret }).secret ?? [],
    stores,
    async subscribe(topic, deliver) {
      counts.subscribes++
      const all = topics.get(topic) ?? new Set()
      topics.set(topic, all.add(deliver))
      return async () => void all.delete(deliver)
    },
    async publish(topic, payload) {
      counts.publishes++
      for (const deliver of topics.get(topic) ?? []) {
        counts.deliveries++
        counts.bytesOut += payload.length
        deliver(payload)
      }
    },
    async close() {},
  })
  return { counts, bus }
}

/** `nodes` relays; each room has its members on `spread` of them, drawn at random. One message to every room. */
async function simulate(nodes: number, rooms: number, spread: number) {
  const { counts, bus } = countedWire()
  const heard = new Map<number, number>()
  const relays = Array.from({ length: nodes }, (_, index) =>
    createRelay({
      bus: bus(),
      onMessage: (said) => {
        if (said.kind === 'room') unpackBroadcast(said.frame)
        heard.set(index, (heard.get(index) ?? 0) + 1)
      },
      onRefused() {},
      onFailure: (stage, error) => {
        throw new Error(`${stage}`, { cause: error })
      },
    }),
  )
  await Promise.all(relays.map((relay) => relay.start()))
  const senders: (readonly [(typeof relays)[number] | undefined, string])[] = []
  for (let room = 0; room < rooms; room++) {
    const on = new Set<number>()
    while (on.size < Math.min(spread, nodes)) on.add(Math.floor(Math.random() * nodes))
    for (const index of on) relays[index]?.joinTopic(`room ${room}`)
    senders.push([relays[[...on][0] ?? 0], `room ${room}`])
  }
  await new Promise((resolve) => setTimeout(resolve, 50))
  const { publishes, deliveries, bytesOut } = counts
  const from = process.cpuUsage()
  for (const [relay, room] of senders) relay?.publish({ kind: 'room', room, frame: frameFor(room) })
  const cpu = process.cpuUsage(from)
  const perMessage = {
    deliveries: (counts.deliveries - deliveries) / (counts.publishes - publishes),
    bytes: (counts.bytesOut - bytesOut) / (counts.publishes - publishes),
    cpu: (cpu.user + cpu.system) / (counts.deliveries - deliveries + counts.publishes - publishes),
  }
  const before = counts.deliveries
  await relays[0]?.deny(denialOf('session', 's', Date.now(), Date.now() + 60_000))
  const perRevocation = counts.deliveries - before
  await Promise.all(relays.map((relay) => relay.close()))
  return { ...perMessage, perRevocation, busiest: Math.max(0, ...heard.values()) }
}

async function redisCpu(redis: RedisServer): Promise<number> {
  const answer = await redis.cli('INFO', 'cpu')
  const of = (name: string) => Number(new RegExp(`used_cpu_${name}:([\\d.]+)`).exec(answer)?.[1])
  return (of('sys') + of('user')) * 1e6
}

/** Microseconds of Redis's one thread for one of `count`. */
async function costOf(redis: RedisServer, count: number, each: (index: number) => Promise<unknown>): Promise<number> {
  const from = await redisCpu(redis)
  for (let done = 0; done < count; done += 200)
    await Promise.all(Array.from({ length: 200 }, (_, index) => each(done + index)))
  return ((await redisCpu(redis)) - from) / count
}

const redis = await startRedis()
const open = () => redisBus({ url: redis.url, channel: 'bench', secret })
const writer = open()
await writer.subscribe('control', () => {})
const readers = Array.from({ length: 11 }, open)
const topic = roomTopic('lobby')
await readers[0]?.subscribe(roomTopic('one'), () => {})
for (const reader of readers.slice(1)) await reader.subscribe(topic, () => {})
const payload = `sws1.${'s'.repeat(43)}.${'h'.repeat(120)}\n${frameFor('lobby')}`
const { leases, rates, denials } = writer.stores ?? {}
if (!leases || !rates || !denials) throw new Error('no stores')
await leases.keep('node', 600_000)
const unlimited = Number.POSITIVE_INFINITY
const place = (key: string, holder: string) => ({ key, holder, tenure: 'node' })

const toNobody = await costOf(redis, 10_000, () => writer.publish(roomTopic('nobody'), payload))
const toTen = await costOf(redis, 4_000, () => writer.publish(topic, payload))
const costs = {
  publish: toNobody,
  delivery: (toTen - toNobody) / 10,
  rate: await costOf(redis, 4_000, (index) => rates.hit(`a${index}`, 60_000, 100, 1)),
  place: await costOf(redis, 4_000, (index) => leases.take(place(`s${index}`, 'h'), 10, 1_800_000)),
  enter: await costOf(redis, 4_000, (index) =>
    leases.take(place(`r${index % 400}`, `m${index}`), unlimited, 1_800_000),
  ),
  members: await costOf(redis, 4_000, (index) => leases.holders(`r${index % 400}`)),
  tenure: await costOf(redis, 4_000, () => leases.keep('node', 30_000)),
  since: await costOf(redis, 1_000, () => denials.since(undefined)),
  deny: await costOf(redis, 1_000, (index) =>
    denials.deny(denialOf('session', `s${index}`, Date.now(), Date.now() + 60_000)),
  ),
}
console.log('Redis, microseconds of its one thread for each:')
console.table(Object.fromEntries(Object.entries(costs).map(([name, cost]) => [name, Number(cost.toFixed(1))])))

/** What it costs that nothing happens: the places of one node, by the real thing, ten times as fast as by default. */
async function atRest(sockets: number, seconds: number) {
  if (writer.stores === undefined) throw new Error('no stores')
  const faster = 10
  const holdings = createHoldings({
    store: writer.stores.leases,
    ttl: 30_000 / faster,
    onFailure: (error) => {
      throw new Error('a place was lost', { cause: error })
    },
  })
  for (let socket = 0; socket < sockets; socket++) {
    for (const key of [`session ${socket}`, `user ${socket}`, `room ${socket}`]) holdings.put(key, 'h')
  }
  await holdings.holders('session 0')
  // The first half of their time nobody is due; then each at a moment of its own.
  await sleep((600_000 / faster) * 1.25)
  const commandsOf = async () => Number(/total_commands_processed:(\d+)/.exec(await redis.cli('INFO', 'stats'))?.[1])
  const [commands, cpu] = [await commandsOf(), await redisCpu(redis)]
  await sleep(seconds * 1_000)
  const per = (value: number) => value / seconds / faster / sockets
  // A script is a command, and so is each that it calls.
  const rest = { commands: per((await commandsOf()) - commands), cpu: per((await redisCpu(redis)) - cpu) }
  await holdings.close()
  return rest
}

const rest = await atRest(5_000, 60)
console.log(
  `At rest, each socket (3 places) costs Redis ${rest.commands.toFixed(4)} commands and ${rest.cpu.toFixed(3)} microseconds a second: one thread has room for ${Math.round(1 / rest.cpu)} million sockets.`,
)
await Promise.all([writer, ...readers].map((bus) => bus.close()))
await redis.close()

// One workload for all sizes, so that only the number of nodes changes.
const socketsPerNode = 5_000
const perSocketPerSecond = 0.02
const spread = 5
const cores = (microseconds: number) => Number((microseconds / 1e6).toFixed(3))
console.log(
  `${socketsPerNode} sockets a node, ${perSocketPerSecond} messages a second each, rooms on ${spread} nodes, one new socket per 10 minutes each:`,
)
const table: Record<string, object> = {}
for (const nodes of [10, 100, 1_000]) {
  const { deliveries, bytes, cpu, perRevocation } = await simulate(nodes, 2_000, spread)
  const messages = nodes * socketsPerNode * perSocketPerSecond
  const handshakes = (nodes * socketsPerNode) / 600
  table[`${nodes} nodes`] = {
    'messages/s': messages,
    'heard by': Number(deliveries.toFixed(1)),
    'Redis MB/s out': Number(((messages * bytes) / 1e6).toFixed(1)),
    'Redis: messages (cores)': cores(messages * (costs.publish + deliveries * costs.delivery)),
    'Redis: places at rest (cores)': cores(nodes * socketsPerNode * rest.cpu + (nodes * costs.tenure) / 10),
    'Redis: handshakes (cores)': cores(handshakes * (costs.rate + 2 * costs.place + costs.enter)),
    'Redis: idle (cores)': cores(nodes * (costs.since / 15 + (2 * costs.publish) / 5)),
    'node: relay (cores)': cores((messages / nodes) * (1 + deliveries) * cpu),
    'one revocation (Redis ms)': Number(((costs.deny + perRevocation * costs.delivery) / 1_000).toFixed(2)),
  }
}
for (const [size, row] of Object.entries(table)) {
  console.log(size)
  console.table(row)
}
