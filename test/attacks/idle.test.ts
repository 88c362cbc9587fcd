import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FastifyRequest } from 'fastify'
import { text } from '../harness/frames.ts'
import { collectGarbage } from '../harness/garbage.ts'
import { startServer } from '../harness/server.ts'
import { until } from '../harness/until.ts'

// What an idle socket keeps is multiplied by whoever opens thousands and says nothing. Its request, its reply and
// their headers were most of it.

test('an idle socket keeps no request, and the one whose route asks about it keeps it', async (t) => {
  const requests = new Map<string, WeakRef<FastifyRequest>[]>()
  const remember = (request: FastifyRequest) => {
    const url = request.url
    requests.set(url, [...(requests.get(url) ?? []), new WeakRef(request)])
  }
  const receives = { say: { schema: { type: 'object' }, authorize: () => true } } as const
  const server = await startServer(t, {}, (app) => {
    app.get('/quiet', { websocket: true }, (_socket, request) => remember(request))
    app.get('/asking', { websocket: true, secureWs: { authorize: () => true } }, (_socket, request) =>
      remember(request),
    )
    app.get('/declared', { websocket: true, secureWs: { receives } }, (socket, request) => {
      remember(request)
      socket.on('say', () => {})
    })
  })
  for (const path of ['/quiet', '/asking', '/declared']) {
    for (let count = 0; count < 20; count++) await server.connect({ path })
  }
  const alive = (url: string) => requests.get(url)?.filter((request) => request.deref() !== undefined).length
  await until(async () => {
    await collectGarbage()
    return (alive('/quiet') ?? 20) <= 1
  }, 'the requests of the quiet sockets were let go')
  assert.equal(alive('/asking'), 20)
  assert.equal(alive('/declared'), 20)
  assert.equal(server.app.secureWs.stats().sockets, 60)
})

test('a handler that goes on using its request finds it as it was', async (t) => {
  const server = await startServer(t, {}, (app) => {
    app.get('/ws', { websocket: true }, (socket, request) => {
      socket.on('message', () => socket.send({ url: request.url, host: request.headers.host, ip: request.ip }))
    })
  })
  const peer = await server.connect()
  await collectGarbage()
  peer.write(text('?'))
  await until(() => peer.messages.length === 1, 'it answered')
  assert.deepEqual(peer.messages, [{ url: '/ws', host: `127.0.0.1:${server.port}`, ip: '127.0.0.1' }])
})

test('a hook that waits for the end of the response is told of the end of the socket', async (t) => {
  let closed = 0
  const server = await startServer(t, {}, (app) => {
    app.addHook('onRequest', async (_request, reply) => {
      reply.raw.once('close', () => closed++)
    })
    app.get('/ws', { websocket: true }, () => {})
  })
  const peer = await server.connect()
  assert.equal(closed, 0)
  peer.reset()
  await until(() => closed === 1, 'the hook was told')
})

test('a reset after the handshake raises nothing, whether or not the handler listens for errors', async (t) => {
  const errors: unknown[] = []
  const server = await startServer(t, {}, (app) => {
    app.get('/silent', { websocket: true }, (socket) => socket.on('message', () => {}))
    app.get('/listening', { websocket: true }, (socket) => {
      socket.on('message', () => {})
      socket.on('error', (error) => errors.push(error))
    })
  })
  for (const path of ['/silent', '/listening']) {
    const peer = await server.connect({ path })
    // RSV bits without an extension: ws fails the connection, and tells whoever listens.
    peer.write(Buffer.from([0xf1, 0x80, 0, 0, 0, 0]))
    assert.equal(await peer.closeCode(), 1002, path)
  }
  assert.equal(errors.length, 1)
  await server.empty()
})
