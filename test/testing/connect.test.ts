import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import Fastify, { type FastifyInstance } from 'fastify'
import secureWs, {
  bearer,
  cookieSession,
  dangerouslyAllowAnyOrigin,
  type MessagesOf,
  type SecureWsOptions,
  socketRoute,
} from '../../src/index.ts'
import {
  type ConnectOptions,
  connect,
  HandshakeRefused,
  MessageRefused,
  signedCookie,
  signIn,
} from '../../src/testing/testing.ts'
import { testCertificate } from '../harness/certificate.ts'

const secret = randomBytes(32)
const authenticate = cookieSession({ secret, load: (id) => (id === 'known' ? { id, userId: 'grace' } : null) })
const ada = { id: 's1', userId: 'ada' }
const text = { type: 'object', properties: { text: { type: 'string', maxLength: 20 } }, required: ['text'] } as const
const count = { type: 'object', properties: {} } as const
const chat = socketRoute({
  receives: {
    say: { schema: text, reply: { type: 'integer' } },
    ask: { schema: text, reply: { type: 'string' } },
    count: { schema: count },
    secret: { schema: count, authorize: () => false },
  },
  sends: { welcome: { schema: text }, said: { schema: text }, sure: { schema: text, reply: { type: 'boolean' } } },
})
type Chat = MessagesOf<typeof chat>

async function appWith(t: TestContext, options: Partial<SecureWsOptions> = {}, server = {}): Promise<FastifyInstance> {
  const app: FastifyInstance = Fastify({ forceCloseConnections: true, ...server } as object)
  t.after(() => app.close())
  await app.register(secureWs, { authenticate, ...options })
  app.get('/chat', { websocket: true, secureWs: chat }, (socket) => {
    // Said at once, with the 101.
    socket.send({ type: 'welcome', text: `${socket.session.userId}` })
    socket.on('say', ({ text }) => {
      socket.send({ type: 'said', text })
      return 7
    })
    socket.on('ask', ({ text }) => socket.request('sure', { text }).then(String, ({ code }) => String(code)))
    socket.on('count', () => {})
    socket.on('secret', () => {})
  })
  app.get('/raw/:name', { websocket: true }, (socket) => {
    socket.on('message', (frame, isBinary) => socket.send(isBinary ? frame : `you said ${frame}`))
  })
  app.get('/me', { preHandler: app.secureWs.requireSession }, async (request) => app.secureWs.session(request))
  return app
}

for (const [name, server] of [
  ['plain', {}],
  ['TLS', { https: await testCertificate() }],
] as const) {
  test(`a ${name} server, without a port: what is said at once, a message, an answer, the end`, async (t) => {
    const app = await appWith(t, {}, server)
    const client = await connect<Chat>(app, '/chat', { session: ada })
    // Long after it came: nothing is lost before somebody asks.
    await new Promise((resolve) => setTimeout(resolve, 20))
    assert.deepEqual(await client.next('welcome'), { type: 'welcome', text: 'ada' })
    const answered = client.request('say', { text: '<b>' })
    assert.equal((await client.next('said')).text, '&lt;b&gt;')
    assert.equal(await answered, 7)
    assert.deepEqual(
      client.heard.map(({ type }) => type),
      ['welcome', 'said'],
    )
    assert.deepEqual(await client.close(), { code: 1000, reason: '' })
    assert.equal(app.server.address(), null)
  })
}

test('it answers the server, or says at once that nobody does', async (t) => {
  const app = await appWith(t)
  await using client = await connect<Chat>(app, '/chat', { session: ada })
  assert.equal(await client.request('ask', { text: '' }), 'SWS_DECLINED')
  const stop = client.answer('sure', ({ text }) => text === '&lt;b&gt;')
  assert.equal(await client.request('ask', { text: '<b>' }), 'true')
  stop()
  assert.equal(await client.request('ask', { text: '<b>' }), 'SWS_DECLINED')
  assert.deepEqual(
    client.heard.map(({ type }) => type),
    ['welcome'],
  )
})

test('messages wait for a `next` of their own, in their order; `next()` is the oldest of any', async (t) => {
  const app = await appWith(t)
  await using client = await connect<Chat>(app, '/chat', { session: ada })
  for (const word of ['one', 'two', 'three']) client.send({ type: 'say', text: word })
  assert.equal((await client.next('said')).text, 'one')
  assert.equal((await client.next()).type, 'welcome')
  assert.equal((await client.next('said')).text, 'two')
  const [both] = await Promise.all([client.next('said'), client.close()])
  assert.equal(both.text, 'three')
})

