import assert from 'node:assert/strict'
import { test } from 'node:test'
import { handshakeRefusals } from '../../src/errors.ts'
import { memoryBus, memoryTickets, type Session, ticket } from '../../src/index.ts'
import { testCertificate } from '../harness/certificate.ts'
import { type Asked, type Journey, startJourney } from './journey.ts'

// A browser never says why a handshake failed. The page asks with a plain request, which must say what the handshake would be
// answered with, and be worth nothing to anybody else.

const ada: Session = { id: 's1', userId: 'ada' }

/** The same request as a plain one that asks: what a handshake alone has is left out, sub-protocols are told in our own header. */
function asQuestion({ headers = {}, ...rest }: Asked = {}): Asked {
  const { 'Sec-WebSocket-Protocol': protocols, ...others } = headers
  return {
    ...rest,
    omit: ['Upgrade', 'Connection', 'Sec-WebSocket-Version', 'Sec-WebSocket-Key'],
    headers: { ...others, 'Secure-WS': 'why', ...(protocols === undefined ? {} : { 'Secure-WS-Protocol': protocols }) },
  }
}

async function why(journey: Journey, asked?: Asked) {
  const answer = await journey.ask(asQuestion(asked))
  const said: { code: unknown; reconnect: unknown; retryAfter?: number } = JSON.parse(answer.body)
  return { ...answer, said }
}

async function codeOfHandshake(journey: Journey, asked?: Asked): Promise<string | null> {
  const { status, body } = await journey.ask(asked)
  return status === 101 ? null : JSON.parse(body).code
}

let answer: () => Session | null | Promise<Session> = () => ada

type App = Journey['app']
const routes = (app: App) => {
  const socket = (secureWs: object) => ({ websocket: true, secureWs }) as const
  app.get('/ws', socket({}), () => {})
  app.get('/named', socket({ hosts: ['app.example'] }), () => {})
  app.get('/asked', socket({ origins: (origin: string) => origin === 'https://ok.example' }), () => {})
  app.get('/forbidden', socket({ authorize: () => false }), () => {})
  app.get('/thrown', socket({ authorize: () => Promise.reject(new Error('x')) }), () => {})
  app.get('/spoken', socket({ protocols: ['chat.v1'] }), () => {})
  app.get('/late', socket({ authorize: () => new Promise(() => {}), limits: { handshake: 60 } }), () => {})
  app.get(
    '/typed/:n',
    { ...socket({}), schema: { params: { type: 'object', properties: { n: { type: 'integer' } } } } },
    () => {},
  )
  app.get('/plain', () => 'a page')
}

/** Each handshake that is refused, or not; those after the bar need a server of their own. */
const handshakes: readonly (readonly [code: string | null, asked: Asked, session?: typeof answer])[] = [
  [null, {}],
  [null, { target: '/spoken', headers: { 'Sec-WebSocket-Protocol': 'chat.v1' } }],
  [null, { target: '/typed/7' }],
  [null, { target: '/asked', headers: { Origin: 'https://ok.example' } }],
  ['SWS_NOT_A_SOCKET_ROUTE', { target: '/nowhere' }],
  ['SWS_NOT_A_SOCKET_ROUTE', { target: '/plain' }],
  ['SWS_INSECURE_TRANSPORT', { headers: { 'X-Forwarded-For': '192.0.2.1' } }],
  ['SWS_HOST_REFUSED', { target: '/named', headers: { Host: 'localhost:1' } }],
  ['SWS_ORIGIN_REFUSED', { headers: { Origin: 'https://evil.example' } }],
  ['SWS_ORIGIN_REFUSED', { headers: { Origin: 'null' } }],
  ['SWS_ORIGIN_REFUSED', { headers: { Origin: undefined } }],
  ['SWS_ORIGIN_REFUSED', { target: '/asked', headers: { Origin: 'https://evil.example' } }],
  ['SWS_FETCH_METADATA_REFUSED', { headers: { 'Sec-Fetch-Site': 'cross-site' } }],
  ['SWS_UNAUTHENTICATED', {}, () => null],
  ['SWS_UNAVAILABLE', {}, () => Promise.reject(new Error('down'))],
  ['SWS_BAD_HANDSHAKE', { target: '/spoken', headers: { 'Sec-WebSocket-Protocol': 'chat.v2' } }],
  ['SWS_BAD_HANDSHAKE', { target: '/typed/seven' }],
  ['SWS_FORBIDDEN', { target: '/forbidden' }],
  ['SWS_FORBIDDEN', { target: '/thrown' }],
  ['SWS_HANDSHAKE_TIMEOUT', { target: '/late' }],
]

