import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { buildSchema } from 'graphql'
import { makeHandler } from 'graphql-ws/use/@fastify/websocket'
import { createWebSocketStream, WebSocket } from 'ws'
import { startServer } from '../harness/server.ts'
import { until } from '../harness/until.ts'

/** What the rest of the world uses our sockets with. */
async function connect(t: TestContext, port: number, path: string, protocols: readonly string[] = []) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, [...protocols], { origin: `http://127.0.0.1:${port}` })
  t.after(() => socket.terminate())
  const frames: string[] = []
  socket.on('message', (frame) => frames.push(String(frame)))
  await once(socket, 'open')
  return { socket, frames }
}

test('the stream of ws carries 10 MB both ways, however slowly it is read', async (t) => {
  const size = 10_000_000
  const server = await startServer(t, { limits: { outboundBytes: 20_000_000 } }, (app) => {
    app.get('/ws', { websocket: true }, (socket) => {
      const stream = createWebSocketStream(socket as object as WebSocket, { highWaterMark: 1_000 })
      stream.on('error', () => {})
      stream.pipe(stream)
    })
  })
  const { socket } = await connect(t, server.port, '/ws')
  const stream = createWebSocketStream(socket)
  stream.on('error', () => {})
  const chunk = Buffer.alloc(50_000, 7)
  for (let sent = 0; sent < size; sent += chunk.length) stream.write(chunk)
  let received = 0
  stream.on('data', (bytes: Buffer) => {
    received += bytes.length
  })
  await until(() => received === size, 'all had come back', 90_000)
  stream.end()
  await server.empty()
})

test('the stream of ws ends when the client closes, and destroys the socket when it is destroyed', async (t) => {
  let ended = 0
  const server = await startServer(t, {}, (app) => {
    app.get('/ends', { websocket: true }, (socket) => {
      createWebSocketStream(socket as object as WebSocket)
        .on('end', () => ended++)
        .resume()
    })
    app.get('/destroys', { websocket: true }, (socket) => {
      createWebSocketStream(socket as object as WebSocket).destroy()
    })
  })
  const first = await connect(t, server.port, '/ends')
  first.socket.close(1000)
  await until(() => ended === 1, 'it had ended')
  const second = await connect(t, server.port, '/destroys')
  if (second.socket.readyState !== WebSocket.CLOSED) await once(second.socket, 'close')
  await server.empty()
})

test('once, addEventListener, onmessage and prependListener hear early frames as well', async (t) => {
  const heard: string[] = []
  const server = await startServer(t, {}, (app) => {
    app.get('/once', { websocket: true }, (socket) => {
      socket.once('message', () => heard.push('once'))
    })
    app.get('/add', { websocket: true }, (socket) => {
      ;(socket as object as WebSocket).addEventListener('message', ({ data }) => heard.push(`add ${String(data)}`))
    })
    app.get('/onmessage', { websocket: true }, (socket) => {
      ;(socket as object as WebSocket).onmessage = ({ data }) => heard.push(`onmessage ${String(data)}`)
    })
    app.get('/prepend', { websocket: true }, (socket) => {
      socket.prependListener('message', () => heard.push('prepend'))
    })
  })
  for (const path of ['/once', '/add', '/onmessage', '/prepend']) {
    const { socket } = await connect(t, server.port, path)
    socket.send('x')
    socket.send('y')
  }
  await until(() => heard.length === 7, 'all had heard')
  assert.deepEqual(heard.toSorted(), ['add x', 'add y', 'once', 'onmessage x', 'onmessage y', 'prepend', 'prepend'])
})

test('`clients` of the server of ws are the sockets that are open, as a Set', async (t) => {
  const inHandler: boolean[] = []
  const atClose: boolean[] = []
  const server = await startServer(t, {}, (app) => {
    app.get('/ws', { websocket: true }, (socket) => {
      const has = () => app.websocketServer.clients.has(socket as object as WebSocket)
      inHandler.push(has())
      socket.on('close', () => atClose.push(has()))
    })
  })
  const { clients } = server.app.websocketServer
  const looks = () => [clients.size, [...clients].length, clients.union(new Set([1])).size]
  assert.ok(clients instanceof Set)
  assert.deepEqual(looks(), [0, 0, 1])
  const first = await connect(t, server.port, '/ws')
  const second = await connect(t, server.port, '/ws')
  assert.deepEqual(
    [looks(), inHandler],
    [
      [2, 2, 3],
      [true, true],
    ],
  )
  first.socket.terminate()
  await until(() => clients.size === 1, 'one had gone')
  for (const client of clients) client.close(1000)
  const [code] = await once(second.socket, 'close')
  await server.empty()
  assert.deepEqual([code, looks(), atClose], [1000, [0, 0, 1], [false, false]])
})

test('an application that wants no `clients` has none', async (t) => {
  const server = await startServer(t, { websocket: { options: { clientTracking: false } } }, (app) => {
    app.get('/ws', { websocket: true }, () => {})
  })
  await connect(t, server.port, '/ws')
  assert.equal(server.app.websocketServer.clients, undefined)
})

test('graphql-ws runs on a raw route: queries, subscriptions, and what is in them is escaped', async (t) => {
  const schema = buildSchema('type Query { name: String } type Subscription { count: String }')
  const roots = {
    query: { name: '<script>' },
    subscription: {
      async *count() {
        yield { count: '1' }
        yield { count: '<2>' }
      },
    },
  }
  const server = await startServer(t, { encode: 'json' }, (app) => {
    app.get(
      '/graphql',
      { websocket: true, secureWs: { protocols: ['graphql-transport-ws'] } },
      makeHandler({ schema, roots }),
    )
  })
  const { socket, frames } = await connect(t, server.port, '/graphql', ['graphql-transport-ws'])
  assert.equal(socket.protocol, 'graphql-transport-ws')
  const say = (message: object) => socket.send(JSON.stringify(message))
  say({ type: 'connection_init' })
  await until(() => frames.length === 1, 'it was acknowledged')
  say({ id: 'q', type: 'subscribe', payload: { query: '{ name }' } })
  say({ id: 's', type: 'subscribe', payload: { query: 'subscription { count }' } })
  await until(() => frames.length === 6, 'both were complete')
  assert.ok(!frames.join().includes('<'))
  const messages = frames.map((each) => JSON.parse(each) as { id?: string; type: string; payload?: unknown })
  const of = (id: string) => messages.filter((each) => each.id === id).map(({ payload }) => payload)
  assert.deepEqual(of('q'), [{ data: { name: '<script>' } }, undefined])
  assert.deepEqual(of('s'), [{ data: { count: '1' } }, { data: { count: '<2>' } }, undefined])
  socket.close()
  await server.empty()
})

test('graphql-ws closes who speaks out of turn, with its own code', async (t) => {
  const schema = buildSchema('type Query { name: String }')
  const server = await startServer(t, { encode: 'json' }, (app) => {
    app.get('/graphql', { websocket: true, secureWs: { protocols: ['graphql-transport-ws'] } }, makeHandler({ schema }))
  })
  const { socket } = await connect(t, server.port, '/graphql', ['graphql-transport-ws'])
  socket.send(JSON.stringify({ id: 'q', type: 'subscribe', payload: { query: '{ name }' } }))
  const [code] = (await once(socket, 'close')) as [number]
  assert.equal(code, 4401)
})
