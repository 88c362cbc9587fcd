import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FastifyInstance } from 'fastify'
import type { Session } from '../../src/index.ts'
import { rawConnect } from '../harness/raw-client.ts'
import { until } from '../harness/until.ts'
import { assertRefused, closedByServer, startJourney } from './journey.ts'

// RS-05, X-3: whatever somebody waits for before the 101, there is an end to it.

const never = () => new Promise<never>(() => {})
const ada: Session = { id: 's1', userId: 'ada' }
const limits = { handshake: 60, connectionsPerSession: 100 }

function socketRoute(app: FastifyInstance, secureWs: object = {}): void {
  app.get('/ws', { websocket: true, secureWs }, (socket) => socket.on('message', () => {}))
}

const stalls: readonly (readonly [name: string, Parameters<typeof startJourney>[1], (app: FastifyInstance) => void])[] =
  [
    ['authenticate', { authenticate: never }, (app) => socketRoute(app)],
    ['the second of a list', { authenticate: [() => null, never] }, (app) => socketRoute(app)],
    ['origins', { origins: never, authenticate: () => ada }, (app) => socketRoute(app)],
    ['authorize', { authenticate: () => ada }, (app) => socketRoute(app, { authorize: never })],
    [
      'verifyClient',
      { authenticate: () => ada, websocket: { options: { verifyClient: (_client, _callback) => {} } } },
      (app) => socketRoute(app),
    ],
    [
      'a hook of the application',
      { authenticate: () => ada },
      (app) => {
        app.addHook('preHandler', never)
        socketRoute(app)
      },
    ],
    [
      'an onRequest hook of the application',
      { authenticate: () => ada },
      (app) => {
        app.addHook('onRequest', never)
        socketRoute(app)
      },
    ],
  ]

// Who cannot be asked who somebody is, is not there to be asked; what takes too long after that is only late.
const unanswered = ['SWS_UNAVAILABLE', 'no answer of `authenticate` within 60 ms'] as const
const late = ['SWS_HANDSHAKE_TIMEOUT', 'no decision within 60 ms'] as const

for (const [name, options, routes] of stalls) {
  test(`RS-05 X-3 ${name} that never answers ends with 503, and gives everything back`, async (t) => {
    const { open, app, refusals } = await startJourney(t, { ...options, limits }, { routes })
    const { answer, connection } = await open()
    const expected = ['authenticate', 'the second of a list'].includes(name) ? unanswered : late
    assertRefused(answer, 503, expected[0], 'Service Unavailable')
    await closedByServer(connection)
    assert.deepEqual(refusals(), [expected])
    await until(() => app.secureWs.stats().connections === 0, 'the place is given back')
    assert.equal(app.secureWs.stats().sessions, 0)
    assert.equal(app.secureWs.stats().sockets, 0)
  })
}

test('an answer that comes after the deadline admits nobody', async (t) => {
  const late = Promise.withResolvers<Session>()
  const { open, app, events } = await startJourney(t, { authenticate: () => late.promise, limits })
  const { answer } = await open()
  assertRefused(answer, 503, 'SWS_UNAVAILABLE')
  late.resolve(ada)
  await until(() => app.secureWs.stats().connections === 0, 'the place is given back')
  assert.deepEqual(
    events.filter(({ type }) => type.startsWith('handshake')).map(({ type }) => type),
    ['handshake.refused'],
  )
})

test("a route's own deadline counts there, and nowhere else", async (t) => {
  const { open, ask } = await startJourney(
    t,
    { authenticate: () => new Promise((resolve) => setTimeout(() => resolve(ada), 500)) },
    {
      routes(app) {
        app.get('/hurry', { websocket: true, secureWs: { limits: { handshake: 30 } } }, () => {})
        app.get('/ws', { websocket: true }, () => {})
      },
    },
  )
  assertRefused(await ask({ target: '/hurry' }), 503, 'SWS_UNAVAILABLE')
  assert.equal((await open()).answer.status, 101)
})

test('a slow answer within the deadline admits, and the clock is off then', async (t) => {
  const { open, events } = await startJourney(t, {
    authenticate: () => new Promise((resolve) => setTimeout(() => resolve(ada), 30)),
    limits: { handshake: 1_000 },
  })
  const { answer } = await open()
  assert.equal(answer.status, 101)
  await new Promise((resolve) => setTimeout(resolve, 1_300))
  assert.deepEqual(
    events.filter(({ type }) => type !== 'options.loosened').map(({ type }) => type),
    ['handshake.accepted'],
  )
})

