/**
 * Deliveries to 1,000 members of a room per second of the server's CPU time: `node bench/broadcast.ts`. One message in a turn
 * of the loop, or four. The others write to each client in a loop; Socket.IO emits. The floor does nothing but write: its
 * distance from the loop of ws says how much there is to gain on this machine at all.
 */
import { type Client, open, saidLength } from './harness/client.ts'
import { compareGenerations, type Server } from './harness/measure.ts'
import type { PeerName } from './harness/peers.ts'

const names: readonly PeerName[] = ['ours', 'ws', 'by hand', 'socket.io', 'floor']
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

async function prepare(servers: readonly Server[]): Promise<void> {
  for (const server of servers) {
    const opened: Client[] = []
    while (opened.length < members) {
      opened.push(...(await Promise.all(Array.from({ length: 50 }, () => open(server.name, server.port)))))
    }
    clients.set(server, opened)
  }
}

const works = new Map<string, (server: Server) => Promise<number>>()
for (const times of [1, 4]) {
  for (const [size, label] of [
    [256, '256 B'],
    [4_096, '4 KiB'],
  ] as const) {
    works.set(`broadcast, ${times} a turn, ${label}`, (server) => deliver(server, 'x'.repeat(size - 24), times))
  }
}
await compareGenerations(names, rounds, prepare, works)
process.exit()
