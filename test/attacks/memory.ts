import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import Fastify from 'fastify'
import secureWs, { type AuditEvent, type SecureSocket } from '../../src/index.ts'
import { handshakeText } from '../harness/raw-client.ts'
import { wide } from '../harness/server.ts'
import { openSocket, statusOf } from '../harness/socket-client.ts'

// RS-09 with many sockets: each stays below its own bound, and all of them together use up the process.

export interface Attack {
  /** Clients that read nothing. */
  readonly deaf: number
  /** Bytes that are sent to all of them together. */
  readonly bytes: number
  readonly memoryBytes: number
}

export interface Outcome {
  /** The most that waited, as `stats()` says, in bytes. */
  readonly mostWaiting: number
  /** The most buffers that the process had, beyond what it had before. */
  readonly mostBuffers: number
  /** Sockets that were closed, by the reason of the event without its numbers. */
  readonly closed: ReadonlyMap<string, number>
  readonly overloaded: readonly AuditEvent[]
  /** The slowest answer that a client that reads got meanwhile, in ms. */
  readonly slowest: number
  readonly answers: number
  /** Handshakes that were tried while the budget was nearly used. */
  readonly refused: readonly number[]
  readonly admittedAfter: number
}

setFlagsFromString('--expose-gc')
const collect: () => void = runInNewContext('gc')

/** Sends to clients that do not read while others are served, and reports what came of it. */
export async function attack({ deaf, bytes, memoryBytes }: Attack): Promise<Outcome> {
  const events: AuditEvent[] = []
  const sockets: SecureSocket[] = []
  const app = Fastify()
  // The bound of one socket is out of the way, and the time that it may be behind: nothing but the budget holds.
  const limits = { ...wide, outboundBytes: 1_000_000_000, writeTimeout: 600_000, memoryBytes }
  await app.register(secureWs, { authenticate: false, limits, audit: (event) => events.push(event) })
  app.get('/deaf', { websocket: true }, (socket) => void sockets.push(socket as SecureSocket))
  app.get('/echo', { websocket: true }, (socket) => {
    socket.on('message', () => socket.send({ type: 'echo' }))
  })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const { port, host } = new URL(url)
  const clients: Socket[] = []
  const echo = await openSocket(`ws://${host}/echo`, { headers: { origin: url } })
  let over = false
  let slowest = 0
  let answers = 0
  const talking = (async () => {
    while (!over) {
      const before = performance.now()
      echo.send({})
      const heard = echo.heard.length
      while (echo.heard.length === heard && !over) await sleep(1)
      slowest = Math.max(slowest, performance.now() - before)
      answers++
      await sleep(5)
    }
  })()
  try {
    for (let count = 0; count < deaf; count++) {
      const client = connect(Number(port), '127.0.0.1')
      clients.push(client)
      client.on('error', () => {})
      client.write(handshakeText({ target: '/deaf', headers: { Host: host, Origin: url } }))
      await once(client, 'readable')
    }
    while (sockets.length < deaf) await sleep(5)

    // Buffers that nobody holds any more are no memory that waits.
    const buffers = () => {
      collect()
      return process.memoryUsage().arrayBuffers
    }
    const before = buffers()
    let mostWaiting = 0
    let mostBuffers = 0
    const refused: number[] = []
    const size = 65_536
    let round = 0
    // What the kernel takes is not ours: it is filled first, so that all that is counted waits in this process.
    for (const socket of sockets) {
      for (let sent = 0; sent < 64_000_000 && socket.bufferedAmount === 0; sent += size) {
        socket.send(Buffer.alloc(size))
        if (sent % (size * 16) === 0) await sleep(0)
      }
    }
    for (let sent = 0; sent < bytes; ) {
      for (const socket of sockets) {
        // A payload of its own each time: nothing is shared.
        if (socket.readyState === 1) socket.send(Buffer.alloc(size))
        sent += size
      }
      const { used } = app.secureWs.stats().budgets.memoryBytes
      mostWaiting = Math.max(mostWaiting, used)
      if (round++ % 4 === 0) mostBuffers = Math.max(mostBuffers, buffers() - before)
      if (used > memoryBytes * 0.8 && refused.length < 3) {
        refused.push(await statusOf(`ws://${host}/echo`, { headers: { origin: url } }))
      }
      await sleep(0)
    }
    // Those that are still there go; then there is room again.
    for (const client of clients) client.destroy()
    while (app.secureWs.stats().sockets > 1) await sleep(5)
    // It is looked at again ten times a second at the most.
    await sleep(150)
    const admittedAfter = await statusOf(`ws://${host}/echo`, { headers: { origin: url } })
    over = true
    await talking

    const closed = new Map<string, number>()
    for (const { type, code, reason = '' } of events) {
      if (type !== 'socket.closed' || code !== 1013) continue
      const why = reason.replace(/\d+/g, 'n')
      closed.set(why, (closed.get(why) ?? 0) + 1)
    }
    const overloaded = events.filter(({ type }) => type === 'server.overloaded')
    return { mostWaiting, mostBuffers, closed, overloaded, slowest, answers, refused, admittedAfter }
  } finally {
    over = true
    for (const client of clients) client.destroy()
    await echo.close()
    await app.close()
  }
}

// `node test/attacks/memory.ts`: 200 sockets that do not read, 200 MB of sends, a budget of 64 MB.
if (import.meta.main) {
  const outcome = await attack({ deaf: 200, bytes: 200_000_000, memoryBytes: 64_000_000 })
  process.stdout.write(`${JSON.stringify({ ...outcome, closed: [...outcome.closed] }, null, 2)}\n`)
  assert.ok(outcome.mostWaiting <= 64_000_000)
}
