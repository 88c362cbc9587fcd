/** Heap and other memory that an idle connection takes on the server, in bytes: `node bench/memory.ts`. */
import { open } from './harness/client.ts'
import { start } from './harness/measure.ts'

const connections = 2_000

const perConnection = new Map<string, number>()
for (const name of ['ours', 'ws', '@fastify/websocket', 'socket.io'] as const) {
  const server = await start(name)
  // What is allocated with the first connections is not theirs.
  const keep = await Promise.all(Array.from({ length: 100 }, () => open(name, server.port)))
  const before = await server.ask({ kind: 'memory' })
  while (keep.length < connections + 100) {
    keep.push(...(await Promise.all(Array.from({ length: 50 }, () => open(name, server.port)))))
  }
  const after = await server.ask({ kind: 'memory' })
  if (after.connected !== connections + 100) throw new Error(`${name}: ${after.connected} connections`)
  const heap = (after.heap - before.heap) / connections
  const external = (after.external - before.external) / connections
  perConnection.set(name, heap)
  console.log(`${name.padEnd(20)} heap ${Math.round(heap)}   outside the heap ${Math.round(external)}`)
  for (const { stream } of keep) stream.destroy()
  server.stop()
}
const ours = perConnection.get('ours') ?? Number.NaN
for (const [name, heap] of perConnection) {
  if (name !== 'ours')
    console.log(`idle connection, heap           ours : ${name.padEnd(20)} ${(ours / heap).toFixed(2)}`)
}
process.exit()
