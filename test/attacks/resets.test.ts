import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { close, frame, json, ping, text } from '../harness/frames.ts'
import { handshakeText } from '../harness/raw-client.ts'
import { startServer, type TestServer } from '../harness/server.ts'
import { until } from '../harness/until.ts'

// An uncaught exception or an unhandled rejection fails the test that is running: node:test sees to that.

const receives = { say: { schema: { type: 'object' } } } as const

/** Writes, waits for what it is told to wait for, and vanishes with a TCP reset. */
function vanish(
  port: number,
  bytes: Uint8Array | string,
  until: 'connect' | 'answer' | Promise<unknown>,
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const socket = connect({ port, host: '127.0.0.1' })
  socket.on('error', () => {})
  socket.on('close', () => resolve())
  socket.on('connect', () => {
    socket.write(bytes)
    if (until === 'connect') socket.resetAndDestroy()
    else if (until === 'answer') socket.once('data', () => socket.resetAndDestroy())
    else void until.then(() => socket.resetAndDestroy())
  })
  return promise
}

function handshake(port: number, path: string, behind: Uint8Array = Buffer.alloc(0)): Buffer {
  const host = `127.0.0.1:${port}`
  const head = handshakeText({ target: path, headers: { Host: host, Origin: `http://${host}` } })
  return Buffer.concat([Buffer.from(head, 'latin1'), behind])
}

/** So many at once, in waves that leave room for the accept queue. */
async function often(count: number, once: () => Promise<void>): Promise<void> {
  for (let done = 0; done < count; done += 100) await Promise.all(Array.from({ length: 100 }, once))
}

async function stillServes(server: TestServer): Promise<void> {
  const peer = await server.connect({ path: '/talk' })
  peer.write(json({ type: 'say', id: 1 }))
  await until(() => peer.texts.length === 1, 'it was answered')
  peer.reset()
  await server.empty()
}

function start(t: TestContext, pause: () => Promise<unknown> = async () => {}) {
  const server = startServer(
    t,
    {
      authenticate: async (request) => {
        if (request.url === '/slow') await pause()
        return request.url === '/refused' ? null : { id: 'session', userId: 'user' }
      },
    },
    (app) => {
      const secureWs = { receives }
      app.get('/talk', { websocket: true, secureWs }, (socket) => {
        socket.join('room')
        socket.on('say', () => 'heard')
      })
      app.get('/slow', { websocket: true }, () => {})
      app.get('/refused', { websocket: true }, () => assert.fail('opened'))
      app.get('/waiting', { websocket: true, secureWs }, (socket) => {
        socket.on('say', () => sleep(20))
      })
      app.get('/throwing', { websocket: true, secureWs }, (socket) => {
        socket.on('say', () => {
          throw new Error('again')
        })
      })
      app.get('/sending', { websocket: true }, (socket) => {
        socket.on('message', () => {})
        for (let round = 0; round < 10; round++) socket.send('x'.repeat(100_000))
      })
      app.get('/closing', { websocket: true }, (socket) => socket.close(4000))
      app.get('/async', { websocket: true }, async (socket) => {
        await sleep(5)
        socket.on('message', () => {})
        socket.send('late')
      })
    },
  )
  return server
}

const say = json({ type: 'say', id: 1 })
const states: readonly (readonly [state: string, path: string, behind: Uint8Array, until: 'connect' | 'answer'])[] = [
  ['before anything was read', '/talk', Buffer.alloc(0), 'connect'],
  ['while it is refused', '/refused', Buffer.alloc(0), 'connect'],
  ['with a refusal on its way', '/refused', Buffer.alloc(0), 'answer'],
  ['right behind the 101', '/talk', Buffer.alloc(0), 'answer'],
  ['with messages in flight', '/talk', Buffer.concat(Array<Buffer>(20).fill(say)), 'answer'],
  ['inside a frame', '/talk', say.subarray(0, 5), 'answer'],
  ['inside a fragmented message', '/talk', frame({ fin: false, payload: 'x' }), 'answer'],
  ['while a listener waits', '/waiting', Buffer.concat([say, say]), 'answer'],
  ['while a listener fails', '/throwing', Buffer.concat([say, say]), 'answer'],
  ['before an async handler listens', '/async', text('x'), 'answer'],
  ['with a megabyte on its way to it', '/sending', Buffer.alloc(0), 'answer'],
  ['while the server closes', '/closing', Buffer.alloc(0), 'answer'],
  ['behind its own close frame', '/talk', close(1000), 'answer'],
  ['behind a broken frame', '/talk', frame({ rsv: 7 }), 'answer'],
  ['among pings', '/talk', Buffer.concat(Array<Buffer>(50).fill(ping('x'))), 'answer'],
]

for (const [state, path, behind, when] of states) {
  test(`RS-06 500 resets ${state} leave nothing behind`, async (t) => {
    const server = await start(t)
    await often(500, () => vanish(server.port, handshake(server.port, path, behind), when))
    await server.empty()
    await stillServes(server)
  })
}

// The place, the deadline and the listeners of the handshake are all there while `authenticate` waits.
test('RS-06 500 clients that reset during a slow authenticate leave no listener, timer or place', async (t) => {
  const gates: (() => void)[] = []
  const server = await start(t, () => new Promise<void>((resolve) => gates.push(resolve)))
  const before = handles()
  const { promise: all, resolve: vanishAll } = Promise.withResolvers<void>()
  const gone = Promise.all(Array.from({ length: 500 }, () => vanish(server.port, handshake(server.port, '/slow'), all)))
  await until(() => gates.length === 500, 'all were being asked about')
  assert.equal(server.app.secureWs.stats().connections, 500)
  vanishAll()
  await gone
  await server.empty()
  // The answers come when nobody is there any more.
  for (const open of gates) open()
  await sleep(20)
  await server.empty()
  await until(() => handles() <= before, 'every timer and socket had gone')
  await stillServes(server)
})

test('RS-06 near miss: who waited through a slow authenticate is let in', async (t) => {
  const server = await start(t, () => sleep(50))
  await server.connect({ path: '/slow' })
  assert.equal(server.app.secureWs.stats().sockets, 1)
})

test('RS-06 resets while the server drains hold nobody', async (t) => {
  const server = await start(t)
  const peers = await Promise.all(Array.from({ length: 100 }, () => server.connect({ path: '/talk' })))
  const drained = server.app.secureWs.drain()
  for (const peer of peers) peer.reset()
  await drained
  await server.empty()
})

/** Timers, sockets and requests that keep this process busy. */
function handles(): number {
  return process.getActiveResourcesInfo().length
}