// ASVS 16.5.3: a check that fails is a check that did not pass.
const fails: readonly (readonly [name: string, authenticate: () => unknown])[] = [
  [
    'throws',
    () => {
      throw new Error('db: password=hunter2')
    },
  ],
  ['rejects', () => Promise.reject(new TypeError('no such table'))],
  ['rejects with nothing', () => Promise.reject()],
  [
    'throws a string',
    () => {
      throw 'hunter2'
    },
  ],
  ['answers true', () => true],
  ['answers a string', () => 'ada'],
  ['answers an empty object', () => ({})],
  ['answers an id that is a number', () => ({ id: 7 })],
  ['answers undefined', () => undefined],
  ['answers an expired session', () => ({ id: 's', expiresAt: Date.now() - 1 })],
  ['answers a list', () => [ada]],
]
for (const [name, authenticate] of fails) {
  // Nobody knows whether the credential was good: the client may come back with the same one.
  const fault = /throws|rejects/.test(name)
  test(`16.5.3 authenticate that ${name} admits nobody: ${fault ? 503 : 401}`, async (t) => {
    const { ask, lines } = await startJourney(t, { authenticate: authenticate as () => Session })
    if (fault) assertRefused(await ask(), 503, 'SWS_UNAVAILABLE', 'Service Unavailable')
    else assertRefused(await ask(), 401, 'SWS_UNAUTHENTICATED', 'Unauthorized')
    assert.ok(!lines.join('').includes('hunter2'))
  })
}

