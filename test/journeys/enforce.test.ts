import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { FastifyInstance } from 'fastify'
import type { EnforceOptions } from '../../src/admission/enforcement.ts'
import { cookieSession, fromRequest, type SecureWsOptions, type Session } from '../../src/index.ts'
import { openSocket } from '../harness/socket-client.ts'
import { until } from '../harness/until.ts'
import { type Asked, assertRefused, type Journey, type JourneyOptions, startJourney } from './journey.ts'

const day = 86_400_000
const tomorrow = () => new Date(Date.now() + day).toISOString()

/** Moves the date, and nothing else. */
function laterBy(t: TestContext, ms: number): void {
  const real = Date.now
  t.mock.method(Date, 'now', () => real() + ms)
}

const byHeader = fromRequest(
  ({ headers }): Session | null =>
    typeof headers['x-session'] === 'string' ? { id: headers['x-session'], userId: 'ada' } : null,
  { ambient: false },
)
const authorize = (session: Session | null) => session?.id !== 'forbidden'

interface Case {
  readonly rule: keyof EnforceOptions
  readonly code: string
  readonly status: number
  readonly options?: Partial<SecureWsOptions>
  readonly journey?: JourneyOptions
  /** What the rule refuses. */
  readonly asked: Asked
  /** Opened first, where the rule counts. */
  readonly before?: readonly Asked[]
}

const signedIn = { 'X-Session': 'one' }
const cases: readonly Case[] = [
  {
    rule: 'transport',
    code: 'SWS_INSECURE_TRANSPORT',
    status: 426,
    options: { origins: ['http://app.example'] },
    journey: { server: { trustProxy: '127.0.0.1' } },
    asked: {
      headers: { ...signedIn, Host: 'app.example', Origin: 'http://app.example', 'X-Forwarded-For': '203.0.113.7' },
    },
  },
  {
    rule: 'host',
    code: 'SWS_HOST_REFUSED',
    status: 421,
    options: { origins: ['https://app.example'], hosts: ['app.example'] },
    asked: { headers: { ...signedIn, Origin: 'https://app.example' } },
  },
  {
    rule: 'origin',
    code: 'SWS_ORIGIN_REFUSED',
    status: 403,
    asked: { headers: { ...signedIn, Origin: 'https://evil.example' } },
  },
  {
    rule: 'origin',
    code: 'SWS_ORIGIN_REFUSED',
    status: 403,
    options: { origins: async () => false, hosts: ['app.example'], allowInsecureTransport: true },
    asked: { headers: { ...signedIn, Host: 'app.example', Origin: 'https://evil.example' } },
  },
  {
    rule: 'fetchMetadata',
    code: 'SWS_FETCH_METADATA_REFUSED',
    status: 403,
    asked: { headers: { ...signedIn, 'Sec-Fetch-Mode': 'cors' } },
  },
  {
    rule: 'capacity',
    code: 'SWS_TOO_MANY_CONNECTIONS',
    status: 503,
    options: { limits: { connections: 1 } },
    before: [{ headers: { 'X-Session': 'two' } }],
    asked: { headers: signedIn },
  },
  {
    rule: 'capacity',
    code: 'SWS_TOO_MANY_CONNECTIONS',
    status: 429,
    options: { limits: { connectionsPerSession: 1 } },
    before: [{ headers: signedIn }],
    asked: { headers: signedIn },
  },
  { rule: 'session', code: 'SWS_UNAUTHENTICATED', status: 401, asked: {} },
  { rule: 'authorize', code: 'SWS_FORBIDDEN', status: 403, asked: { headers: { 'X-Session': 'forbidden' } } },
]

const routes = (app: FastifyInstance) => {
  app.get('/ws', { websocket: true, secureWs: { authorize } as object }, (socket) => {
    socket.on('message', () => socket.send({ type: 'heard' }))
  })
}

function start(t: TestContext, { options, journey }: Case, enforce?: EnforceOptions): Promise<Journey> {
  const all = { authenticate: byHeader, ...options, ...(enforce && { enforce }) }
  return startJourney(t, all, { routes, ...journey })
}

