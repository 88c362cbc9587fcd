import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { FastifyInstance } from 'fastify'
import type { EnforceOptions } from '../../src/admission/enforcement.ts'
import { fromRequest, type SecureWsOptions } from '../../src/index.ts'
import { openSocket, type SocketClient } from '../harness/socket-client.ts'
import { until } from '../harness/until.ts'
import { type Journey, startJourney } from './journey.ts'

const day = 86_400_000
const tomorrow = () => new Date(Date.now() + day).toISOString()

/** Moves the date, and nothing else. */
function laterBy(t: TestContext, ms: number): void {
  const real = Date.now
  t.mock.method(Date, 'now', () => real() + ms)
}

/** Stops the clock that nobody can set: no pace refills but when the test says so. */
function stopUptime(t: TestContext): (ms: number) => void {
  let now = performance.now()
  t.mock.method(performance, 'now', () => now)
  return (ms) => {
    now += ms
  }
}

const authenticate = fromRequest(({ headers }) => ({ id: String(headers['x-session']), userId: 'ada' }), {
  ambient: false,
  revalidate: () => true,
})
const text = { schema: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] } } as const

interface Running extends Journey {
  readonly client: SocketClient
  /** Texts that reached a listener. */
  readonly delivered: unknown[]
  readonly reported: () => Journey['events']
  readonly errors: () => unknown[]
}

/** One socket on a route whose types each have a rule. */
async function start(
  t: TestContext,
  enforce: EnforceOptions,
  { path = '/ws', ...options }: Partial<SecureWsOptions> & { readonly path?: string } = {},
): Promise<Running> {
  const delivered: unknown[] = []
  const routes = (app: FastifyInstance) => {
    const receives = {
      say: text,
      seldom: { ...text, rate: { perSecond: 1, burst: 1 } },
      pay: { ...text, replay: { window: 60_000 } },
      erase: { ...text, freshAuth: 60_000 },
      rule: { ...text, authorize: () => false },
      ask: { ...text, authorize: () => Promise.resolve(false) },
      lose: { ...text, authorize: () => Promise.reject(new Error('the store is away')) },
    } as const
    app.get('/ws', { websocket: true, secureWs: { receives } }, (socket) => {
      for (const type of ['say', 'seldom', 'pay', 'erase', 'rule', 'ask', 'lose'] as const)
        socket.on(type, (message) => delivered.push(message.text))
    })
    app.get('/raw', { websocket: true }, (socket) => {
      socket.on('message', (frame) => delivered.push(String(frame)))
    })
  }
  const journey = await startJourney(
    t,
    { authenticate, allowMissingOrigin: true, enforce, limits: { refusals: { perMinute: 3 } }, ...options },
    { routes },
  )
  const client = await openSocket(`ws://127.0.0.1:${journey.port}${path}`, { headers: { 'x-session': 'one' } })
  t.after(() => client.close())
  return {
    ...journey,
    client,
    delivered,
    reported: () => journey.events.filter(({ type }) => type === 'message.reported'),
    errors: () => client.heard.filter(({ type }) => type === 'error').map(({ code }) => code),
  }
}

const slow = { limits: { messages: { perSecond: 1, burst: 1 }, refusals: { perMinute: 3 } } } as const
const narrow = {
  limits: { messageBytes: 100, bytes: { perSecond: 1, burst: 100 }, refusals: { perMinute: 3 } },
} as const

interface Case {
  readonly rule: keyof EnforceOptions
  readonly code: string
  readonly reason: RegExp
  readonly options?: Partial<SecureWsOptions>
  /** The last of them is what the rule refuses. */
  readonly messages: (now: number) => readonly object[]
}

const cases: readonly Case[] = [
  {
    rule: 'messageRate',
    code: 'SWS_TOO_FAST',
    reason: /^rate: limits\.messages$/,
    options: slow,
    messages: () => [
      { type: 'say', text: 'a' },
      { type: 'say', text: 'b' },
    ],
  },
  {
    rule: 'messageRate',
    code: 'SWS_TOO_FAST',
    reason: /^rate: limits\.bytes$/,
    options: narrow,
    messages: () => [
      { type: 'say', text: 'a'.repeat(60) },
      { type: 'say', text: 'b'.repeat(60) },
    ],
  },
  {
    rule: 'messageRate',
    code: 'SWS_TOO_FAST',
    reason: /^rate: of the message type$/,
    messages: () => [
      { type: 'seldom', text: 'a' },
      { type: 'seldom', text: 'b' },
    ],
  },
  {
    rule: 'replay',
    code: 'SWS_REPLAYED',
    reason: /nonce already used/,
    messages: (at) => [
      { type: 'pay', text: 'a', nonce: 'nonce-of-one', at },
      { type: 'pay', text: 'b', nonce: 'nonce-of-one', at },
    ],
  },
  // A client of before the move writes none.
  {
    rule: 'replay',
    code: 'SWS_INVALID_MESSAGE',
    reason: /^replay: `nonce` is not/,
    messages: () => [{ type: 'pay', text: 'a' }],
  },
  {
    rule: 'freshAuth',
    code: 'SWS_STEP_UP_REQUIRED',
    reason: /^freshAuth: /,
    messages: () => [{ type: 'erase', text: 'a' }],
  },
  {
    rule: 'messageAuthorize',
    code: 'SWS_FORBIDDEN',
    reason: /^authorize: no$/,
    messages: () => [{ type: 'rule', text: 'a' }],
  },
  {
    rule: 'messageAuthorize',
    code: 'SWS_FORBIDDEN',
    reason: /^authorize: no$/,
    messages: () => [{ type: 'ask', text: 'a' }],
  },
  {
    rule: 'messageAuthorize',
    code: 'SWS_INTERNAL',
    reason: /^authorize: threw$/,
    messages: () => [{ type: 'lose', text: 'a' }],
  },
]

