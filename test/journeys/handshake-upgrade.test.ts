import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { test } from 'node:test'
import { rawConnect } from '../harness/raw-client.ts'
import { until } from '../harness/until.ts'
import { type Asked, assertRefused, closedByServer, type Journey, startJourney } from './journey.ts'

// Bare @fastify/websocket says 101 to nearly all of this, and closes without a code a moment later.

function routed(t: Parameters<typeof startJourney>[0]): Promise<Journey> {
  return startJourney(
    t,
    {},
    {
      before(app) {
        app.get('/plain-early', () => 'plain')
      },
      routes(app) {
        app.get('/ws', { websocket: true }, (socket) => socket.on('message', () => {}))
        app.get('/plain', () => 'plain')
        app.post('/posted', () => 'posted')
        app.route({
          method: 'GET',
          url: '/both',
          handler: () => 'an answer over HTTP',
          wsHandler: (socket) => socket.send('<b>'),
        })
        app.get('/rooms/:id', { websocket: true }, (socket) => socket.on('message', () => {}))
        app.register(
          async (inside) => {
            inside.setNotFoundHandler((_request, reply) => reply.code(200).send('a page of its own'))
            inside.get('/ws', { websocket: true }, (socket) => socket.on('message', () => {}))
          },
          { prefix: '/inside' },
        )
      },
    },
  )
}

const attacks: readonly (readonly [name: string, asked: Asked, status: number, code: string])[] = [
  ['X-2 4.1.4 POST to a socket route', { method: 'POST' }, 400, 'SWS_BAD_HANDSHAKE'],
  ['X-2 PUT to a socket route', { method: 'PUT' }, 400, 'SWS_BAD_HANDSHAKE'],
  ['X-2 POST to a route for POST', { method: 'POST', target: '/posted' }, 400, 'SWS_BAD_HANDSHAKE'],
  ['X-2 DELETE of an unknown path', { method: 'DELETE', target: '/nowhere' }, 400, 'SWS_BAD_HANDSHAKE'],
  ['X-2 OPTIONS of everything', { method: 'OPTIONS', target: '*' }, 400, 'SWS_BAD_HANDSHAKE'],
  ['X-2 two Upgrade tokens', { headers: { Upgrade: 'websocket, h2c' } }, 400, 'SWS_BAD_HANDSHAKE'],
  ['X-2 two Upgrade lines', { headers: { Upgrade: ['h2c', 'WebSocket'] } }, 400, 'SWS_BAD_HANDSHAKE'],
  ['X-2 a plain route', { target: '/plain' }, 404, 'SWS_NOT_A_SOCKET_ROUTE'],
  ['X-2 an unknown path', { target: '/nowhere' }, 404, 'SWS_NOT_A_SOCKET_ROUTE'],
  [
    'X-2 an unknown path of a prefix with a 404 of its own',
    { target: '/inside/nowhere' },
    404,
    'SWS_NOT_A_SOCKET_ROUTE',
  ],
  ['X-2 another case of a path', { target: '/WS' }, 404, 'SWS_NOT_A_SOCKET_ROUTE'],
  ['X-2 a path that ends elsewhere', { target: '/ws/' }, 404, 'SWS_NOT_A_SOCKET_ROUTE'],
  ['X-2 a route that was declared before the plugin', { target: '/plain-early' }, 404, 'SWS_NOT_A_SOCKET_ROUTE'],
  ['absolute-form, which names a second host', { target: 'http://localhost/ws' }, 400, 'SWS_BAD_HANDSHAKE'],
  ['4.2.1 a body', { headers: { 'Content-Length': '4' } }, 400, 'SWS_BAD_HANDSHAKE'],
  ['CS-2 version 14', { headers: { 'Sec-WebSocket-Version': '14' } }, 426, 'SWS_BAD_HANDSHAKE'],
]

test('no 101 but for a handshake on a socket route', async (t) => {
  const { open, app } = await routed(t)
  for (const [name, asked, status, code] of attacks) {
    await t.test(name, async () => {
      const { answer, connection } = await open(asked)
      assertRefused(answer, status, code)
      await closedByServer(connection)
    })
  }
  for (const target of ['/ws', '/both', '/inside/ws', '/rooms/7', '/rooms/%37', '/ws?token=%']) {
    await t.test(`${target} is one`, async () => assert.equal((await open({ target })).answer.status, 101))
  }
  await t.test('X-2 HEAD of a socket route runs no handler', async () => {
    const { answer, connection } = await open({ method: 'HEAD' }).catch(() => assert.fail('no answer to HEAD'))
    assert.equal(answer.status, 400)
    connection.close()
  })
  await until(() => app.secureWs.stats().connections === 6, 'only the six sockets hold a place')
})

// Java's HttpClient and `curl --http2` ask for h2c with their first request, and got 400 from every route of the server.
test('X-2 a request for another protocol is the plain one that it also is, where Node asks; else it is refused', async (t) => {
  const { open } = await routed(t)
  const nodeAsks = 'shouldUpgradeCallback' in createServer()
  const h2c = { Upgrade: 'h2c', Connection: 'Upgrade, HTTP2-Settings', 'HTTP2-Settings': 'AAMAAABkAAQAAP__' }
  for (const headers of [h2c, { ...h2c, Upgrade: 'tls/1.0' }, { ...h2c, Upgrade: 'h2c, foo' }]) {
    const plain = await open({ target: '/plain', headers })
    assert.equal(plain.answer.status, nodeAsks ? 200 : 400)
    const socket = await open({ headers })
    if (nodeAsks) assertRefused(socket.answer, 426, 'SWS_UPGRADE_REQUIRED')
    else assertRefused(socket.answer, 400, 'SWS_BAD_HANDSHAKE')
    await closedByServer(socket.connection)
  }
  // Near miss: whoever offers websocket beside it means an upgrade.
  assertRefused(
    (await open({ target: '/plain', headers: { Upgrade: 'h2c, websocket' } })).answer,
    400,
    'SWS_BAD_HANDSHAKE',
  )
})

