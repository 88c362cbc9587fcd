/**
 * What an idle connection takes on the server, in bytes: `node bench/memory.ts`. The heap after a collection; all that the
 * process has of the machine's memory, in which a heap that once grew stays, as it would in production.
 */
import { open } from './harness/client.ts'
import { start } from './harness/measure.ts'

const connections = 2_000

const perConnection = new Map<string, { readonly heap: number; readonly rss: number }>()
for (const name of ['ours', 'ws', 'by hand', '@fastify/websocket', 'socket.io'] as const) {
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
  const each = (kind: 'heap' | 'external' | 'rss') => (after[kind] - before[kind]) / connections
  perConnection.set(name, { heap: each('heap'), rss: each('rss') })
  const shown = (['heap', 'external', 'rss'] as const).map((kind) => `${kind} ${Math.round(each(kind))}`).join('   ')
  console.log(`${name.padEnd(20)} ${shown}`)
  for (const { stream } of keep) stream.destroy()
  server.stop()
}
const ours = perConnection.get('ours') ?? { heap: Number.NaN, rss: Number.NaN }
for (const [name, theirs] of perConnection) {
  if (name === 'ours') continue
  const ratios = `heap ${(ours.heap / theirs.heap).toFixed(2)}   rss ${(ours.rss / theirs.rss).toFixed(2)}`
  console.log(`idle connection                ours : ${name.padEnd(20)} ${ratios}`)
}
process.exit()
