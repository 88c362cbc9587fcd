import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import Fastify, { type FastifyInstance } from 'fastify'
import WebSocket, { WebSocketServer } from 'ws'
import secureWs, { type GuardPolicy, type SecureWsOptions, ticket } from '../../src/index.ts'
import { isEmpty } from '../harness/server.ts'
import { until } from '../harness/until.ts'
import { named, refusals, startNeighbourhood } from './neighbour.ts'

/** A `ws` server on the same HTTP server, as its own documentation has it. */
function wsServer(t: TestContext, app: FastifyInstance, path = '/other') {
  const server = new WebSocketServer({ server: app.server, path })
  server.on('connection', (socket) => {
    socket.on('error', () => {})
    socket.on('message', (text) => socket.send(`other: ${text}`))
  })
  t.after(() => {
    for (const client of server.clients) client.terminate()
    server.close()
  })
  return server
}

async function start(
  t: TestContext,
  policy: GuardPolicy | undefined,
  options: Partial<SecureWsOptions> = {},
  tls = false,
) {
  let other: WebSocketServer | undefined
  const neighbourhood = await startNeighbourhood(t, {
    options,
    tls,
    after(app) {
      other = wsServer(t, app)
      app.secureWs.guard('/other', policy)
      app.post('/ticket', (request) => app.secureWs.issueTicket(request, { route: '/other' }))
    },
  })
  assert.ok(other)
  const { own } = neighbourhood
  const open = async (user = 'ada', protocols: string[] = [], target = '/other') => {
    const socket = new WebSocket(own.replace('http', 'ws') + target, protocols, {
      headers: { origin: own, 'x-user': user },
      rejectUnauthorized: false,
    })
    socket.on('error', () => {})
    t.after(() => socket.terminate())
    await once(socket, 'open')
    const closed = once(socket, 'close').then(([code]) => code as number)
    const say = async (text: string) => {
      socket.send(text)
      return String((await once(socket, 'message'))[0])
    }
    return { socket, closed, say }
  }
  return { ...neighbourhood, other, open }
}

for (const tls of [false, true]) {
  test(`a foreign page is refused before the other server hears of it, our own is served${tls ? ' (TLS)' : ''}`, async (t) => {
    const { ask, open, other, events } = await start(t, undefined, {}, tls)
    assert.equal(await ask('/other', { Origin: 'https://evil.example' }), 403)
    assert.equal(await ask('/other', { 'X-User': undefined }), 401)
    assert.equal(await ask('/other', { Host: 'evil.example', Origin: 'https://evil.example' }), tls ? 421 : 426)
    assert.equal(await ask('/other', { 'Sec-WebSocket-Version': '8' }), 426)
    assert.equal(other.clients.size, 0)
    const { say } = await open()
    assert.equal(await say('hello'), 'other: hello')
    assert.equal(other.clients.size, 1)
    const accepted = events.find(({ type }) => type === 'handshake.accepted')
    assert.equal(accepted?.route, '/other')
    assert.equal(accepted?.user, 'ada')
  })
}

test('a revocation ends it, and gives its places back', async (t) => {
  const { app, open, events } = await start(t, {})
  const [ada, eve] = [await open('ada'), await open('eve')]
  assert.deepEqual(
    app.secureWs.sockets().map(({ route, session }) => [route, session?.userId]),
    [
      ['/other', 'ada'],
      ['/other', 'eve'],
    ],
  )
  assert.equal((await app.secureWs.revoke({ userId: 'ada' })).closed, 1)
  assert.equal(await ada.closed, 1006)
  assert.equal(await eve.say('still here'), 'other: still here')
  await until(() => app.secureWs.stats().connections === 1, 'its place is free')
  const { sockets, rooms, addresses, sessions, users } = app.secureWs.stats()
  assert.deepEqual([sockets, rooms, addresses, sessions, users], [1, 0, 1, 1, 1])
  const closed = events.find(({ type }) => type === 'stream.closed')
  assert.deepEqual([closed?.code, closed?.route, closed?.reason], [3000, '/other', 'user revoked'])
})

test('the end of the session ends it, and so does an `authorize` that says no later', async (t) => {
  let allowed = true
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() })
  const { app, open, events } = await start(
    t,
    { authorize: (session) => session?.userId === 'ada' && allowed },
    { authenticate: (request) => ({ ...named(request), id: 's1', expiresAt: Date.now() + 60_000 }) },
  )
  const first = await open()
  t.mock.timers.setTime(Date.now() + 60_000)
  assert.equal(await first.closed, 1006)
  assert.ok(events.some(({ type, route }) => type === 'session.expired' && route === '/other'))
  const again = await open()
  allowed = false
  app.secureWs.reauthorize({ userId: 'ada' })
  assert.equal(await again.closed, 1006)
  assert.equal(events.findLast(({ type }) => type === 'stream.closed')?.code, 3003)
})

