import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import websocket from '@fastify/websocket'
import Fastify, { type FastifyInstance } from 'fastify'
import { WebSocket } from 'ws'
import secureWs, { anySession, basic, bearer, cookieSession, SecureWsError, ticket } from '../../src/index.ts'
import { startJourney } from './journey.ts'

// Every wrong option fails registration, and says three things: which option, what it was, and what to write instead.

const started: FastifyInstance[] = []
after(async () => {
  for (const app of started) await app.close()
})

async function register(options: unknown): Promise<FastifyInstance> {
  const app = Fastify()
  started.push(app)
  await app.register(secureWs, options as Parameters<typeof secureWs>[1])
  return app
}

async function failureOf(what: () => unknown): Promise<SecureWsError> {
  try {
    await what()
  } catch (error) {
    assert.ok(error instanceof SecureWsError, String(error))
    return error
  }
  return assert.fail('nothing was thrown')
}

const secret = 'a secret that is long enough for a test'
const load = () => null

/** Option, what was written, the path in the message, the value in the message, the advice. */
type Row = readonly [options: object, path: string, shown: string, advice: RegExp]

const rows: readonly Row[] = [
  // origins
  [{ origins: ['*'] }, 'origins[0]', '"*"', /dangerouslyAllowAnyOrigin|List/],
  [{ origins: '*' }, 'origins', '"*"', /Name your origins/],
  [
    { origins: 'https://app.example/path' },
    'origins',
    '"https://app.example/path"',
    /\['https:\/\/app\.example'\]|list/i,
  ],
  [{ origins: ['https://app.example/path'] }, 'origins[0]', '"https://app.example/path"', /https:\/\/app\.example/],
  [{ origins: ['app.example'] }, 'origins[0]', '"app.example"', /https:\/\//],
  [{ origins: ['https://*'] }, 'origins[0]', '"https://*"', /./],
  [{ origins: ['https://*.com'] }, 'origins[0]', '"https://*.com"', /./],
  [{ origins: ['https://app.*'] }, 'origins[0]', '"https://app.*"', /./],
  [{ origins: ['wss://app.example'] }, 'origins[0]', '"wss://app.example"', /./],
  [{ origins: ['null'] }, 'origins[0]', '"null"', /dangerouslyAllowNullOrigin/],
  [{ origins: [/app\.example/] }, 'origins[0]', '"/app\\\\.example/"', /./],
  [{ origins: [] }, 'origins', '[]', /./],
  [{ origins: [undefined] }, 'origins[0]', 'missing', /./],
  [{ origins: true }, 'origins', 'true', /./],
  [{ origins: null }, 'origins', 'null', /./],
  // hosts
  [{ hosts: 'app.example' }, 'hosts', '"app.example"', /\['app\.example'\]/],
  [{ hosts: [] }, 'hosts', '[]', /./],
  [{ hosts: ['*.app.example'] }, 'hosts[0]', '"*.app.example"', /wildcard/],
  [{ hosts: ['https://app.example'] }, 'hosts[0]', '"https://app.example"', /scheme/],
  [{ hosts: ['app.example:0x50'] }, 'hosts[0]', '"app.example:0x50"', /./],
  // flags are never coerced
  [{ allowMissingOrigin: 'false' }, 'allowMissingOrigin', '"false"', /true or false/],
  [{ allowMissingOrigin: 0 }, 'allowMissingOrigin', '0', /true or false/],
  [{ allowMissingOrigin: null }, 'allowMissingOrigin', 'null', /true or false/],
  [{ dangerouslyAllowNullOrigin: 'yes' }, 'dangerouslyAllowNullOrigin', '"yes"', /true or false/],
  [{ dangerouslyAllowFileOrigin: 'yes' }, 'dangerouslyAllowFileOrigin', '"yes"', /true or false/],
  [{ origins: ['file://'] }, 'origins', '"file://"', /dangerouslyAllowFileOrigin/],
  [{ allowInsecureTransport: 1 }, 'allowInsecureTransport', '1', /true or false/],
  [{ dangerouslyAllowAmbientCredentials: 'true' }, 'dangerouslyAllowAmbientCredentials', '"true"', /true or false/],
  [{ denyByDefault: 'true' }, 'denyByDefault', '"true"', /true or false/],
  // names
  [{ orgins: ['https://app.example'] }, 'orgins', '["https://app.example"]', /Did you mean `origins`\?/],
  [{ authentication: false }, 'authentication', 'false', /Did you mean `authenticate`\?/],
  [{ limit: {} }, 'limit', '{}', /Did you mean `limits`\?/],
  [{ limits: { messagebytes: 1 } }, 'limits.messagebytes', '1', /Did you mean `limits\.messageBytes`\?/],
  [{ limits: { heartbeat: { evry: 1 } } }, 'limits.heartbeat.evry', '1', /Did you mean `limits\.heartbeat\.every`\?/],
  [{ session: { revalidate: 1 } }, 'session.revalidate', '1', /./],
  [{ sanitize: { poolsize: 1 } }, 'sanitize.poolsize', '1', /./],
  [{ websocket: { option: {} } }, 'websocket.option', '{}', /Did you mean `websocket\.options`\?/],
  [{ somethingElseEntirely: 1 }, 'somethingElseEntirely', '1', /Known here: origins/],
  // authenticate
  [{ authenticate: undefined }, 'authenticate', 'missing', /no default.*cookieSession.*bearer.*false/],
  [{ authenticate: true }, 'authenticate', 'true', /./],
  [{ authenticate: null }, 'authenticate', 'null', /./],
  [{ authenticate: 'cookie' }, 'authenticate', '"a string"', /./],
  [{ authenticate: {} }, 'authenticate', '"an object with nothing in it"', /./],
  [{ authenticate: [] }, 'authenticate', '[]', /nobody/],
  [{ authenticate: [load, 7] }, 'authenticate[1]', '7', /./],
  // limits
  [{ limits: 5 }, 'limits', '5', /object/],
  [{ limits: { connections: 0 } }, 'limits.connections', '0', /from 1 to 2,147,483,647/],
  [{ limits: { connections: Number.POSITIVE_INFINITY } }, 'limits.connections', 'null', /from 1 to 2,147,483,647/],
  [{ limits: { messageBytes: '65536' } }, 'limits.messageBytes', '"65536"', /from 1 to 2,147,483,647/],
  [{ limits: { handshake: false } }, 'limits.handshake', 'false', /from 1 to 2,147,483,647/],
  [{ limits: { idle: 1.5 } }, 'limits.idle', '1.5', /from 1 to 2,147,483,647/],
  [{ limits: { messages: 20 } }, 'limits.messages', '20', /object/],
  [{ limits: { messages: { burst: -1 } } }, 'limits.messages.burst', '-1', /from 1 to 2,147,483,647/],
  [
    { limits: { heartbeat: { every: 1_000, timeout: 2_000 } } },
    'limits.heartbeat',
    '{"every":1000,"timeout":2000}',
    /no longer than/,
  ],
  // session
  [{ session: [] }, 'session', '[]', /./],
  [{ session: { revalidateEvery: -1 } }, 'session.revalidateEvery', '-1', /milliseconds/],
  [{ session: { expiryGrace: '1s' } }, 'session.expiryGrace', '"1s"', /milliseconds/],
  [{ session: { whenFull: 'evict' } }, 'session.whenFull', '"evict"', /'refuse' or 'evict-oldest'/],
  // the rest
  [{ encode: 'HTML' }, 'encode', '"HTML"', /'html' or 'json' or 'none'/],
  [{ encode: false }, 'encode', 'false', /'none'/],
  [{ slowReader: 'wait' }, 'slowReader', '"wait"', /'close' or 'drop'/],
  [{ bus: {} }, 'bus', '{}', /memoryBus\(\)/],
  [{ bus: 'redis://localhost' }, 'bus', '"redis://localhost"', /redisBus/],
  [{ cookie: 'x' }, 'cookie', '"x"', /@fastify\/cookie/],
  [{ helmet: true }, 'helmet', 'true', /or false/],
  [{ audit: 'stdout' }, 'audit', '"stdout"', /function/],
  [{ audit: { listener: 'stdout' } }, 'audit.listener', '"stdout"', /function/],
  [{ audit: { identify: 'none' } }, 'audit.identify', '"none"', /'plain' or 'hash'/],
  [{ websocket: { errorHandler: 'log' } }, 'websocket.errorHandler', '"log"', /function/],
  [{ websocket: { options: [] } }, 'websocket.options', '[]', /./],
  [{ websocket: { options: { WebSocket } } }, 'websocket.options.WebSocket', 'a function', /socket class/],
  [{ websocket: { options: { verifyClient: true } } }, 'websocket.options.verifyClient', 'true', /a function/],
  [
    { websocket: { options: { handleProtocols: () => 'x' } } },
    'websocket.options.handleProtocols',
    'a function',
    /protocols/,
  ],
  [{ websocket: { options: { noServer: true } } }, 'websocket.options.noServer', 'true', /Remove it/],
  [{ websocket: { options: { skipUTF8Validation: true } } }, 'websocket.options.skipUTF8Validation', 'true', /1007/],
  [{ websocket: { options: { autoPong: false } } }, 'websocket.options.autoPong', 'false', /ping/],
  [{ websocket: { options: { maxPayload: 65_537 } } }, 'websocket.options.maxPayload', '65537', /limits\.messageBytes/],
  [{ websocket: { options: { maxPayload: 0 } } }, 'websocket.options.maxPayload', '0', /limits\.messageBytes/],
]

for (const [given, path, shown, advice] of rows) {
  test(`${JSON.stringify(given)} fails: ${path}`, async () => {
    const error = await failureOf(() => register({ authenticate: false, ...given }))
    assert.equal(error.code, 'SWS_BAD_OPTION')
    const start = `fastify-secure-ws: option \`${path}\` is ${shown}. `
    assert.equal(error.message.slice(0, start.length), start)
    assert.match(error.message.slice(start.length), advice)
  })
}

for (const options of [undefined, null, [], 'x', new (class Options {})()]) {
  test(`options that are ${JSON.stringify(options) ?? 'missing'} fail, because somebody has to say who may come in`, async () => {
    assert.equal((await failureOf(() => register(options))).code, 'SWS_BAD_OPTION')
  })
}

test('what may be written, may be written', async () => {
  await register({ authenticate: false })
  await register({
    origins: ['https://app.example', 'https://*.app.example', 'http://localhost:5173'],
    hosts: ['app.example', 'app.example:8443'],
    allowMissingOrigin: true,
    allowInsecureTransport: true,
    authenticate: [
      () => null,
      bearer({ key: new Uint8Array(32), algorithms: ['HS256'], issuer: 'https://i.example', audience: 'a' }),
    ],
    limits: { messageBytes: 1_000, heartbeat: { every: 5_000, timeout: 5_000 } },
    session: { revalidateEvery: 1_000, expiryGrace: 0, whenFull: 'evict-oldest' },
    encode: 'json',
    slowReader: 'drop',
    helmet: { contentSecurityPolicy: false },
    websocket: { options: { maxPayload: 500, maxFragments: 10, verifyClient: () => true }, errorHandler() {} },
    audit() {},
  })
})

test('an option that was written as `undefined` is one that was left out', async () => {
  await register({
    authenticate: false,
    origins: undefined,
    hosts: undefined,
    limits: undefined,
    helmet: undefined,
    bus: undefined,
  })
})

// The options of a route: the same words, below the route's own path.
const route = (secureWs: object): object => ({ websocket: true, secureWs })
const routeRows: readonly Row[] = [
  [route({ orgins: [] }), '/ws secureWs.orgins', '[]', /Did you mean `\/ws secureWs\.origins`\?/],
  [route({ origins: ['*'] }), '/ws secureWs.origins[0]', '"*"', /./],
  [route({ hosts: ['*'] }), '/ws secureWs.hosts[0]', '"*"', /wildcard/],
  [route({ allowMissingOrigin: 1 }), '/ws secureWs.allowMissingOrigin', '1', /true or false/],
  [route({ authenticate: 'no' }), '/ws secureWs.authenticate', '"a string"', /./],
  [route({ authorize: true }), '/ws secureWs.authorize', 'true', /\(session, request\) => boolean/],
  [route({ authorise: load }), '/ws secureWs.authorise', 'a function', /Did you mean `\/ws secureWs\.authorize`\?/],
  [route({ protocols: 'chat' }), '/ws secureWs.protocols', '"chat"', /\['chat\.v1'\]/],
  [route({ protocols: [] }), '/ws secureWs.protocols', '[]', /\['chat\.v1'\]/],
  [route({ protocols: ['a, b'] }), '/ws secureWs.protocols', '["a, b"]', /\['chat\.v1'\]/],
  [route({ binary: true }), '/ws secureWs.binary', 'true', /media types/],
  [route({ receives: [] }), '/ws secureWs.receives', '[]', /object/],
  [route({ sends: 'all' }), '/ws secureWs.sends', '"all"', /object/],
  [route({ encode: 'text' }), '/ws secureWs.encode', '"text"', /'html'/],
  [route({ limits: { messageBytes: 0 } }), '/ws secureWs.limits.messageBytes', '0', /from 1 to 2,147,483,647/],
  [route({ limits: { connections: 5 } }), '/ws secureWs.limits.connections', '5', /whole server/],
  [route({ limits: { connectionsPerAddress: 5 } }), '/ws secureWs.limits.connectionsPerAddress', '5', /whole server/],
  [
    route({ limits: { handshakesPerMinutePerAddress: 5 } }),
    '/ws secureWs.limits.handshakesPerMinutePerAddress',
    '5',
    /whole server/,
  ],
  [route({ limits: { drain: {} } }), '/ws secureWs.limits.drain', '{}', /whole server/],
  [route({ limits: { roomsPerSocket: 5 } }), '/ws secureWs.limits.roomsPerSocket', '5', /whole server/],
  [{ websocket: true, secureWs: 'strict' }, '/ws secureWs', '"strict"', /object/],
]

for (const [given, path, shown, advice] of routeRows) {
  test(`a route with ${JSON.stringify(given)} fails: ${path}`, async () => {
    const app = await register({ authenticate: false })
    const error = await failureOf(() => app.get('/ws', given, () => {}))
    assert.equal(error.code, 'SWS_BAD_OPTION')
    const start = `fastify-secure-ws: option \`${path}\` is ${shown}. `
    assert.equal(error.message.slice(0, start.length), start)
    assert.match(error.message.slice(start.length), advice)
  })
}

const say = { schema: { type: 'object', properties: {} } }
const may = { authorize: () => true }
const undecidedRows: readonly (readonly [object, string])[] = [
  [{ websocket: true }, '/ws secureWs.authorize'],
  [route({ receives: { say: { ...say, ...may } } }), '/ws secureWs.authorize'],
  [route({ ...may, receives: { say: { ...say, ...may }, shout: say } }), '/ws secureWs.receives.shout.authorize'],
  [route({ ...may, receives: { constructor: say } }), '/ws secureWs.receives.constructor.authorize'],
]

for (const [given, path] of undecidedRows) {
  test(`denyByDefault: a route with ${JSON.stringify(given)} fails: ${path}; without it, it does not`, async () => {
    const app = await register({ authenticate: false, denyByDefault: true })
    const error = await failureOf(() => app.get('/ws', given, () => {}))
    assert.equal(error.code, 'SWS_BAD_OPTION')
    assert.ok(error.message.startsWith(`fastify-secure-ws: option \`${path}\` is missing. `))
    assert.match(error.message, /anySession/)
    const lenient = await register({ authenticate: false })
    lenient.get('/ws', given, () => {})
  })
}

test('denyByDefault: a guarded path has to say who may, too, and what is decided starts', async () => {
  const app = await register({ authenticate: false, denyByDefault: true })
  const other = await register({ authenticate: false, denyByDefault: true })
  const error = await failureOf(() => other.secureWs.guard('/other'))
  assert.match(error.message, /anySession/)
  app.secureWs.guard('/decided', { authorize: anySession })
  app.get('/ws', route({ authorize: anySession, receives: { say: { ...say, authorize: anySession } } }), () => {})
  app.get('/plain', async () => 'not a socket')
  await app.ready()
})

test('anySession lets in who is signed in, and nobody else', async (t) => {
  const authenticate = () => ({ id: 's' })
  const { ask } = await startJourney(
    t,
    { authenticate: false, denyByDefault: true },
    {
      routes: (app) => {
        app.get('/visitors', route({ authorize: anySession }), () => {})
        app.get('/users', route({ authorize: anySession, authenticate }), () => {})
      },
    },
  )
  assert.equal((await ask({ target: '/visitors' })).status, 403)
  assert.equal((await ask({ target: '/users' })).status, 101)
})

test('secureWs on a route that is none for sockets fails: it would defend nothing', async () => {
  const app = await register({ authenticate: false })
  for (const given of [
    { secureWs: {} },
    { websocket: false, secureWs: { origins: ['https://app.example'] } },
  ] as object[]) {
    const error = await failureOf(() => app.get('/plain', given, () => 'plain'))
    assert.equal(error.code, 'SWS_BAD_OPTION')
    assert.match(error.message, /\/plain.*Add `websocket: true`/)
  }
})

test('@fastify/websocket before us fails, and says whose line to remove', async () => {
  const app = Fastify()
  started.push(app)
  await app.register(websocket)
  const error = await failureOf(() => app.register(secureWs, { authenticate: false }))
  assert.equal(error.code, 'SWS_WEBSOCKET_ALREADY_REGISTERED')
  assert.match(error.message, /Remove that line.*`websocket`/)
})

test('registered twice fails, also in an encapsulated plugin', async () => {
  const app = await register({ authenticate: false })
  const error = await failureOf(() => app.register(secureWs, { authenticate: false }))
  assert.match(error.message, /registered twice/)
  const other = await register({ authenticate: false })
  const inside = await failureOf(() =>
    other.register(async (child) => {
      await child.register(secureWs, { authenticate: false })
    }),
  )
  assert.match(inside.message, /registered twice/)
})

test('no message shows a secret', async () => {
  const short = 'hunter2-is-short'
  const wrong: readonly (() => unknown)[] = [
    () => cookieSession({ secret: short, load }),
    () => cookieSession({ secret: [secret, short], load }),
    () => basic({ verify: load, refuseEvery: Number(short) }),
    () => ticket({ store: short as never }),
    () => bearer({ key: short as never, algorithms: ['HS256'], issuer: 'i', audience: 'a' }),
  ]
  for (const each of wrong) {
    const { message } = await failureOf(each)
    assert.doesNotMatch(message, /hunter2/)
  }
})