for (const one of cases) {
  const { rule, code, status, asked, before = [] } = one
  test(`enforce.${rule}: 'report' tells of ${status} ${code}, and admits; after its end it refuses`, async (t) => {
    const journey = await start(t, one, { [rule]: 'report', until: tomorrow() })
    for (const each of before) assert.equal((await journey.open(each)).answer.status, 101)
    const { answer } = await journey.open(asked)
    assert.equal(answer.status, 101, answer.text)
    const reported = journey.events.filter(({ type }) => type === 'handshake.reported')
    assert.deepEqual(
      reported.map((event) => [event.code, event.route, event.address !== undefined]),
      [[code, '/ws', true]],
    )
    assert.ok(reported[0]?.reason)
    assert.deepEqual(journey.refusals(), [])
    assert.equal(journey.events.filter(({ type }) => type === 'handshake.accepted').length, before.length + 1)

    laterBy(t, 2 * day)
    assertRefused(await journey.ask(asked), status, code)
    assert.equal(journey.events.filter(({ type }) => type === 'handshake.reported').length, 1)
  })

  test(`near miss: without enforce, or with another rule of it, ${status} ${code} stands`, async (t) => {
    const another = rule === 'host' ? 'authorize' : 'host'
    for (const enforce of [undefined, { [another]: 'report', until: tomorrow() } as EnforceOptions]) {
      const journey = await start(t, one, enforce)
      for (const each of before) assert.equal((await journey.open(each)).answer.status, 101)
      assertRefused(await journey.ask(asked), status, code)
      assert.deepEqual(
        journey.events.filter(({ type }) => type === 'handshake.reported'),
        [],
      )
    }
  })
}

test('a handshake that several rules would refuse is told of once for each, and opens', async (t) => {
  const enforce = { origin: 'report', session: 'report', authorize: 'report', until: tomorrow() } as const
  const journey = await startJourney(
    t,
    { authenticate: byHeader, enforce },
    {
      routes: (app) =>
        app.get('/ws', { websocket: true, secureWs: { authorize: () => false } as object }, (socket) => {
          socket.send(String(socket.session))
        }),
    },
  )
  const { answer, connection } = await journey.open({ headers: { Origin: 'https://evil.example' } })
  assert.equal(answer.status, 101)
  let seen = answer.body
  connection.socket.on('data', (bytes: Buffer) => {
    seen += bytes.toString('latin1')
  })
  assert.deepEqual(
    journey.events.filter(({ type }) => type === 'handshake.reported').map(({ code }) => code),
    ['SWS_ORIGIN_REFUSED', 'SWS_UNAUTHENTICATED', 'SWS_FORBIDDEN'],
  )
  await until(() => seen.includes('null'), 'the session is null')
})

// Whoever was revoked by name is not let in again because sessions are only tried out.
test('a revoked session is refused while `session` reports', async (t) => {
  const journey = await startJourney(
    t,
    { authenticate: byHeader, enforce: { session: 'report', until: tomorrow() } },
    { routes },
  )
  await journey.app.secureWs.revoke({ sessionId: 'one' })
  assertRefused(await journey.ask({ headers: signedIn }), 401, 'SWS_UNAUTHENTICATED')
  assert.equal((await journey.ask({ headers: { 'X-Session': 'two' } })).status, 101)
})

test('what is no handshake, a server that drains and too many refusals are refused while all rules report', async (t) => {
  const everything = {
    transport: 'report',
    host: 'report',
    origin: 'report',
    fetchMetadata: 'report',
    capacity: 'report',
    session: 'report',
    authorize: 'report',
    until: tomorrow(),
  } as const
  const journey = await startJourney(
    t,
    { authenticate: byHeader, enforce: everything, limits: { refusedPerMinutePerAddress: 3 } },
    { routes },
  )
  assert.equal((await journey.ask({ headers: { 'Sec-WebSocket-Key': 'short' } })).status, 400)
  assert.equal((await journey.ask({ target: '/elsewhere' })).status, 404)
  assert.equal((await journey.ask()).status, 101)
  assert.equal((await journey.ask({ target: '/elsewhere' })).status, 404)
  assert.equal((await journey.ask()).status, 429)

  const other = await startJourney(t, { authenticate: byHeader, enforce: everything }, { routes })
  await other.app.secureWs.drain()
  assert.equal((await other.ask()).status, 503)
})

