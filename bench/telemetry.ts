/**
 * What metrics and traces cost of a message, in CPU time of the server: `npm run bench:telemetry`, about five minutes. Prints by how
 * much a message costs more than without, and the same for a second server without, which shows how far the figures can be trusted.
 *
 * They are a few hundredths, so all that differs by chance is kept out. 50 clients send 16 messages at once and the next when all
 * are answered: with clients that go on as answers come in, the server reads as many at a time as chance has it, and that changes the
 * cost of each by a fifth. Turns are so many messages, and some tenths of a second long: what else runs on the machine changes more
 * slowly, but the first 200 messages of a second are looked at closely, and must not be most of a turn. And one process is not like
 * the next, as it is compiled anew: each is started several times.
 */
import { type Client, open, saying } from './harness/client.ts'
import { compare, inTurns, perCpuSecond, type Server, start } from './harness/measure.ts'
import type { PeerName } from './harness/peers.ts'

const names: readonly PeerName[] = ['ours', 'ours, again', 'ours, measured', 'ours, observed']
const starts = 4
const rounds = 10
const connections = 50
const atOnce = 16
const sizes = [
  { size: 64, label: '64 B', bursts: 100 },
  { size: 1_024, label: '1 KiB', bursts: 75 },
  { size: 16_384, label: '16 KiB', bursts: 15 },
]

/** Every client sends so many bursts. Resolves with the number of messages. */
async function echo(name: PeerName, clients: readonly Client[], size: number, bursts: number): Promise<number> {
  // The size is that of the whole message: 23 characters are `{"type":"say","text":""}`.
  const { frame, answer } = saying(name, 'x'.repeat(size - 24))
  const burst = Buffer.concat(Array(atOnce).fill(frame))
  const ended = clients.map(
    (client) =>
      new Promise<void>((resolve) => {
        let missing = answer * atOnce
        let left = bursts
        client.onBytes = (count) => {
          missing -= count
          if (missing > 0) return
          missing = answer * atOnce
          if (--left === 0) resolve()
          else client.stream.write(burst)
        }
        client.stream.write(burst)
      }),
  )
  await Promise.all(ended)
  return clients.length * bursts * atOnce
}

const results = new Map(sizes.map(({ label }) => [label, new Map<PeerName, number[]>(names.map((name) => [name, []]))]))
for (let count = 0; count < starts; count++) {
  const servers = await Promise.all(names.map((name) => start(name)))
  const clients = new Map<Server, Client[]>()
  for (const server of servers) {
    clients.set(server, await Promise.all(Array.from({ length: connections }, () => open(server.name, server.port))))
  }
  const measure = (server: Server, size: number, bursts: number) =>
    perCpuSecond(server, () => echo(server.name, clients.get(server) ?? [], size, bursts))
  // A server that is cold costs three times as much, and the more code it has, the longer.
  for (let round = 0; round < 4; round++)
    for (const server of servers) for (const { size, bursts } of sizes) await measure(server, size, bursts)
  for (const { size, label, bursts } of sizes) {
    const found = await inTurns(servers, rounds, (server) => measure(server, size, bursts))
    for (const [name, values] of found)
      results
        .get(label)
        ?.get(name)
        ?.push(...values)
  }
  for (const server of servers) server.stop()
}
for (const [label, found] of results) compare(`echo, ${atOnce} at once, ${label}`, found)
process.exit()