const waits = new Set([
  'SWS_TOO_MANY_CONNECTIONS',
  'SWS_TOO_MANY_HANDSHAKES',
  'SWS_HANDSHAKE_TIMEOUT',
  'SWS_UNAVAILABLE',
])

test('"why?" says what the handshake is answered with, for every code, and whether to come back', async (t) => {
  const usual = await startJourney(t, { authenticate: () => answer() }, { routes })
  const seen = new Set<string | null>()
  for (const [code, asked, session = () => ada] of handshakes) {
    answer = session
    const { status, said, headers } = await why(usual, asked)
    assert.equal(status, 200)
    assert.equal(said.code, code, `why ${JSON.stringify(asked)}`)
    assert.equal(await codeOfHandshake(usual, asked), code, `handshake ${JSON.stringify(asked)}`)
    assert.equal(said.reconnect, code === null || waits.has(code))
    assert.deepEqual(
      Object.keys(said).filter((key) => !['code', 'reconnect', 'retryAfter'].includes(key)),
      [],
    )
    assert.equal(headers['cache-control'], 'no-store')
    assert.equal(headers['x-content-type-options'], 'nosniff')
    seen.add(code)
  }
  answer = () => ada
  const full = await startJourney(t, { authenticate: () => ada, limits: { connections: 1 } }, { routes })
  assert.equal((await full.open()).answer.status, 101)
  const ofSession = await startJourney(t, { authenticate: () => ada, limits: { connectionsPerSession: 1 } }, { routes })
  assert.equal((await ofSession.open()).answer.status, 101)
  const ofAddress = await startJourney(t, { limits: { connectionsPerAddress: 1 } }, { routes })
  assert.equal((await ofAddress.open()).answer.status, 101)
  const hurried = await startJourney(t, { limits: { handshakesPerMinutePerAddress: 2 } }, { routes })
  for (let turn = 0; turn < 2; turn++) assert.equal((await hurried.ask()).status, 101)
  const nodes = await startJourney(t, { bus: memoryBus(), limits: { handshakesPerMinutePerAddress: 2 } }, { routes })
  for (let turn = 0; turn < 2; turn++) assert.equal((await nodes.ask()).status, 101)
  const suspect = await startJourney(t, { limits: { refusedPerMinutePerAddress: 1 } }, { routes })
  await suspect.ask({ headers: { Origin: 'https://evil.example' } })
  for (const [journey, code] of [
    [full, 'SWS_TOO_MANY_CONNECTIONS'],
    [ofSession, 'SWS_TOO_MANY_CONNECTIONS'],
    [ofAddress, 'SWS_TOO_MANY_CONNECTIONS'],
    [hurried, 'SWS_TOO_MANY_HANDSHAKES'],
    [nodes, 'SWS_TOO_MANY_HANDSHAKES'],
    [suspect, 'SWS_TOO_MANY_HANDSHAKES'],
  ] as const) {
    const askedAt = performance.now()
    const { said } = await why(journey)
    assert.deepEqual([said.code, said.reconnect], [code, true])
    const { status, body, headers } = await journey.ask()
    assert.notEqual(status, 101)
    assert.equal(JSON.parse(body).code, code)
    const seconds = Number(headers['retry-after'])
    // Both are counted in seconds, from when each was asked.
    const between = performance.now() - askedAt + 1_000
    assert.ok(seconds > 0 && Math.abs((said.retryAfter ?? 0) - seconds * 1_000) <= between, `${said.retryAfter}`)
    seen.add(code)
  }
  seen.add('SWS_UPGRADE_REQUIRED')
  assert.deepEqual(
    Object.keys(handshakeRefusals).filter((code) => !seen.has(code)),
    [],
    'every code but that of the plain request itself',
  )
})