const verdicts: readonly (readonly [name: string, authorize: () => unknown])[] = [
  ['false', () => false],
  ['undefined', () => undefined],
  ['1', () => 1],
  ["'true'", () => 'true'],
  ['an object', () => ({ allowed: true })],
  ['a promise of 1', async () => 1],
  ['a promise of false', async () => false],
  [
    'a throw',
    () => {
      throw new Error('hunter2')
    },
  ],
  ['a rejection', () => Promise.reject(new Error('hunter2'))],
]
for (const [name, authorize] of verdicts) {
  test(`16.5.3 8.2.1 authorize that answers with ${name} admits nobody: 403`, async (t) => {
    const { ask, lines, events } = await startJourney(
      t,
      { authenticate: () => ada },
      { routes: (app) => socketRoute(app, { authorize }) },
    )
    const answer = await ask()
    assertRefused(answer, 403, 'SWS_FORBIDDEN', 'Forbidden')
    // What was thrown is the developer's to read, in the server's log and nowhere else.
    const told = lines.filter((line) => line.includes('hunter2'))
    assert.equal(told.length, /throw|reject/.test(name) ? 1 : 0)
    for (const line of told) assert.match(line, /"err":\{"type":"Error","message":"hunter2","stack":"Error: hunter2/)
    assert.ok(!`${answer.text}${JSON.stringify(events)}`.includes('hunter2'))
  })
}

const params = { type: 'object', properties: { id: { type: 'integer', minimum: 1 } } }
const querystring = { type: 'object', properties: { page: { type: 'integer', default: 3 } } }

test('2.2.1 authorize sees params and query as the schema describes them, and the handler sees the same', async (t) => {
  const seen: unknown[] = []
  const { ask, open } = await startJourney(
    t,
    { authenticate: () => ada },
    {
      routes(app) {
        app.get(
          '/rooms/:id',
          {
            websocket: true,
            schema: { params, querystring, headers: { type: 'object', required: ['x-room'] } },
            secureWs: {
              authorize(session, { params, query }) {
                seen.push(session?.id, { ...Object(params) }, { ...Object(query) })
                return true
              },
            },
          },
          (_socket, { params, query }) => seen.push({ ...Object(params) }, { ...Object(query) }),
        )
      },
    },
  )
  const headers = { 'X-Room': '1' }
  assert.equal((await open({ target: '/rooms/7', headers })).answer.status, 101)
  await until(() => seen.length === 5, 'the handler has run')
  assert.deepEqual(seen, ['s1', { id: 7 }, { page: 3 }, { id: 7 }, { page: 3 }])
  // What does not fit is refused like anything else: the schema's own words stay here.
  for (const target of ['/rooms/seven', '/rooms/0', '/rooms/7?page=x']) {
    const answer = await ask({ target, headers })
    assertRefused(answer, 400, 'SWS_BAD_HANDSHAKE', 'Bad Request')
    assert.doesNotMatch(answer.text, /integer|minimum/)
  }
  assertRefused(await ask({ target: '/rooms/7' }), 400, 'SWS_BAD_HANDSHAKE')
  assert.equal(seen.length, 5)
})

test('a schema refuses without authorize as well, and as an event', async (t) => {
  const { ask, refusals } = await startJourney(
    t,
    {},
    {
      routes: (app) => app.get('/rooms/:id', { websocket: true, schema: { params } }, () => {}),
    },
  )
  assertRefused(await ask({ target: '/rooms/seven' }), 400, 'SWS_BAD_HANDSHAKE')
  assert.deepEqual(refusals(), [['SWS_BAD_HANDSHAKE', 'params do not fit the schema']])
})

// Zod, Joi and TypeBox answer { value } or { error }; a validator may also change the type, so that it cannot be run twice.
test("a validator compiler of the application's own", async (t) => {
  const seen: unknown[] = []
  const answers: Record<string, unknown> = {
    '7': { value: { id: 7n } },
    error: { error: new Error('no') },
    both: { value: { id: 1n }, error: new Error('no') },
    false: false,
    undefined: undefined,
    thrown: new Error('thrown'),
  }
  const { ask, open } = await startJourney(
    t,
    { authenticate: () => ada },
    {
      routes(app) {
        app.setValidatorCompiler(() => (given: { id: unknown }) => {
          // Twice on its own result, and it would not know it any more.
          const answer = answers[String(given.id)]
          if (answer instanceof Error) throw answer
          return answer as { value: unknown }
        })
        app.get(
          '/rooms/:id',
          {
            websocket: true,
            schema: { params },
            secureWs: { authorize: (_session, request) => seen.push(request.params) > 0 },
          },
          (_socket, request) => seen.push(request.params),
        )
      },
    },
  )
  assert.equal((await open({ target: '/rooms/7' })).answer.status, 101)
  await until(() => seen.length === 2, 'the handler has run')
  assert.deepEqual(seen, [{ id: 7n }, { id: 7n }])
  for (const id of Object.keys(answers).slice(1)) {
    assertRefused(await ask({ target: `/rooms/${id}` }), 400, 'SWS_BAD_HANDSHAKE')
  }
  assert.equal(seen.length, 2)
})

test('a hook of the application that answers itself has the last word, and nothing is left open', async (t) => {
  const { open, app } = await startJourney(
    t,
    { authenticate: () => ada },
    {
      routes(app) {
        app.addHook('preHandler', (_request, reply) => reply.code(402).send('pay first'))
        socketRoute(app)
      },
    },
  )
  const { answer, connection } = await open()
  assert.equal(answer.status, 402)
  await closedByServer(connection)
  await until(() => app.secureWs.stats().connections === 0, 'the place is given back')
})

// Somebody's hook takes the reply over, to answer in its own way, and then does not.
test('RS-05 a reply that was hijacked and forgotten ends with the deadline', async (t) => {
  const { open, app } = await startJourney(
    t,
    { authenticate: () => ada, limits },
    {
      routes(app) {
        app.addHook('preHandler', async (_request, reply) => reply.hijack())
        socketRoute(app)
      },
    },
  )
  const { answer, connection } = await open()
  assert.equal(answer.text, '')
  await closedByServer(connection)
  await until(() => app.secureWs.stats().connections === 0, 'the place is given back')
})

// A handshake whose bytes come one by one is not a request yet: no hook sees it, and Node alone can end it.
test('RS-04 a handshake that comes byte by byte ends with the time that the server gives to headers', async (t) => {
  const { app, bytes, port } = await startJourney(
    t,
    { authenticate: () => ada },
    { server: { http: { headersTimeout: 200, connectionsCheckingInterval: 50 } }, routes: (app) => socketRoute(app) },
  )
  const connection = await rawConnect({ port })
  const drip = setInterval(
    (letters: Iterator<string>) => connection.write(letters.next().value ?? ''),
    20,
    bytes()[Symbol.iterator](),
  )
  t.after(() => clearInterval(drip))
  assert.equal((await connection.answer()).status, 408)
  clearInterval(drip)
  await closedByServer(connection)
  assert.equal(app.secureWs.stats().connections, 0)
})

test('RS-04 a server that waits for headers as long as it takes is warned of', async (t) => {
  const { events } = await startJourney(t, {}, { server: { http: { headersTimeout: 0 } } })
  const loosened = events.filter(({ type }) => type === 'options.loosened').map(({ reason }) => reason)
  assert.ok(
    loosened.some((reason) => reason?.includes('headersTimeout')),
    String(loosened),
  )
})
