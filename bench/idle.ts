/**
 * CPU time of the server that an idle connection costs, in microseconds per second: `node bench/idle.ts`. Every connection is
 * asked for a sign of life every 25 s and gives one. All servers are measured in the same two such rounds, and what each needs
 * without a connection is taken off.
 */
import { setTimeout as wait } from 'node:timers/promises'
import { answerPings, open } from './harness/client.ts'
import { type Server, start } from './harness/measure.ts'

const connections = 2_000
const seconds = 50

const names = ['ours', 'ws', 'by hand', 'socket.io'] as const
const servers = await Promise.all(names.map((name) => start(name, 'heartbeats')))

/** Microseconds per second of each server. */
async function measure(): Promise<Map<Server, number>> {
  const before = servers.map((server) => server.cpu())
  await wait(seconds * 1_000)
  return new Map(
    servers.map((server, index) => [server, (server.cpu() - (before[index] ?? Number.NaN)) / 1_000 / seconds]),
  )
}

await wait(2_000)
const empty = await measure()
const keep = []
for (const server of servers) {
  for (let count = 0; count < connections; count += 50) {
    const opened = await Promise.all(Array.from({ length: 50 }, () => open(server.name, server.port)))
    for (const client of opened) answerPings(server.name, client)
    keep.push(...opened)
  }
}
// Collects what the handshakes left, and lets the optimizer finish.
for (const server of servers) await server.ask({ kind: 'memory' })
await wait(seconds * 500)
const full = await measure()
for (const server of servers) {
  const { connected } = await server.ask({ kind: 'memory' })
  if (connected !== connections) throw new Error(`${server.name}: ${connected} connections are left`)
  const without = empty.get(server) ?? Number.NaN
  const each = (((full.get(server) ?? Number.NaN) - without) / connections).toFixed(2)
  console.log(`${server.name.padEnd(20)} ${each} us/s per connection   without any: ${Math.round(without)} us/s`)
}
for (const server of servers) server.stop()
for (const { stream } of keep) stream.destroy()
process.exit()
