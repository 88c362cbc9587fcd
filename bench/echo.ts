/**
 * Messages echoed per second of the server's CPU time: `node bench/echo.ts`. 50 connections, each with one message under
 * way, or with 16 that are sent as the answers come in.
 */
import { type Client, open, saying } from './harness/client.ts'
import { compare, inGenerations, inTurns, perCpuSecond, type Server, start } from './harness/measure.ts'
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

const cells = [1, 16].flatMap((inFlight) => [64, 1_024, 16_384].map((size) => ({ inFlight, size })))

const results = await inGenerations(async () => {
  const servers = await Promise.all(names.map((name) => start(name)))
  for (const server of servers) {
    clients.set(server, await Promise.all(Array.from({ length: connections }, () => open(server.name, server.port))))
  }
  // A server that is cold costs three times as much, and the more code it has, the longer.
  for (const server of servers) for (const inFlight of [1, 16]) await echo(server, 1_024, inFlight, 2_500)
  const measured = new Map<string, Awaited<ReturnType<typeof inTurns>>>()
  for (const { inFlight, size } of cells) {
    const title = `echo, ${inFlight} under way, ${size < 1_024 ? `${size} B` : `${size / 1_024} KiB`}`
    measured.set(
      title,
      await inTurns(servers, rounds, (server) => perCpuSecond(server, () => echo(server, size, inFlight))),
    )
  }
  for (const server of servers) server.stop()
  return measured
})
for (const [title, measured] of results) compare(title, measured)
process.exit()
