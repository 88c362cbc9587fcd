/**
 * Messages echoed per second of the server's CPU time: `node bench/echo.ts`. 50 connections, each with one message under
 * way, or with 16 that are sent as the answers come in.
 */
import { type Client, open, saying } from './harness/client.ts'
import { compareGenerations, type Server } from './harness/measure.ts'
import type { PeerName } from './harness/peers.ts'

const names: readonly PeerName[] = ['ours', 'ws', 'ws + JSON', 'by hand', '@fastify/websocket', 'socket.io']
const milliseconds = 200
const rounds = 7
const connections = 50

const clients = new WeakMap<Server, Client[]>()

function echo(server: Server, size: number, inFlight: number, within = milliseconds): Promise<number> {
  // The size is that of the whole message: 23 characters are `{"type":"say","text":""}`.
  const { frame, answer } = saying(server.name, 'x'.repeat(size - 24))
  const several = Array.from({ length: inFlight + 1 }, (_, count) => Buffer.concat(Array(count).fill(frame)))
  const end = performance.now() + within
  let done = 0
  const ended = (clients.get(server) ?? []).map(
    (client) =>
      new Promise<void>((resolve) => {
        let bytes = 0
        let underWay = inFlight
        client.onBytes = (count) => {
          bytes += count
          const answered = Math.floor(bytes / answer)
          if (answered === 0) return
          bytes -= answered * answer
          done += answered
          underWay -= answered
          if (performance.now() < end) {
            underWay += answered
            client.stream.write(several[answered] ?? '')
          } else if (underWay === 0) resolve()
        }
        client.stream.write(several[inFlight] ?? '')
      }),
  )
  return Promise.all(ended).then(() => done)
}

async function prepare(servers: readonly Server[]): Promise<void> {
  for (const server of servers) {
    clients.set(server, await Promise.all(Array.from({ length: connections }, () => open(server.name, server.port))))
  }
  // A server that is cold costs three times as much, and the more code it has, the longer.
  for (const server of servers) for (const inFlight of [1, 16]) await echo(server, 1_024, inFlight, 2_500)
}

const works = new Map<string, (server: Server) => Promise<number>>()
for (const inFlight of [1, 16]) {
  for (const [size, label] of [
    [64, '64 B'],
    [1_024, '1 KiB'],
    [16_384, '16 KiB'],
  ] as const) {
    works.set(`echo, ${inFlight} under way, ${label}`, (server) => echo(server, size, inFlight))
  }
}
await compareGenerations(names, rounds, prepare, works)
process.exit()