test('`authorize`, and the limits of persons and addresses, hold as for a route', async (t) => {
  const { ask, open } = await start(t, {
    authorize: (session, request) => session?.userId === 'ada' && !request.url.includes('secret'),
    limits: { connectionsPerSession: 1 },
  })
  assert.equal(await ask('/other', { 'X-User': 'eve' }), 403)
  assert.equal(await ask('/other?secret', {}), 403)
  await open()
  assert.equal(await ask('/other'), 429)
})

test('a client that goes away, and a close of the other server, give everything back', async (t) => {
  const { app, open, other, events } = await start(t, {})
  const first = await open()
  first.socket.terminate()
  const second = await open()
  for (const client of other.clients) client.close(1000)
  await second.closed
  await until(() => isEmpty(app), 'nobody holds anything')
  assert.equal(events.filter(({ type }) => type === 'stream.closed').length, 2)
})

test('the close of the server ends it at once', async (t) => {
  const { app, open, connections } = await start(t, {})
  const clients = await Promise.all([open(), open(), open()])
  await app.close()
  for (const { closed } of clients) assert.equal(await closed, 1006)
  assert.equal(await connections(), 0)
})

// A server that picks the first offer (ws does) would send the ticket back, into every log on the way.
test('CS-14 the other server sees no credential among the sub-protocols', async (t) => {
  const { app, own, open, other, ask } = await start(t, {}, { authenticate: [ticket(), (request) => named(request)] })
  const seen: (readonly unknown[])[] = []
  other.on('connection', (_socket, request) => {
    const at = request.rawHeaders.findIndex((name) => name.toLowerCase() === 'sec-websocket-protocol')
    seen.push([request.headers['sec-websocket-protocol'], request.rawHeaders[at + 1]])
  })
  const issue = async () => {
    const answer = await app.inject({ method: 'POST', url: '/ticket', headers: { origin: own, 'x-user': 'ada' } })
    const { protocol } = answer.json<{ protocol: string }>()
    return protocol
  }
  const nobody = 'nobody'
  const first = await open(nobody, ['secure-ws', await issue()])
  const second = await open(nobody, ['secure-ws', await issue(), 'graphql-transport-ws'])
  assert.deepEqual([first.socket.protocol, second.socket.protocol], ['secure-ws', 'graphql-transport-ws'])
  assert.deepEqual(seen, [
    ['secure-ws', 'secure-ws'],
    ['graphql-transport-ws', 'graphql-transport-ws'],
  ])
  assert.equal(await ask('/other', { 'X-User': nobody }), 401)
})

test('what is guarded is whole segments, as they were sent; nothing else reaches the other server', async (t) => {
  const { ask, other, events } = await start(t, { authorize: () => true })
  let heard = 0
  other.on('connection', () => heard++)
  other.shouldHandle = () => true
  assert.equal(await ask('/other/below?x=1'), 101)
  assert.equal(await ask('/other/'), 101)
  assert.equal(heard, 2)
  for (const target of [
    '/others',
    '/Other',
    '/%6fther',
    '//other',
    '/other/../ours2',
    '/other/%2e%2e/ours2',
    '/other//x',
    '/other/./x',
    '/other%2fx',
    '/other\\x',
    '/other/..',
    '/x/../other',
  ]) {
    assert.ok([400, 404].includes(await ask(target)), target)
  }
  assert.equal(heard, 2)
  assert.ok(refusals(events).every((code) => code === 'SWS_NOT_A_SOCKET_ROUTE' || code === 'SWS_BAD_HANDSHAKE'))
})

test("the application's own routes at the path stay as they are, and our sockets beside it", async (t) => {
  const { app, ask } = await startNeighbourhood(t, {
    after(instance) {
      instance.get('/other', () => 'a page')
      instance.get('/other/:id', ({ params }) => params)
      instance.post('/other', () => 'posted')
      wsServer(t, instance)
      instance.secureWs.guard('/other')
      instance.secureWs.guard('/third', { authenticate: false })
    },
  })
  assert.equal((await app.inject('/other')).body, 'a page')
  assert.deepEqual((await app.inject('/other/7')).json(), { id: '7' })
  assert.equal((await app.inject({ method: 'POST', url: '/other' })).body, 'posted')
  assert.equal((await app.inject('/third')).statusCode, 404)
  assert.equal(await ask('/other', { Origin: 'https://evil.example' }), 403)
  assert.equal(await ask('/other'), 101)
  assert.equal(await ask('/ours'), 101)
})

test('hooks of the application hear of it, and may refuse', async (t) => {
  const heard: string[] = []
  const { ask, connections } = await startNeighbourhood(t, {
    after(app) {
      app.addHook('onRequest', async ({ url }) => void heard.push(url))
      app.addHook('preHandler', async ({ headers }, reply) => {
        if (headers['x-banned'] !== undefined) return reply.code(402).send()
      })
      wsServer(t, app)
      app.secureWs.guard('/other')
    },
  })
  assert.equal(await ask('/other', { 'X-Banned': '1' }), 402)
  await until(async () => (await connections()) === 0, 'its stream is gone')
  assert.equal(await ask('/other'), 101)
  assert.deepEqual(heard, ['/other', '/other'])
})