for (const { rule, code, reason, options = {}, messages } of cases) {
  test(`enforce.${rule}: 'report' tells of ${code} (${reason.source}), and delivers; after its end it refuses`, async (t) => {
    stopUptime(t)
    const { client, delivered, reported, errors, events } = await start(
      t,
      { [rule]: 'report', until: tomorrow() },
      options,
    )
    const sent = messages(Date.now())
    for (const message of sent) client.send(message)
    await until(() => delivered.length === sent.length, 'all of them were delivered')
    const { type, text: _, ...rest } = { type: '', text: '', ...sent.at(-1) }
    assert.equal(reported().length, 1)
    const [event] = reported()
    assert.deepEqual([event?.code, event?.count, event?.route], [code, 1, '/ws'])
    assert.match(event?.reason ?? '', reason)
    if (!reason.source.includes('limits')) assert.equal(event?.messageType, type)
    assert.ok(event?.socket && event.session && event.user === 'ada')
    assert.deepEqual(errors(), [])
    assert.deepEqual(
      events.filter(({ type: each }) => /^message\.(?!reported)/.test(each)),
      [],
    )

    // On the same socket, which was open all the time.
    laterBy(t, 2 * day)
    client.send({ type, text: 'later', ...rest })
    await client.hear('error')
    assert.equal(delivered.includes('later'), false)
    assert.equal(reported().length, 1)
  })

  test(`near miss: without enforce.${rule}, ${code} (${reason.source}) stands`, async (t) => {
    stopUptime(t)
    const others = ['messageRate', 'replay', 'freshAuth', 'messageAuthorize'].filter((each) => each !== rule)
    const enforce = { ...Object.fromEntries(others.map((each) => [each, 'report'])), until: tomorrow() }
    const { client, delivered, reported, errors } = await start(t, enforce, options)
    const sent = messages(Date.now())
    for (const message of sent) client.send(message)
    await client.hear('error')
    assert.deepEqual(errors(), [code])
    assert.equal(delivered.length, sent.length - 1)
    assert.deepEqual(reported(), [])
  })
}

const everything = {
  messageRate: 'report',
  replay: 'report',
  freshAuth: 'report',
  messageAuthorize: 'report',
} as const

// A listener is promised what its schema says. No date makes a number of a text, or a type of an unknown one.
test('no message reaches a listener that its schema does not admit, while every rule reports', async (t) => {
  const { client, delivered, reported, errors } = await start(t, { ...everything, until: tomorrow() })
  const wrong = ['{', '{"type":"say","text":1}', '{"type":"say","text":"a","text":"b"}', '{"type":"unknown"}']
  for (const frame of wrong) client.socket.send(frame)
  assert.equal(await client.closed, 1008)
  assert.deepEqual(errors(), ['SWS_BAD_MESSAGE', 'SWS_INVALID_MESSAGE', 'SWS_BAD_MESSAGE', 'SWS_UNKNOWN_TYPE'])
  assert.deepEqual([delivered, reported()], [[], []])
})

// Nothing ends a socket that is only reported: without a bound each of its messages would be an event.
test('ten thousand messages that are too fast are delivered, and told of in a few events that count them', async (t) => {
  const pass = stopUptime(t)
  const { client, delivered, reported, errors } = await start(t, { messageRate: 'report', until: tomorrow() }, slow)
  for (let sent = 0; sent <= 10_000; sent++) client.send({ type: 'say', text: 'a' })
  await until(() => delivered.length === 10_001, 'all of them were delivered', 90_000)
  const told = () => reported().map(({ reason, count }) => [reason, count])
  // As many as there could be refusals, and what would have come of the next one.
  const first = [
    ['rate: limits.messages', 1],
    ['rate: limits.messages', 1],
    ['rate: limits.messages', 1],
    ['rate: limits.messages; the socket would close with 4429', 1],
  ]
  assert.deepEqual(told(), first)
  pass(20_000)
  for (let sent = 0; sent < 10; sent++) client.send({ type: 'say', text: 'b' })
  await until(() => delivered.length === 10_011, 'these were delivered')
  assert.deepEqual(told(), [
    ...first,
    ['rate: limits.messages', 9_997],
    ['rate: limits.messages; the socket would close with 4429', 1],
  ])
  // A rule that holds has the whole of its budget left.
  client.send({ type: 'say' })
  await client.hear('error')
  assert.deepEqual(errors(), ['SWS_INVALID_MESSAGE'])
  assert.equal(client.code, undefined)
})