test('a page on no list is not refused early while its origin is reported, on its route alone', async (t) => {
  const journey = await startJourney(
    t,
    { origins: ['https://app.example'], hosts: ['app.example'], allowInsecureTransport: true },
    {
      routes: (app) => {
        const secure = { enforce: { origin: 'report', until: tomorrow() } } as const
        app.get('/tried', { websocket: true, secureWs: secure }, () => {})
        app.get('/held', { websocket: true }, () => {})
      },
    },
  )
  const headers = { Host: 'app.example', Origin: 'https://evil.example' }
  // The early refusal learns from one that the hook refused what the answers of a route look like.
  for (const target of ['/tried', '/held']) {
    assert.equal((await journey.ask({ target, headers: { ...headers, Host: 'elsewhere.example' } })).status, 421)
  }
  for (let count = 0; count < 3; count++) {
    assert.equal((await journey.ask({ target: '/tried', headers })).status, 101)
    assert.equal((await journey.ask({ target: '/held', headers })).status, 403)
  }
  assert.deepEqual(
    journey.app.secureWs
      .explain()
      .map((route) => Reflect.get(route, 'enforce')?.report ?? Reflect.get(route, 'enforce')),
    [['origin'], 'everything'],
  )
})

test('an open socket keeps the right that is only reported, and loses it after the end', async (t) => {
  const journey = await startJourney(
    t,
    { authenticate: byHeader, allowMissingOrigin: true, enforce: { authorize: 'report', until: tomorrow() } },
    { routes },
  )
  const client = await openSocket(`ws://127.0.0.1:${journey.port}/ws`, { headers: { 'x-session': 'forbidden' } })
  journey.app.secureWs.reauthorize({ userId: 'ada' })
  client.send({})
  await until(() => client.heard.length === 1, 'it is still here')
  laterBy(t, 2 * day)
  journey.app.secureWs.reauthorize({ userId: 'ada' })
  assert.equal(await client.closed, 3003)
})

test('each reported rule stands in the warning of the start, with its end and its cost', async (t) => {
  const end = tomorrow()
  const journey = await startJourney(
    t,
    { authenticate: byHeader, enforce: { origin: 'report', until: end } },
    {
      routes: (app) =>
        app.get('/ws', { websocket: true, secureWs: { enforce: { host: 'report' } } }, (socket) => socket.close()),
    },
  )
  const loosened = journey.events.filter(({ type }) => type === 'options.loosened').map(({ reason }) => reason)
  assert.ok(loosened.includes(`enforce.origin: 'report' until ${end} (any web page may connect)`), String(loosened))
  assert.ok(
    loosened.includes(`/ws enforce.host: 'report' until ${end} (any name that points here may be used)`),
    String(loosened),
  )
})

// CWE-1385: while origins are only reported, any page may use a visitor's cookie. That has to be said twice.
test('a reported origin beside cookies fails the start, unless it is said twice; after its end it is no danger', async (t) => {
  const cookies = cookieSession({ secret: 'a secret of thirty-two bytes here', load: () => null })
  const enforce = { origin: 'report', until: tomorrow() } as const
  await assert.rejects(startJourney(t, { authenticate: cookies, enforce }), { code: 'SWS_UNSAFE_OPTIONS' })
  await assert.rejects(
    startJourney(
      t,
      { authenticate: cookies },
      { routes: (app) => app.get('/ws', { websocket: true, secureWs: { enforce } }, () => {}) },
    ),
    { code: 'SWS_UNSAFE_OPTIONS' },
  )
  await startJourney(t, { authenticate: cookies, enforce, dangerouslyAllowAmbientCredentials: true })
  await startJourney(t, { authenticate: cookies, enforce: { origin: 'report', until: '2026-01-01' } })
})