test('a route without declarations: text, bytes', async (t) => {
  const app = await appWith(t)
  await using client = await connect(app, '/raw/7', { session: ada })
  client.sendRaw('hello')
  assert.equal(await client.nextText(), 'you said hello')
  client.sendRaw(Buffer.from([1, 2]))
  assert.deepEqual([...(await client.nextBytes())], [1, 2])
})

test('the session is the object that was handed over; it expires, is revoked, and is one on plain routes, too', async (t) => {
  const app = await appWith(t)
  const headers = await signIn(app, ada)
  assert.deepEqual((await app.inject({ url: '/me', headers })).json(), ada)
  assert.equal(
    (await app.inject({ url: '/me', headers: { ...headers, 'secure-ws-test-session': 'guessed' } })).statusCode,
    401,
  )
  const client = await connect(app, '/chat', { headers })
  await app.secureWs.revoke({ userId: 'ada' })
  assert.equal((await client.closed).code, 3000)
  await assert.rejects(connect(app, '/chat', { headers }), { code: 'SWS_UNAUTHENTICATED' })
  await assert.rejects(connect(app, '/chat', { session: { id: 's2', expiresAt: Date.now() - 1 } }), {
    code: 'SWS_UNAUTHENTICATED',
    reason: /expired/,
  })
})

test('a session of one application is nobody in another one', async (t) => {
  const [one, other] = [await appWith(t), await appWith(t)]
  const headers = await signIn(one, ada)
  await (await connect(one, '/chat', { headers })).close()
  await assert.rejects(connect(other, '/chat', { headers }), { code: 'SWS_UNAUTHENTICATED' })
})

test('a cookie as the application signs it', async (t) => {
  for (const signs of ['value', 'name-and-value'] as const) {
    const own = cookieSession({
      secret,
      cookie: { signs },
      load: (id) => (id === 'k=.ey' ? { id, userId: 'grace' } : null),
    })
    const app = await appWith(t, { authenticate: own })
    const cookie = signedCookie('k=.ey', { secret, signs })
    await using client = await connect<Chat>(app, '/chat', { headers: { cookie } })
    assert.equal((await client.next('welcome')).text, 'grace')
    const other = signedCookie('k=.ey', { secret: randomBytes(32), signs })
    await assert.rejects(connect(app, '/chat', { headers: { cookie: other } }), { code: 'SWS_UNAUTHENTICATED' })
  }
})

test('the origin and the host are those of the route, unless the test says others', async (t) => {
  const rows: [Partial<SecureWsOptions>, string][] = [
    [{}, 'https://localhost'],
    [{ origins: ['https://app.example:8443'] }, 'https://app.example:8443'],
    [{ origins: ['https://*.app.example'], hosts: ['api.example'] }, 'https://www.app.example'],
    [{ origins: ['app://desktop'], hosts: ['api.example'] }, 'app://desktop'],
    [{ origins: 'same-origin', hosts: ['api.example'] }, 'https://api.example'],
    [{ origins: (origin) => origin === 'https://api.example', hosts: ['api.example'] }, 'https://api.example'],
  ]
  for (const [options, origin] of rows) {
    const app = await appWith(t, options)
    const client = await connect<Chat>(app, '/chat', { session: ada })
    await client.close()
    await (await connect<Chat>(app, '/chat', { session: ada, origin })).close()
  }
  const token = bearer({ key: secret, algorithms: ['HS256'], issuer: 'i', audience: 'a' })
  const open = await appWith(t, { origins: dangerouslyAllowAnyOrigin, hosts: ['x.example'], authenticate: token })
  await (await connect(open, '/chat', { session: ada, origin: 'https://other.example' })).close()
})

test('a page of another origin comes to the name of the server, also where that is the loopback address', async (t) => {
  const app = await appWith(t)
  const foreign = connect(app, '/chat', { session: ada, origin: 'https://evil.example' })
  await assert.rejects(foreign, { statusCode: 403, code: 'SWS_ORIGIN_REFUSED' })
})