// Without a pace a client could fill the memory of whoever is slower than it is. It is not read while its listener is behind.
test('what waits of a client without a pace stays bounded', async (t) => {
  const gate = Promise.withResolvers<void>()
  let delivered = 0
  const journey = await startJourney(
    t,
    { authenticate, allowMissingOrigin: true, enforce: { messageRate: 'report', until: tomorrow() }, ...slow },
    {
      routes: (app) => {
        app.get('/ws', { websocket: true, secureWs: { receives: { say: text } } }, (socket) => {
          socket.on('say', async () => {
            await gate.promise
            delivered++
          })
        })
      },
    },
  )
  const client = await openSocket(`ws://127.0.0.1:${journey.port}/ws`, { headers: { 'x-session': 'one' } })
  const most = 20_000
  for (let sent = 0; sent < most; sent++) client.send({ type: 'say', text: 'a'.repeat(1_000) })
  const waiting = () => journey.app.secureWs.stats().budgets.memoryBytes.used
  await until(() => waiting() >= 64_000, 'a queue is full')
  // As much as the kernel hands out at once may come behind the pause, and not the rest of 20 MB.
  for (let look = 0; look < 20; look++) {
    assert.ok(waiting() <= 4 * 65_536, `${waiting()} bytes wait`)
    await new Promise((resolve) => setImmediate(resolve))
  }
  gate.resolve()
  await until(() => delivered === most, 'all of them were delivered', 90_000)
})

// A raw protocol has no error message of ours: there a client that is too fast is closed at once.
test('a raw route hands out what is too fast, and tells that it would have closed', async (t) => {
  stopUptime(t)
  const { client, delivered, reported } = await start(
    t,
    { messageRate: 'report', until: tomorrow() },
    { ...slow, path: '/raw' },
  )
  for (const message of ['one', 'two']) client.socket.send(message)
  await until(() => delivered.length === 2, 'both were handed out')
  assert.deepEqual(
    reported().map(({ reason, code }) => [code, reason]),
    [['SWS_TOO_FAST', 'rate: limits.messages; the socket would close with 4429']],
  )
  laterBy(t, 2 * day)
  client.socket.send('three')
  assert.equal(await client.closed, 4429)
})

test('pings of a client that is too fast are reported with its messages', async (t) => {
  stopUptime(t)
  const { client, reported } = await start(t, { messageRate: 'report', until: tomorrow() }, slow)
  for (let count = 0; count < 50; count++) client.socket.ping()
  client.send({ type: 'say' })
  await client.hear('error')
  assert.equal(client.code, undefined)
  assert.ok(reported().length >= 4)
})

// Whoever was revoked while a rule that only reports was still deciding has no rights that could be tried out.
test('what is closed while a reported `authorize` waits delivers nothing', async (t) => {
  const asked = Promise.withResolvers<void>()
  const answer = Promise.withResolvers<boolean>()
  const delivered: unknown[] = []
  const authorize = () => {
    asked.resolve()
    return answer.promise
  }
  const journey = await startJourney(
    t,
    { authenticate, allowMissingOrigin: true, enforce: { messageAuthorize: 'report', until: tomorrow() } },
    {
      routes: (app) => {
        app.get('/ws', { websocket: true, secureWs: { receives: { say: { ...text, authorize } } } }, (socket) => {
          socket.on('say', (message) => delivered.push(message))
        })
      },
    },
  )
  const client = await openSocket(`ws://127.0.0.1:${journey.port}/ws`, { headers: { 'x-session': 'one' } })
  client.send({ type: 'say', text: 'a' })
  await asked.promise
  await journey.app.secureWs.revoke({ sessionId: 'one' })
  answer.resolve(false)
  assert.equal(await client.closed, 3000)
  assert.deepEqual(delivered, [])
})

test('each stands in the warning of the start and in explain(), with its end and its cost', async (t) => {
  const end = tomorrow()
  const { events, app } = await start(t, { ...everything, until: end })
  const loosened = events.filter(({ type }) => type === 'options.loosened').map(({ reason }) => reason)
  for (const [rule, cost] of Object.entries({
    messageRate: 'messages have no pace',
    replay: 'a message that is sent again is delivered again',
    freshAuth: 'nobody has to sign in again for a message',
    messageAuthorize: 'messages that a type would forbid are delivered',
  }))
    assert.ok(loosened.includes(`enforce.${rule}: 'report' until ${end} (${cost})`), String(loosened))
  const [route] = app.secureWs.explain()
  assert.deepEqual(Reflect.get(route ?? {}, 'enforce'), { report: Object.keys(everything), until: end })
})

// The messages behind a guard are another server's: a rule that is tried out there would try nothing.
test('a guard refuses to be told of messages', async (t) => {
  const guard = (enforce: object) =>
    startJourney(
      t,
      { authenticate },
      { routes: (app) => app.secureWs.guard('/other', { enforce: { ...enforce, until: tomorrow() } }) },
    )
  await assert.rejects(guard({ messageRate: 'report' }), { code: 'SWS_BAD_OPTION' })
  await guard({ origin: 'report' })
})