test('a hundred questions change no count, take no place, and spend no handshake', async (t) => {
  const limits = {
    connections: 2,
    connectionsPerAddress: 2,
    connectionsPerSession: 1,
    handshakesPerMinutePerAddress: 110,
  }
  const journey = await startJourney(t, { authenticate: () => ada, bus: memoryBus(), limits }, { routes })
  const before = journey.app.secureWs.stats()
  for (let turn = 0; turn < 100; turn++) {
    const { said, status } = await why(journey)
    assert.deepEqual([status, said.code], [200, null])
  }
  for (let turn = 0; turn < 5; turn++) await why(journey, { headers: { Origin: 'https://evil.example' } })
  await assert.doesNotReject(async () => {
    for (let turn = 0; turn < 110; turn++) {
      const { answer: handshake, connection } = await journey.open()
      assert.equal(handshake.status, 101, `handshake ${turn} after the questions: ${handshake.body}`)
      connection.close()
      while (journey.app.secureWs.stats().connections > 0) await new Promise((resolve) => setTimeout(resolve, 2))
    }
  })
  assert.deepEqual(journey.app.secureWs.stats(), before)
})

test('attack: whoever asks without end is answered 429, and the handshakes of that address are none the worse', async (t) => {
  const journey = await startJourney(t, { limits: { handshakesPerMinutePerAddress: 3 } }, { routes })
  const statuses: number[] = []
  for (let turn = 0; turn < 5; turn++) statuses.push((await why(journey)).status)
  assert.deepEqual(statuses, [200, 200, 200, 429, 429])
  const { said, headers } = await why(journey)
  assert.deepEqual([said.code, said.reconnect], ['SWS_TOO_MANY_HANDSHAKES', true])
  assert.ok(Number(headers['retry-after']) > 0)
  assert.equal((await journey.ask()).status, 101)
})

test('a ticket is looked at and not spent; a store that cannot look says that nobody knows', async (t) => {
  const store = memoryTickets()
  const blind = { put: store.put, take: store.take, keepsSessions: true }
  for (const [tickets, code] of [
    [store, null],
    [blind, 'SWS_UNAVAILABLE'],
  ] as const) {
    const authenticate = [ticket({ store: tickets }), () => ada]
    const journey = await startJourney(
      t,
      { authenticate },
      {
        routes(app) {
          routes(app)
          app.post('/ticket', (request) => app.secureWs.issueTicket(request, { route: '/ws' }))
        },
      },
    )
    const origin = `http://localhost:${journey.port}`
    const issued = await fetch(`${origin}/ticket`, { method: 'POST', headers: { origin } })
    const { protocol }: { protocol: string } = JSON.parse(await issued.text())
    const shown = { headers: { 'Sec-WebSocket-Protocol': `secure-ws, ${protocol}` } }
    for (let turn = 0; turn < 3; turn++) assert.equal((await why(journey, shown)).said.code, code)
    assert.equal(await codeOfHandshake(journey, shown), null)
    assert.equal(await codeOfHandshake(journey, shown), 'SWS_UNAUTHENTICATED')
    if (code === null) assert.equal((await why(journey, shown)).said.code, 'SWS_UNAUTHENTICATED')
  }
})

test('attack: a page that may not connect is told the same whoever its visitor is, and cannot read it', async (t) => {
  const journey = await startJourney(t, { authenticate: () => answer() }, { routes })
  const bodies = new Set<string>()
  for (const session of [() => ada, () => null, () => Promise.reject(new Error('down'))]) {
    answer = session
    const { body, headers } = await why(journey, { headers: { Origin: 'https://evil.example' } })
    bodies.add(body)
    assert.equal(headers['access-control-allow-origin'], undefined)
    const host = await why(journey, { target: '/named', headers: { Host: 'localhost:1' } })
    bodies.add(host.body)
    assert.equal(host.headers['access-control-allow-origin'], undefined)
    const named = await why(journey, { target: '/asked', headers: { Origin: 'https://evil.example' } })
    assert.equal(named.headers['access-control-allow-origin'], undefined)
  }
  assert.equal(bodies.size, 2)
  answer = () => ada
  // The near miss: a page of another origin that may connect.
  const { headers, said } = await why(journey, { target: '/asked', headers: { Origin: 'https://ok.example' } })
  assert.equal(said.code, null)
  assert.equal(headers['access-control-allow-origin'], 'https://ok.example')
  assert.equal(headers['access-control-allow-credentials'], 'true')
  assert.match(headers.vary ?? '', /origin/i)
})