test('a server that never answers is cut off after limits.handshake, and one that throws at once', async (t) => {
  let how: 'silent' | 'throws' | 'rejects' = 'silent'
  const { app, connections, events, own } = await startNeighbourhood(t, {
    options: { limits: { handshake: 100 } },
    after(instance) {
      instance.server.on('upgrade', () => {
        if (how === 'throws') throw new Error('broken')
        return how === 'rejects' ? Promise.reject(new Error('broken')) : undefined
      })
      instance.secureWs.guard('/other')
    },
  })
  for (const next of ['silent', 'throws', 'rejects'] as const) {
    how = next
    const socket = new WebSocket(`${own.replace('http', 'ws')}/other`, { headers: { origin: own, 'x-user': 'ada' } })
    socket.on('error', () => {})
    await new Promise((resolve) => socket.once('close', resolve))
    await until(async () => (await connections()) === 0, next)
    await until(() => app.secureWs.stats().connections === 0, 'its place is free')
  }
  assert.match(String(events.find(({ type }) => type === 'stream.closed')?.reason), /did not answer within 100 ms/)
})

test('nobody behind a guard: 503, and a listener that comes after the start is guarded', async (t) => {
  const { app, ask } = await startNeighbourhood(t, { after: (instance) => instance.secureWs.guard('/other') })
  assert.equal(await ask('/other'), 503)
  wsServer(t, app)
  await until(async () => (await ask('/other')) === 101, 'it is there')
  assert.equal(await ask('/other', { Origin: 'https://evil.example' }), 403)
})

const wrong: readonly (readonly [policy: unknown, path: unknown, says: RegExp])[] = [
  [{}, 'other', /Write the path of the other server/],
  [{}, undefined, /Write the path of the other server/],
  [{}, '/a?b', /Write the path/],
  [{}, '/:id', /Write the path/],
  [{}, '/*', /Write the path/],
  [{}, '/a//b', /Write the path/],
  [{}, '/a/../b', /Write the path/],
  [{}, '/hmr', /dangerouslyLeaveUpgrades/],
  [{}, '/hmr/x', /dangerouslyLeaveUpgrades/],
  [{}, '/twice', /guarded already/],
  [{ receives: {} }, '/other', /guard \/other\.receives/],
  [{ encode: 'none' }, '/other', /guard \/other\.encode/],
  [{ protocols: ['x'] }, '/other', /guard \/other\.protocols/],
  [{ limits: { messageBytes: 5 } }, '/other', /guard \/other\.limits\.messageBytes/],
  [{ authorise: () => true }, '/other', /Did you mean .*authorize/],
  [{ authorize: true }, '/other', /authorize/],
  [7, '/other', /Write an object/],
]
for (const [policy, path, says] of wrong) {
  test(`guard(${JSON.stringify(path)}, ${JSON.stringify(policy)}) fails: ${says}`, async (t) => {
    const app = Fastify()
    t.after(() => app.close())
    await app.register(secureWs, { authenticate: false, dangerouslyLeaveUpgrades: ['/hmr'] })
    app.secureWs.guard('/twice')
    assert.throws(() => app.secureWs.guard(path as string, policy as GuardPolicy), {
      code: 'SWS_BAD_OPTION',
      message: says,
    })
  })
}

test('a guard whose policy was refused guards nothing, and may be declared again', async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  await app.register(secureWs, { authenticate: false })
  assert.throws(() => app.secureWs.guard('/other', { authorize: true } as object), { code: 'SWS_BAD_OPTION' })
  app.secureWs.guard('/other')
  assert.throws(() => app.secureWs.guard('/other'), /guarded already/)
  await app.ready()
})

test('a guard after the start, and one in front of a socket route of ours, fail', async (t) => {
  const { app } = await startNeighbourhood(t, {})
  assert.throws(() => app.secureWs.guard('/late'), /before the start/)
  const other = Fastify()
  t.after(() => other.close())
  await other.register(secureWs, { authenticate: false })
  other.get('/chat/:id', { websocket: true }, () => {})
  other.secureWs.guard('/chat')
  await assert.rejects(Promise.resolve(other.ready()), { code: 'SWS_UNGUARDED_ROUTE', message: /\/chat\/:id/ })
})

test('what a guard loosens stands in the warning, and its rules in explain()', async (t) => {
  const { app, events } = await start(t, { allowMissingOrigin: true })
  assert.ok(events.some(({ type, reason }) => type === 'options.loosened' && reason?.startsWith('/other allowMissing')))
  assert.ok(app.secureWs.explain().some((each) => Reflect.get(each, 'route') === '/other'))
})
