import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect } from 'node:http2'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { promisify } from 'node:util'
import websocket from '@fastify/websocket'
import Fastify, { type FastifyInstance } from 'fastify'
import secureWs, {
  basic,
  bearer,
  clientCertificate,
  cookieSession,
  fromRequest,
  memoryTickets,
  SecureWsError,
  ticket,
} from '../../src/index.ts'
import { nodeRange, requireHttp1, requireNode } from '../../src/options/surroundings.ts'
import { testCertificate } from '../harness/certificate.ts'
import { root } from '../house/source-files.ts'

// What would start, look well and defend nothing, or never work, fails at start and says what to write.

const started: FastifyInstance[] = []
after(async () => {
  for (const app of started) await app.close()
})

const anonymous = { authenticate: false } as const
const socket = { websocket: true } as const
const sink = () => {}

function make(options: object = {}): FastifyInstance {
  const app: FastifyInstance = Fastify(options)
  started.push(app)
  return app
}

async function failureOf(attempt: () => unknown): Promise<SecureWsError> {
  const error: unknown = await Promise.resolve()
    .then(attempt)
    .then(
      () => assert.fail('nothing was thrown'),
      (thrown: unknown) => thrown,
    )
  assert.ok(error instanceof SecureWsError, String(error))
  return error
}

const misplaced: readonly (readonly [route: object, text: RegExp])[] = [
  [{ ...socket, secureWS: { authorize: () => false } }, /route \/ws has `secureWS`.*Did you mean `secureWs`\?/],
  [{ ...socket, secureWss: {} }, /`secureWss`.*`secureWs`/],
  [{ ...socket, secure_ws: {} }, /`secure_ws`.*`secureWs`/],
  [{ ...socket, secureWebSocket: {} }, /`secureWebSocket`.*`secureWs`/],
  [
    { ...socket, authorize: () => false },
    /has `authorize` beside `secureWs`.*Write `secureWs: \{ authorize: \.\.\. \}`/,
  ],
  [{ ...socket, secureWs: {}, receives: {} }, /`receives` beside `secureWs`/],
  [{ ...socket, sends: {} }, /`sends` beside `secureWs`/],
  [{ ...socket, origins: [] }, /`origins` beside `secureWs`/],
  [{ ...socket, limits: {} }, /`limits` beside `secureWs`/],
  [{ webSocket: true }, /`webSocket`.*Did you mean `websocket`\?/],
  [{ websockets: true }, /`websockets`.*Did you mean `websocket`\?/],
  [{ secureWS: {} }, /`secureWS`.*`secureWs`/],
]
for (const [route, text] of misplaced) {
  test(`a route with ${Object.keys(route).join(', ')} fails by name`, async () => {
    const app = make()
    await app.register(secureWs, anonymous)
    const { code, message } = await failureOf(() => app.get('/ws', route, sink))
    assert.equal(code, 'SWS_BAD_OPTION')
    assert.match(message, text)
  })
}

test('near misses pass: options of Fastify and of other plugins, and words of ours on a plain route', async () => {
  const app = make()
  await app.register(secureWs, anonymous)
  app.get('/plain', { authorize: 'admin', limits: 5, secure: true, security: [] } as object, () => 'plain')
  app.get(
    '/ws',
    {
      ...socket,
      config: { authorize: true },
      rateLimit: {},
      // Every option that Fastify has for a route: none of them is taken for one of ours.
      ...Object.fromEntries(
        [
          'onRequest',
          'preParsing',
          'preValidation',
          'preHandler',
          'preSerialization',
          'onSend',
          'onResponse',
          'onError',
        ]
          .concat(['onTimeout', 'onRequestAbort', 'errorHandler'])
          .map((name) => [name, (...args: unknown[]) => Reflect.apply(args.at(-1) as () => void, undefined, [])]),
      ),
      logLevel: 'warn',
      bodyLimit: 1_000,
      attachValidation: true,
      exposeHeadRoute: false,
      prefixTrailingSlash: 'both',
      constraints: {},
    } as object,
    sink,
  )
  await app.ready()
})

const factories = { basic, bearer, clientCertificate, cookieSession, fromRequest, ticket }
for (const [name, factory] of Object.entries(factories)) {
  test(`authenticate: ${name}, not called, fails and shows the call`, async () => {
    for (const authenticate of [factory, [factory]]) {
      const { message } = await failureOf(() => make().register(secureWs, { authenticate } as never))
      assert.match(message, new RegExp(`Call it: .*\\b${name}\\(`))
    }
    const app = make()
    await app.register(secureWs, anonymous)
    const { message } = await failureOf(() =>
      app.get('/ws', { ...socket, secureWs: { authenticate: factory } } as object, sink),
    )
    assert.match(message, new RegExp(`/ws secureWs\\.authenticate.*\\b${name}\\(`))
  })
}