test('a refusal says the code, the reason of the server, and what to write', async (t) => {
  const app = await appWith(t, { origins: ['https://app.example'] })
  const good = { session: ada }
  const rows: [string, ConnectOptions, number, string | undefined, RegExp][] = [
    ['/chat', { ...good, origin: 'https://evil.example' }, 403, 'SWS_ORIGIN_REFUSED', /evil\.example.*`origins`/],
    ['/chat', { ...good, origin: null }, 403, 'SWS_ORIGIN_REFUSED', /no Origin.*`allowMissingOrigin/],
    ['/chat', { ...good, host: 'rebound.example' }, 421, 'SWS_HOST_REFUSED', /`hosts`/],
    ['/chat', { ...good, encrypted: false }, 426, 'SWS_INSECURE_TRANSPORT', /`encrypted: false`/],
    ['/chat', {}, 401, 'SWS_UNAUTHENTICATED', /`session: \{ id/],
    ['/chat', { headers: { cookie: 'a=b' } }, 401, 'SWS_UNAUTHENTICATED', /credential in `headers`/],
    ['/cht', good, 404, 'SWS_NOT_A_SOCKET_ROUTE', /\/cht.*explain\(\)/],
  ]
  for (const [path, options, statusCode, code, message] of rows) {
    await assert.rejects(connect(app, path, options), (error) => {
      assert.ok(error instanceof HandshakeRefused)
      assert.deepEqual([error.statusCode, error.code], [statusCode, code])
      assert.match(error.message, message)
      assert.ok(error.reason !== undefined && error.message.includes(error.reason), error.message)
      return true
    })
  }
})

test('a refused request says its code, the reason and what to write', async (t) => {
  const app = await appWith(t)
  await using client = await connect(app, '/chat', { session: ada })
  const rows = [
    ['say', { text: 7 }, 'SWS_INVALID_MESSAGE', /text.*`schema`/],
    ['shout', {}, 'SWS_UNKNOWN_TYPE', /`receives`/],
    ['secret', {}, 'SWS_FORBIDDEN', /`authorize`/],
  ] as const
  for (const [type, body, code, message] of rows) {
    await assert.rejects(client.request(type, body), (error) => {
      assert.ok(error instanceof MessageRefused)
      assert.equal(error.code, code)
      assert.match(error.message, message)
      return true
    })
  }
  client.send({ type: 'say', text: 'x'.repeat(21) })
  assert.equal((await client.next('error')).code, 'SWS_INVALID_MESSAGE')
})

test('a message that does not come: the error says what was heard instead, and where the test waits', async (t) => {
  const app = await appWith(t)
  await using client = await connect(app, '/chat', { session: ada, patience: 1_000 })
  client.send({ type: 'shout' })
  await assert.rejects(client.next('said'), (error) => {
    assert.ok(error instanceof Error)
    assert.match(
      error.message,
      /^\/chat: 1000 ms \(`patience`\) were over before `said` came\. Heard instead: `welcome`, `error` SWS_UNKNOWN_TYPE\.$/,
    )
    assert.match(error.stack ?? '', /connect\.test\.ts/)
    return true
  })
})

test('a socket that ends first: the error says how', async (t) => {
  const app = await appWith(t)
  await using client = await connect(app, '/chat', { session: ada })
  const waiting = client.next('said')
  await Promise.all([
    assert.rejects(waiting, /the socket was closed with 3000 \(unauthorized\) before `said` came/),
    app.secureWs.revoke({ sessionId: 's1' }),
  ])
  await assert.rejects(client.next('said'), /closed with 3000/)
})

test('an application without the plugin: a socket, and a sentence about sign-in', async (t) => {
  const app = Fastify({ forceCloseConnections: true })
  t.after(() => app.close())
  await app.register((await import('@fastify/websocket')).default)
  app.get('/ws', { websocket: true }, (socket) => socket.on('message', (frame) => socket.send(String(frame))))
  await using client = await connect(app, '/ws')
  client.sendRaw('hello')
  assert.equal(await client.nextText(), 'hello')
  await assert.rejects(signIn(app, ada), /no fastify-secure-ws/)
  await assert.rejects(
    connect(app, '/other'),
    /The handshake was refused: 404\. The answer is not from fastify-secure-ws/,
  )
})

// The attack: a header that makes a session out of nothing, in production. There is no door there that hands one out.
test('signIn knows nobody on a server of production, and a name from elsewhere is nobody there', async (t) => {
  const before = process.env.NODE_ENV
  const elsewhere = await signIn(await appWith(t), ada)
  process.env.NODE_ENV = 'production'
  t.after(() => {
    if (before === undefined) delete process.env.NODE_ENV
    else process.env.NODE_ENV = before
  })
  const app = await appWith(t)
  await assert.rejects(signIn(app, ada), /NODE_ENV was "production"/)
  assert.equal((await app.inject({ url: '/me', headers: elsewhere })).statusCode, 401)
})
