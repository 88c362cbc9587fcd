/**
 * What an idle connection takes on the server, in bytes: `node bench/memory.ts`. The heap after a collection; all that the
 * process has of the machine's memory, in which a heap that once grew stays, as it would in production. Where its pages come to lie
 * is chance, and differs by a third from one process to the next: each server is started several times.
 */
import { open } from './harness/client.ts'
import { compare, start } from './harness/measure.ts'
import type { PeerName } from './harness/peers.ts'

const names: readonly PeerName[] = ['ours', 'ws', 'by hand', '@fastify/websocket', 'socket.io']
const connections = 2_000
const rounds = 7

type Memory = Readonly<Record<'heap' | 'external' | 'rss', number>>

async function perConnection(name: PeerName): Promise<Memory> {
  const server = await start(name)
  // What is compiled with the first connections is not theirs: as many as are measured come and go before.
  for (let round = 0; round < 4; round++) {
    const gone = await Promise.all(Array.from({ length: connections / 4 }, () => open(name, server.port)))
    for (const { stream } of gone) stream.destroy()
    while ((await server.ask({ kind: 'memory' })).connected > 0) {}
  }
  const keep = await Promise.all(Array.from({ length: 100 }, () => open(name, server.port)))
  const before = await server.ask({ kind: 'memory' })
  while (keep.length < connections + 100) {
    keep.push(...(await Promise.all(Array.from({ length: 50 }, () => open(name, server.port)))))
  }
  const after = await server.ask({ kind: 'memory' })
  if (after.connected !== connections + 100) throw new Error(`${name}: ${after.connected} connections`)
  const each = (kind: keyof Memory) => (after[kind] - before[kind]) / connections
  for (const { stream } of keep) stream.destroy()
  server.stop()
  return { heap: each('heap'), external: each('external'), rss: each('rss') }
}

const measured = new Map<PeerName, Memory[]>(names.map((name) => [name, []]))
for (let round = 0; round < rounds; round++) {
  for (const [name, results] of measured) results.push(await perConnection(name))
}
for (const kind of ['heap', 'rss'] as const) {
  const results = Array.from(measured, ([name, all]): [PeerName, number[]] => [name, all.map((each) => each[kind])])
  compare(`idle connection, ${kind}`, new Map(results), 'bytes')
}
const external = Array.from(
  measured,
  ([name, all]) => `${name} ${Math.round(Math.max(...all.map((each) => each.external)))}`,
)
console.log(`external, at most: ${external.join(', ')} bytes`)
process.exit()