test('attack: an origin that is said in our own header counts for nothing beside the one that a browser says', async (t) => {
  const journey = await startJourney(t, {}, { routes })
  const own = `http://localhost:${journey.port}`
  const ask = async (headers: Record<string, string | readonly string[] | undefined>) =>
    (await journey.ask({ ...asQuestion(), headers: { 'Secure-WS': 'why', ...headers } })).body
  assert.match(await ask({ Origin: 'https://evil.example', 'Secure-WS-Origin': own }), /SWS_ORIGIN_REFUSED/)
  assert.match(await ask({ Origin: undefined, 'Secure-WS-Origin': [own, own] }), /SWS_ORIGIN_REFUSED/)
  assert.match(await ask({ Origin: undefined, 'Sec-Fetch-Site': 'cross-site' }), /SWS_ORIGIN_REFUSED/)
  assert.match(await ask({ Origin: undefined, 'Secure-WS-Origin': own }), /"code":null/)
  assert.match(
    await ask({ Origin: undefined, 'Sec-Fetch-Site': 'same-origin', 'Sec-Fetch-Mode': 'cors' }),
    /"code":null/,
  )
  // A handshake never reads what only a question says.
  const handshake = await journey.ask({ headers: { Origin: undefined, 'Secure-WS-Origin': own, 'Secure-WS': 'why' } })
  assert.equal(handshake.status, 403)
})

test('a browser may send the question from a page that may connect, and from no other', async (t) => {
  const origins = ['https://app.example']
  const listed = (app: App) => void app.get('/ws', { websocket: true }, () => {})
  const journey = await startJourney(t, { origins, hosts: ['localhost:0'] }, { routes: listed })
  const preflight = (origin: string, asked = 'secure-ws') =>
    journey.ask({
      method: 'OPTIONS',
      omit: ['Upgrade', 'Connection', 'Sec-WebSocket-Version', 'Sec-WebSocket-Key'],
      headers: {
        Host: 'localhost:0',
        Origin: origin,
        Connection: 'close',
        'Access-Control-Request-Method': 'GET',
        'Access-Control-Request-Headers': asked,
      },
    })
  const allowed = await preflight('https://app.example')
  assert.equal(allowed.status, 204)
  assert.equal(allowed.headers['access-control-allow-origin'], 'https://app.example')
  assert.match(allowed.headers['access-control-allow-headers'] ?? '', /^secure-ws, secure-ws-protocol/)
  for (const refused of [await preflight('https://evil.example'), await preflight('https://app.example', 'x-other')]) {
    assert.equal(refused.status, 404)
    assert.equal(refused.headers['access-control-allow-origin'], undefined)
  }
})

test('each question is an audit event; a plain request without the header is answered as before', async (t) => {
  const journey = await startJourney(t, { authenticate: () => answer() }, { routes })
  answer = () => null
  await why(journey)
  answer = () => ada
  await why(journey)
  const asked = journey.events.filter(({ type }) => type === 'handshake.asked')
  assert.deepEqual(
    asked.map(({ code, route, origin }) => [code, route, origin]),
    [
      ['SWS_UNAUTHENTICATED', '/ws', `http://localhost:${journey.port}`],
      [undefined, '/ws', `http://localhost:${journey.port}`],
    ],
  )
  assert.deepEqual(journey.refusals(), [])
  for (const value of ['', 'Why', 'why, why', 'what']) {
    const { status } = await journey.ask({ ...asQuestion(), headers: { 'Secure-WS': value } })
    assert.equal(status, 426, value)
  }
})

test('over HTTP/2 a page asks the same', async (t) => {
  const { key, cert } = await testCertificate()
  const { connect } = await import('node:http2')
  const server = { http2: true, https: { allowHTTP1: true, key, cert } }
  const journey = await startJourney(t, {}, { server, tls: true, routes })
  const session = connect(`https://localhost:${journey.port}`, { rejectUnauthorized: false })
  t.after(() => session.close())
  const stream = session.request({ ':path': '/ws', 'secure-ws': 'why', 'sec-fetch-site': 'same-origin' })
  let body = ''
  for await (const chunk of stream) body += chunk
  assert.deepEqual(JSON.parse(body), { code: null, reconnect: true })
})
