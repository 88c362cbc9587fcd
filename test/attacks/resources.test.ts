import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { close, json } from '../harness/frames.ts'
import { collectGarbage } from '../harness/garbage.ts'
import { handshakeText } from '../harness/raw-client.ts'
import { startServer, type TestServer, wide } from '../harness/server.ts'
import { until } from '../harness/until.ts'

const receives = { say: { schema: { type: 'object' } } } as const

/** These clients answer no ping, and on a busy machine it takes longer than a minute until thousands are open. */
const patient = { idle: 600_000, heartbeat: { every: 600_000, timeout: 600_000 } }

/** Rooms, timers of the application, replies, messages to everybody: whatever a socket may hold. */
function start(t: TestContext): Promise<TestServer> {
  const authenticate = (request: { url?: string | undefined }) =>
    request.url === '/refused' ? null : { id: crypto.randomUUID(), userId: crypto.randomUUID() }
  return startServer(t, { authenticate, audit: () => {}, limits: { ...wide, ...patient } }, (app) => {
    app.get('/ws', { websocket: true, secureWs: { receives } }, (socket) => {
      socket.join('everybody')
      socket.join(`room:${socket.id}`)
      const timer = setInterval(() => {}, 60_000)
      socket.on('close', () => clearInterval(timer))
      socket.on('say', async () => {
        app.secureWs.to('everybody').send({ said: '<b>' })
        return 'heard'
      })
    })
    app.get('/refused', { websocket: true }, () => assert.fail('opened'))
  })
}

function handshake(port: number, path: string): string {
  const host = `127.0.0.1:${port}`
  return handshakeText({ target: path, headers: { Host: host, Origin: `http://${host}` } })
}

type End = 'close frame' | 'FIN' | 'RST'
const ends: readonly End[] = ['close frame', 'FIN', 'RST']

/** Connects, says something, hears the answer, and goes in one way or another. */
function talk(port: number, end: End): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const socket = connect({ port, host: '127.0.0.1' })
  let seen = ''
  socket.on('error', () => {})
  socket.on('end', () => socket.end())
  socket.on('close', () => (seen.includes('heard') ? resolve() : reject(new Error(`not answered: ${seen}`))))
  socket.on('data', (chunk: Buffer) => {
    seen += chunk.toString('latin1')
    if (!seen.includes('heard')) return
    socket.removeAllListeners('data').resume()
    if (end === 'RST') socket.resetAndDestroy()
    else if (end === 'FIN') socket.end()
    else socket.write(close(1000))
  })
  socket.write(Buffer.concat([Buffer.from(handshake(port, '/ws'), 'latin1'), json({ type: 'say', id: 1 })]))
  return promise
}

/** Connects and goes as soon as a byte of the answer has come. */
function touch(port: number, path: string, status: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const socket = connect({ port, host: '127.0.0.1' })
  let answer = ''
  socket.on('error', () => {})
  socket.on('close', () => (answer.startsWith(`HTTP/1.1 ${status}`) ? resolve() : reject(new Error(answer))))
  socket.once('data', (chunk: Buffer) => {
    answer = chunk.toString('latin1')
    socket.resetAndDestroy()
  })
  socket.write(handshake(port, path))
  return promise
}

async function often(count: number, once: (round: number) => Promise<void>): Promise<void> {
  for (let done = 0; done < count; done += 50) {
    await Promise.all(Array.from({ length: 50 }, (_, at) => once(done + at)))
  }
}

/** What a leak would show up in: listeners of the server and the process, timers and sockets, and the heap. */
async function footprint({ app }: TestServer) {
  await collectGarbage()
  const listeners = [app.server, app.websocketServer, process].flatMap((emitter) =>
    emitter.eventNames().map((name) => `${String(name)} ${emitter.listenerCount(name)}`),
  )
  return { listeners, handles: process.getActiveResourcesInfo().toSorted(), heap: process.memoryUsage().heapUsed }
}

/** The same counts after as before, and a heap that does not know how often it was. */
async function leavesNothing(server: TestServer, count: number, once: (round: number) => Promise<void>): Promise<void> {
  // Code that is compiled and caches that are filled once are no leak.
  await often(1_000, once)
  await server.empty()
  const before = await footprint(server)
  await often(count, once)
  await server.empty()
  await until(() => process.getActiveResourcesInfo().length <= before.handles.length, 'all handles were gone')
  const after = await footprint(server)
  assert.deepEqual(after.listeners, before.listeners)
  assert.deepEqual(after.handles, before.handles)
  assert.equal(server.app.websocketServer.clients.size, 0)
  const grown = after.heap - before.heap
  assert.ok(grown < count * 400, `the heap grew by ${grown} bytes, ${Math.round(grown / count)} for each`)
}

// `npm run soak:sockets` says a larger number.
const count = Number(process.argv[2] ?? 2_000)

test(`RS-16 RS-11 ${count} times connect, talk and vanish leave no timer, listener, room, place or memory`, async (t) => {
  const server = await start(t)
  await leavesNothing(server, count, (round) => talk(server.port, ends[round % ends.length] ?? 'RST'))
})

test(`RS-16 RS-11 ${2 * count} refused handshakes leave no place and no memory`, async (t) => {
  const server = await start(t)
  await leavesNothing(server, 2 * count, () => touch(server.port, '/refused', '401'))
})

test(`RS-16 RS-11 ${2 * count} handshakes that are accepted and reset leave no place and no memory`, async (t) => {
  const server = await start(t)
  await leavesNothing(server, 2 * count, () => touch(server.port, '/ws', '101'))
})

/** So many that are open at once; returns the heap when all of them have gone again. */
async function round(server: TestServer, count: number): Promise<number> {
  const open: Socket[] = []
  await often(count, async () => {
    const socket = connect({ port: server.port, host: '127.0.0.1' }).on('error', () => {})
    open.push(socket)
    socket.write(handshake(server.port, '/ws'))
    const [answer] = (await once(socket, 'data')) as [Buffer]
    assert.equal(answer.toString('latin1', 9, 12), '101')
  })
  assert.equal(server.app.secureWs.stats().sockets, count)
  for (const socket of open) socket.resetAndDestroy()
  await server.empty()
  return (await footprint(server)).heap
}

test(`RS-16 RS-11 a second round of ${2 * count} sockets that are open at once adds nothing`, async (t) => {
  const server = await start(t)
  const first = await round(server, 2 * count)
  const second = await round(server, 2 * count)
  // One object that stays of each would be seen; some tens of bytes are the clients', which are in this process as well.
  assert.ok(second - first < 2 * count * 100, `the heap grew by ${second - first} bytes`)
})

test('RS-16 a leak would be seen', async (t) => {
  const server = await start(t)
  const leak: unknown[] = []
  const leaky = async () => void leak.push(Array.from({ length: 100 }, Math.random))
  await assert.rejects(leavesNothing(server, 2_000, leaky), /the heap grew by/)
  assert.equal(leak.length, 3_000)
})

test('RS-16 one timer visits all sockets, and is gone with the last of them', async (t) => {
  const server = await start(t)
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
  const { app } = server
  // The application of this test has one timer per socket of its own; the plugin has none that keeps Node alive.
  const peers = await Promise.all(Array.from({ length: 50 }, () => server.connect()))
  await until(() => app.secureWs.stats().sockets === 50, 'all were open')
  assert.equal(app.secureWs.stats().rooms, 51)
  const open = timers()
  for (const peer of peers) peer.reset()
  await server.empty()
  await until(() => timers() <= open - 50, 'every timer had gone')
})
