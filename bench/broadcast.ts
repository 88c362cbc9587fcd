/**
 * Deliveries to 1,000 members of a room per second of the server's CPU time: `node bench/broadcast.ts`. One message in a turn
 * of the loop, or four. The others write to each client in a loop; Socket.IO emits.
 */
import { type Client, open, saidLength } from './harness/client.ts'
import { compare, inGenerations, inTurns, perCpuSecond, type Server, start } from './harness/measure.ts'
import type { PeerName } from './harness/peers.ts'

const names: readonly PeerName[] = ['ours', 'ws', 'by hand', 'socket.io']
const members = 1_000
const milliseconds = 400
const rounds = 7

const clients = new WeakMap<Server, Client[]>()

/** A round of messages begins when everybody has those of the round before. */
function deliver(server: Server, text: string, times: number): Promise<number> {
  const wanted = saidLength(server.name, text) * times * members
  const end = performance.now() + milliseconds
  let bytes = 0
  let done = 0
  return new Promise((resolve) => {
    for (const client of clients.get(server) ?? []) {
      client.onBytes = (count) => {
        bytes += count
        if (bytes < wanted) return
        bytes = 0
        done += times * members
        if (performance.now() < end) server.tell({ kind: 'broadcast', text, times })
        else resolve(done)
      }
    }
    server.tell({ kind: 'broadcast', text, times })
  })
}

const cells = [1, 4].flatMap((times) => [256, 4_096].map((size) => ({ times, size })))

const results = await inGenerations(async () => {
  const servers = await Promise.all(names.map((name) => start(name)))
  for (const server of servers) {
    const opened: Client[] = []
    while (opened.length < members) {
      opened.push(...(await Promise.all(Array.from({ length: 50 }, () => open(server.name, server.port)))))
    }
    clients.set(server, opened)
  }
  const measured = new Map<string, Awaited<ReturnType<typeof inTurns>>>()
  for (const { times, size } of cells) {
    const title = `broadcast, ${times} a turn, ${size < 1_024 ? `${size} B` : `${size / 1_024} KiB`}`
    const text = 'x'.repeat(size - 24)
    measured.set(
      title,
      await inTurns(servers, rounds, (server) => perCpuSecond(server, () => deliver(server, text, times))),
    )
  }
  for (const server of servers) server.stop()
  return measured
})
for (const [title, measured] of results) compare(title, measured)
process.exit()
