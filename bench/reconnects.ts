/**
 * The rate at which clients come back to a server that restarts, in handshakes per second: `node bench/reconnects.ts 1000 200`
 * connects 1,000 real clients, restarts the server in three ways, and fails when more than 200 handshakes come within any second.
 *
 * The rate is configured in two places: a drain tells so many clients each second when to come back (`limits.drain`), and a server
 * that was killed tells nobody, so that the clients' own span decides (`pause.first`).
 */
import type { Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import fastify from 'fastify'
import { type Client, connect } from '../src/client/client.ts'
import secureWs from '../src/index.ts'

const [clients = 1_000, rate = 200] = process.argv.slice(2).map(Number)
const unlimited = 1_000_000_000
const limits = {
  connections: unlimited,
  connectionsPerAddress: unlimited,
  handshakesPerMinutePerAddress: unlimited,
  refusedPerMinutePerAddress: unlimited,
  // Half of what is allowed: hints are moments drawn at random, and no second gets exactly its share.
  drain: { batch: Math.max(1, Math.floor(rate / 2)), every: 1_000, deadline: 600_000 },
}

/** A server, and the moments at which a client came to it. */
async function start(port: number) {
  const app = fastify({ forceCloseConnections: true })
  const streams = new Set<Socket>()
  const came: number[] = []
  app.server.on('connection', (stream) => streams.add(stream))
  await app.register(secureWs, { authenticate: false, allowMissingOrigin: true, limits })
  app.addHook('onRequest', async () => void came.push(performance.now()))
  app.get('/ws', { websocket: true, secureWs: { receives: {} } }, () => {})
  await app.listen({ host: '127.0.0.1', port, backlog: 4_096 })
  return { app, came, port: Number(new URL(app.listeningOrigin).port), streams }
}

/** The most moments within any one second. */
function peakOf(moments: readonly number[]): number {
  let [from, peak] = [0, 0]
  moments.forEach((moment, index) => {
    while ((moments[from] ?? moment) <= moment - 1_000) from++
    peak = Math.max(peak, index - from + 1)
  })
  return peak
}

async function measure(name: string, first: number, how: 'killed' | 'drained', down: number): Promise<number> {
  const before = await start(0)
  const connected: Client[] = []
  for (let count = 0; count < clients; count++) {
    connected.push(connect(`ws://127.0.0.1:${before.port}/ws`, { pause: { first, ceiling: Math.max(30_000, first) } }))
    if (count % 50 === 49) await wait(20)
  }
  const allOpen = async () => {
    while (!connected.every(({ state }) => state.name === 'open')) await wait(50)
  }
  await allOpen()
  // A drain goes on for longer than some of its clients wait: they come back to the next server, as behind a load balancer.
  let after: Awaited<ReturnType<typeof start>> | undefined
  if (how === 'killed') {
    for (const stream of before.streams) stream.resetAndDestroy()
    await before.app.close()
    await wait(down)
  } else {
    before.app.server.close()
    const drained = before.app.secureWs.drain()
    after = await start(before.port)
    await drained
    await before.app.close()
  }
  after ??= await start(before.port)
  await allOpen()
  const peak = peakOf(after.came)
  const took = (((after.came.at(-1) ?? 0) - (after.came[0] ?? 0)) / 1_000).toFixed(1)
  console.log(`${name.padEnd(44)} ${String(peak).padStart(5)} in the worst second, all back after ${took} s`)
  await Promise.all(connected.map((client) => client.close()))
  await after.app.close()
  return peak
}

// Those that failed while the server was down come with those that still wait: at most half as many again, and chance.
const span = (clients / rate) * 2_000
const peaks = [
  await measure(`drained, ${limits.drain.batch} a second`, 1_000, 'drained', 0),
  await measure(`killed, back at once, pause.first ${span}`, span, 'killed', 0),
  await measure(`killed, back after 3 s, pause.first ${span}`, span, 'killed', 3_000),
]
const worst = Math.max(...peaks)
console.log(`${clients} clients: at most ${worst} handshakes within a second, ${rate} are allowed`)
process.exitCode = worst > rate ? 1 : 0
