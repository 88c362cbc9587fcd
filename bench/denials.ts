/**
 * What many revocations cost each node: to read them at the start, and to bring them back into a Redis that was killed and
 * comes back empty. Real processes with the whole plugin, one Redis, one machine. For each node the delay of its loop, its
 * memory, its events, and for how long it refused sessions after Redis was there again. Run with `node bench/denials.ts`.
 *
 *     node bench/denials.ts [denials] [nodes]
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { AuditEvent } from '../src/index.ts'
import { redisBus } from '../src/redis/redis-bus.ts'
import { denialOf } from '../src/session/denials.ts'
import { type NodeProcess, startNode } from '../test/harness/node-process.ts'
import { startRedis } from '../test/harness/redis.ts'

const count = Number(process.argv[2] ?? 300_000)
const howMany = Number(process.argv[3] ?? 3)
const goal = 20
const secret = 'a secret of the bench, of 32 bytes'
const redis = await startRedis()
const seconds = (since: number) => ((performance.now() - since) / 1_000).toFixed(2)
const facts = 'bench:{bench:denials}:facts'

const writer = redisBus({ url: redis.url, channel: 'bench', secret })
await writer.subscribe('control', () => {})
const from = performance.now()
for (let done = 0; done < count; done += 5_000) {
  const at = Date.now()
  const some = Array.from({ length: Math.min(5_000, count - done) }, (_, index) =>
    denialOf('session', `ann.${done + index}`, at, at + 30 * 86_400_000),
  )
  await writer.stores?.denials.deny(...some)
}
console.log(`${count} denials written in ${seconds(from)} s`)
await writer.close()

/** Until a session gets in; in seconds. Asked so seldom that it costs the nodes little: they are busy. */
async function refusedFor(node: NodeProcess, since: number): Promise<string> {
  while ((await node.status('bob.1')) !== 101) await sleep(50)
  return seconds(since)
}

/** Besides the handshakes, which are this program's own questions. */
function eventsOf(events: readonly AuditEvent[]): number {
  const said = events.filter(({ type }) => !type.startsWith('handshake.') && type !== 'socket.closed')
  for (const { type, code, reason } of said) console.log(`  ${type} ${code ?? ''} ${reason ?? ''}`)
  return said.length
}

async function report(title: string, nodes: readonly NodeProcess[], refused: readonly string[]): Promise<void> {
  console.log(title)
  const rows = nodes.map(async (node, index) => {
    const { p50, p99, max, rss, heap, arrayBuffers } = await node.call('watched')
    if (p99 > goal) process.exitCode = 1
    const inMb = (bytes: number) => Math.round(bytes / 1e6)
    return {
      'loop p50 ms': Number(p50.toFixed(1)),
      'p99 ms': Number(p99.toFixed(1)),
      'max ms': Number(max.toFixed(1)),
      'rss MB': inMb(rss),
      'heap MB': inMb(heap),
      'buffers MB': inMb(arrayBuffers),
      events: eventsOf(await node.call('events')),
      'refused s': refused[index],
    }
  })
  console.table(await Promise.all(rows))
}

const config = { redis: { url: redis.url, channel: 'bench', secret } }
const started = performance.now()
const nodes = await Promise.all(Array.from({ length: howMany }, () => startNode(config)))
const first = await Promise.all(nodes.map((node) => refusedFor(node, started)))
if ((await nodes[0]?.status('ann.0')) !== 401) throw new Error('a revoked session was let in')
await report(`${howMany} nodes start and read ${count} (their own start is in "refused")`, nodes, first)
const [heap] = await Promise.all(nodes.map((node) => node.call('heap')))
console.log(`heap of a node at rest: ${Math.round(Number(heap) / 1e6)} MB`)

for (const node of nodes) {
  await node.call('events')
  await node.call('watch')
}
await redis.restart()
const back = performance.now()
const refused = await Promise.all(nodes.map((node) => refusedFor(node, back)))
// The count of the three fields that are about the set itself does not matter here.
while (Number(await redis.cli('HLEN', facts)) < count) await sleep(50)
console.log(`all were in Redis again ${seconds(back)} s after it came back`)
await sleep(1_000)
await report('Redis was killed and came back empty', nodes, refused)
if ((await nodes[0]?.status('ann.0')) !== 401) throw new Error('a revoked session was let in')

await Promise.all(nodes.map((node) => node.kill()))
await redis.close()