test('ticket() alone fails: nobody could ever be issued one', async () => {
  for (const authenticate of [ticket(), [ticket()]]) {
    const { message } = await failureOf(() => make().register(secureWs, { authenticate }))
    assert.match(message, /`authenticate` is "ticket\(\) alone".*`\[ticket\(\), cookieSession\(/)
  }
  const app = make()
  await app.register(secureWs, anonymous)
  const { message } = await failureOf(() => app.get('/ws', { ...socket, secureWs: { authenticate: ticket() } }, sink))
  assert.match(message, /\/ws secureWs\.authenticate.*ticket\(\) alone/)
  // Near misses: somebody to issue for, or a store that another server fills.
  const cookie = cookieSession({ secret: 'a secret that is long enough for a test', load: () => null })
  for (const authenticate of [[ticket(), cookie], ticket({ issueFor: cookie }), ticket({ store: memoryTickets() })]) {
    await make().register(secureWs, { authenticate })
  }
})

const unguarded: readonly (readonly [name: string, declare: (app: FastifyInstance) => unknown])[] = [
  [
    'before the plugin',
    async (app) => {
      app.get('/early', socket, sink)
      await app.register(secureWs, anonymous)
    },
  ],
  [
    'in the same turn as a registration that is not awaited',
    (app) => {
      app.register(secureWs, anonymous)
      app.get('/early', socket, sink)
    },
  ],
  [
    'with `wsHandler`, before the plugin',
    async (app) => {
      app.route({ method: 'GET', url: '/early', handler: () => 'page', wsHandler: sink })
      await app.register(secureWs, anonymous)
    },
  ],
  [
    'outside its context',
    async (app) => {
      await app.register(async (child) => {
        await child.register(secureWs, anonymous)
      })
      app.get('/early', socket, sink)
    },
  ],
  [
    'in a context beside it',
    (app) => {
      app.register(async (child) => {
        await child.register(secureWs, anonymous)
        child.get('/guarded', socket, sink)
      })
      app.register(async (child) => {
        child.get('/early', socket, sink)
      })
    },
  ],
]
for (const [name, declare] of unguarded) {
  test(`a socket route that is declared ${name} fails the start, by its path`, async () => {
    const app = make()
    await declare(app)
    const { code, message } = await failureOf(() => app.ready())
    assert.equal(code, 'SWS_UNGUARDED_ROUTE')
    assert.match(
      message,
      /: \/early takes sockets.*before the plugin, or outside its context.*after `await app\.register/,
    )
    assert.doesNotMatch(message, /\/guarded/)
  })
}

test('near misses start: plain routes anywhere, socket routes after the plugin and below it, a server without the plugin', async () => {
  const app = make()
  app.get('/plain', () => 'plain')
  app.register(secureWs, anonymous)
  app.after(() => app.get('/after', socket, sink))
  app.register(async (child) => {
    child.get('/below', socket, sink)
  })
  await app.ready()
  const other = make()
  await other.register(websocket)
  other.get('/ws', socket, sink)
  await other.ready()
})

const twice: readonly (readonly [
  name: string,
  code: string,
  text: RegExp,
  declare: (app: FastifyInstance) => unknown,
])[] = [
  [
    'secureWs in two contexts beside each other',
    'SWS_BAD_OPTION',
    /registered twice on one server/,
    async (app) => {
      await app.register(async (child) => {
        await child.register(secureWs, anonymous)
      })
      await app.register(async (child) => {
        await child.register(secureWs, anonymous)
      })
    },
  ],
  [
    '@fastify/websocket in a context beside it, before',
    'SWS_WEBSOCKET_ALREADY_REGISTERED',
    /in another context of this server.*Remove that line/,
    async (app) => {
      await app.register(async (child) => {
        await child.register(websocket)
      })
      await app.register(secureWs, anonymous)
    },
  ],
  [
    '@fastify/websocket in a context beside it, afterwards',
    'SWS_WEBSOCKET_ALREADY_REGISTERED',
    /in another context of this server.*Remove that line/,
    async (app) => {
      await app.register(async (child) => {
        await child.register(secureWs, anonymous)
      })
      await app.register(async (child) => {
        await child.register(websocket)
      })
      await app.ready()
    },
  ],
]
for (const [name, code, text, declare] of twice) {
  test(`${name} fails`, async () => {
    const failure = await failureOf(() => declare(make()))
    assert.equal(failure.code, code)
    assert.match(failure.message, text)
  })
}

test('http2 without HTTP/1 fails, and with it starts', async () => {
  for (const options of [{ http2: true }, { http2: true, https: await testCertificate() }]) {
    const { code, message } = await failureOf(() => make(options).register(secureWs, anonymous))
    assert.equal(code, 'SWS_UNSUPPORTED')
    assert.match(message, /HTTP\/2 only.*allowHTTP1: true/)
  }
  const app = make({ http2: true, https: { ...(await testCertificate()), allowHTTP1: true } })
  await app.register(secureWs, anonymous)
  app.get('/ws', socket, sink)
  // Also over HTTP/2, where a header about the connection would throw.
  const client = connect(await app.listen({ host: '127.0.0.1', port: 0 }), { rejectUnauthorized: false })
  const [headers] = await once(client.request({ ':path': '/ws' }), 'response')
  client.destroy()
  assert.equal(headers[':status'], 426)
  assert.equal(headers['secure-ws-code'], 'SWS_UPGRADE_REQUIRED')
  assert.throws(() => requireHttp1({ initialConfig: {}, className: 'Http2Server' }), /HTTP\/2 only/)
})

test('a Node older than `engines` fails at registration, with both versions', async () => {
  const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  assert.equal(nodeRange, engines.node)
  for (const old of ['18.20.0', '20.20.2', '22.22.1', '22.9.9', '23.11.0', '24.14.9', '25.0.0']) {
    assert.throws(() => requireNode(old), { code: 'SWS_UNSUPPORTED', message: new RegExp(`Node ${old}, and \\^22`) })
  }
  for (const version of ['22.22.2', '22.23.0', '24.15.0', '24.21.0', '26.0.0', '27.1.0-pre']) requireNode(version)
  // The same, through the door that a user takes.
  const script = `
    Object.defineProperty(process.versions, 'node', { value: '20.20.2' })
    const { default: Fastify } = await import('fastify')
    const { default: secureWs } = await import(${JSON.stringify(join(root, 'src/index.ts'))})
    await Fastify().register(secureWs, { authenticate: false }).then(() => console.log('started'), ({ message }) => console.log(message))`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { cwd: root })
  assert.match(stdout, /this is Node 20\.20\.2, and \^22\.22\.2 \|\| \^24\.15\.0 \|\| >=26 is needed/)
})