test('X-2 CONNECT is no way in', async (t) => {
  const { port } = await routed(t)
  const connection = await rawConnect({ port })
  connection.write(`CONNECT localhost:${port} HTTP/1.1\r\nHost: localhost:${port}\r\n\r\n`)
  assert.notEqual((await connection.answer()).status, 200)
  await closedByServer(connection)
})

/*
 * Fastify's router answers these by itself, without a hook, so @fastify/websocket's `onResponse` never closed them: each
 * stayed open for good, in no count, even after its client was gone.
 */
for (const [name, target, status] of [
  ['a path that cannot be decoded', '/%', 400],
  ['half an escape below a socket route', '/ws/%2', 400],
  ['a parameter that is no UTF-8', '/rooms/%ff', 400],
  ['a parameter that is too long', `/rooms/${'x'.repeat(101)}`, 414],
] as const) {
  test(`RS-11 ${name} is refused by the router, closed, and an event`, async (t) => {
    const { open, events, app } = await routed(t)
    const { answer, connection } = await open({ target })
    assert.equal(answer.status, status)
    assert.doesNotMatch(answer.text, / 101 /)
    await closedByServer(connection)
    assert.equal(events.at(-1)?.type, 'handshake.refused')
    assert.match(events.at(-1)?.reason ?? '', new RegExp(`answered with ${status} before the guard saw it`))
    await until(async () => (await connectionsOf(app.server)) === 0, 'the server has no connection left')
  })
}

function connectionsOf(server: { getConnections(done: (error: Error | null, count: number) => void): unknown }) {
  return new Promise<number>((resolve, reject) => {
    server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)))
  })
}

test('a plain route says in the log why it is not one for sockets, at info, and an unknown path does not', async (t) => {
  const { ask, lines } = await routed(t)
  const advice = () => lines.filter((line) => line.includes('is a route, but none for sockets'))
  await ask({ target: '/nowhere' })
  assert.equal(advice().length, 0)
  await ask({ target: '/plain-early' })
  const [line] = advice()
  assert.match(line ?? '', /"level":30.*\/plain-early.*after `await app\.register/)
})

test('the long form: both faces of one path, and what leaves the socket is encoded', async (t) => {
  const { ask, open, port } = await routed(t)
  assertRefused(await ask({ target: '/both', headers: { Origin: 'https://evil.example' } }), 403, 'SWS_ORIGIN_REFUSED')
  const plain = await fetch(`http://127.0.0.1:${port}/both`)
  assert.equal(await plain.text(), 'an answer over HTTP')
  const { answer, connection } = await open({ target: '/both' })
  assert.equal(answer.status, 101)
  let frame = answer.body
  connection.socket.on('data', (chunk: Buffer) => {
    frame += chunk.toString('latin1')
  })
  connection.socket.resume()
  await until(() => frame.includes('&lt;b&gt;'), 'the encoded text arrives')
})

test('a socket route without Upgrade is not a page', async (t) => {
  const { port } = await routed(t)
  const answer = await fetch(`http://127.0.0.1:${port}/ws`)
  assert.equal(answer.status, 426)
  assert.equal(answer.headers.get('upgrade'), 'websocket')
  assert.equal(answer.headers.get('x-content-type-options'), 'nosniff')
  assert.doesNotMatch(await answer.text(), /</)
})

test('X-7 injectWS without more is refused: it has no address, no TLS and no Origin', async (t) => {
  const { app, refusals } = await routed(t)
  await assert.rejects(app.injectWS('/ws'), /Unexpected server response: 400/)
  const headers = { host: 'app.example', origin: 'https://app.example' }
  await assert.rejects(app.injectWS('/ws', { headers }), /Unexpected server response: 426/)
  await assert.rejects(app.injectWS('/ws', { headers: { host: 'localhost', origin: 'http://localhost' } }), /426/)
  assert.deepEqual(
    refusals().map(([code]) => code),
    ['SWS_BAD_HANDSHAKE', 'SWS_INSECURE_TRANSPORT', 'SWS_INSECURE_TRANSPORT'],
  )
})

// RS-06, X-1: the client is gone before the answer. Nothing is left behind, and the process lives.
test('RS-06 resets at once, while a check waits, and after the answer', async (t) => {
  const { app, bytes, port, ask } = await startJourney(t, {
    authenticate: () => new Promise((resolve) => setTimeout(() => resolve({ id: 's' }), 20)),
    limits: { connectionsPerSession: 100, handshakesPerMinutePerAddress: 1_000 },
  })
  await Promise.all(
    Array.from({ length: 60 }, async (_, index) => {
      const connection = await rawConnect({ port })
      connection.write(bytes(index % 4 === 0 ? { headers: { Origin: 'null' } } : {}))
      if (index % 3 === 1) await new Promise((resolve) => setTimeout(resolve, 5))
      if (index % 3 === 2) await connection.answer()
      connection.reset()
    }),
  )
  await until(() => app.secureWs.stats().connections === 0, 'every place is given back')
  assert.equal(app.secureWs.stats().sessions, 0)
  assert.equal((await ask()).status, 101)
})
