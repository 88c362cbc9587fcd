import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { cookieSession, type Session } from '../../src/index.ts'
import { assertRefused, closedByServer, cookieOf, type HeaderChanges, startJourney } from './journey.ts'

const secret = randomBytes(32)
const sessions = new Map<string, Session>([['s1', { id: 's1', userId: 'ada' }]])
const cookie = cookieOf(secret, 's1')
const authenticate = cookieSession({ secret, load: (id) => sessions.get(id) })

// What each mistake gets, one at a time, over TLS, where every check can speak.
const rows: readonly (readonly [name: string, headers: HeaderChanges, status: number, code: string, error: string])[] =
  [
    ['an unknown Host', { Host: 'rebind.example' }, 421, 'SWS_HOST_REFUSED', 'Misdirected Request'],
    ['CS-5 a foreign Origin', { Origin: 'https://evil.example' }, 403, 'SWS_ORIGIN_REFUSED', 'Forbidden'],
    ['CS-5 Origin null', { Origin: 'null' }, 403, 'SWS_ORIGIN_REFUSED', 'Forbidden'],
    ['CS-5 no Origin', { Origin: undefined }, 403, 'SWS_ORIGIN_REFUSED', 'Forbidden'],
    [
      'CS-5 our Origin twice',
      { Origin: ['https://app.example', 'https://app.example'] },
      403,
      'SWS_ORIGIN_REFUSED',
      'Forbidden',
    ],
    [
      'CS-5 our Origin and a foreign one',
      { Origin: ['https://app.example', 'https://evil.example'] },
      403,
      'SWS_ORIGIN_REFUSED',
      'Forbidden',
    ],
    ['CS-5 a suffix', { Origin: 'https://app.example.evil.com' }, 403, 'SWS_ORIGIN_REFUSED', 'Forbidden'],
    ['CS-5 a prefix', { Origin: 'https://evilapp.example' }, 403, 'SWS_ORIGIN_REFUSED', 'Forbidden'],
    ['CS-5 our name over http', { Origin: 'http://app.example' }, 403, 'SWS_ORIGIN_REFUSED', 'Forbidden'],
    [
      '3.5.3 Sec-Fetch-Mode: navigate',
      { 'Sec-Fetch-Mode': 'navigate' },
      403,
      'SWS_FETCH_METADATA_REFUSED',
      'Forbidden',
    ],
    ['no cookie', { Cookie: undefined }, 401, 'SWS_UNAUTHENTICATED', 'Unauthorized'],
    ['SE-02 a tampered cookie', { Cookie: cookie.replace('s1', 's2') }, 401, 'SWS_UNAUTHENTICATED', 'Unauthorized'],
    ['a cookie of no session', { Cookie: cookieOf(secret, 'gone') }, 401, 'SWS_UNAUTHENTICATED', 'Unauthorized'],
    ['CS-2 version 8', { 'Sec-WebSocket-Version': '8' }, 426, 'SWS_BAD_HANDSHAKE', 'Upgrade Required'],
    ['a short key', { 'Sec-WebSocket-Key': 'AAAA' }, 400, 'SWS_BAD_HANDSHAKE', 'Bad Request'],
  ]

const right = { Host: 'app.example', Origin: 'https://app.example', Cookie: cookie }

test('over TLS, one mistake at a time', async (t) => {
  const { ask, open, events } = await startJourney(t, { origins: ['https://app.example'], authenticate }, { tls: true })
  for (const [name, headers, status, code, error] of rows) {
    await t.test(`${name} gets ${status}`, async () => {
      const { answer, connection } = await open({ headers: { ...right, ...headers } })
      assertRefused(answer, status, code, error)
      if (name.includes('version')) assert.equal(answer.headers['sec-websocket-version'], '13')
      await closedByServer(connection)
      assert.equal(events.at(-1)?.type, 'handshake.refused')
      assert.equal(events.at(-1)?.code, code)
    })
  }
  await t.test('no mistake gets in', async () => assert.equal((await ask({ headers: right })).status, 101))
})

test('CS-1 plain gets 426 for any name but loopback, and loopback gets in', async (t) => {
  const { ask, port } = await startJourney(t, {
    origins: [`http://app.example`, 'http://localhost:5173'],
    authenticate,
  })
  const headers = { Host: 'app.example', Origin: 'http://app.example', Cookie: cookie }
  const answer = await ask({ headers })
  assertRefused(answer, 426, 'SWS_INSECURE_TRANSPORT', 'Upgrade Required')
  assert.match(answer.headers.upgrade ?? '', /TLS/)
  const near = { ...headers, Host: `localhost:${port}`, Origin: 'http://localhost:5173' }
  assert.equal((await ask({ headers: near })).status, 101)
  // A proxy on this machine makes every peer a loopback peer.
  const forwarded = { ...near, 'X-Forwarded-For': '203.0.113.7' }
  assertRefused(await ask({ headers: forwarded }), 426, 'SWS_INSECURE_TRANSPORT')
})

/*
 * One request that is wrong in every way there is. Each round mends what was complained about, and the next complaint must
 * be the next check of the list: cheap before dear, and nothing about who may do what before one is known.
 */
test('the order of the checks: a request that is wrong in many ways gets the first', async (t) => {
  const users = new Map<string, Session>([
    ['ada', { id: 'sa', userId: 'ada' }],
    ['eve', { id: 'se', userId: 'eve' }],
  ])
  const journey = await startJourney(
    t,
    {
      origins: ['https://app.example'],
      limits: { connectionsPerAddress: 1, connectionsPerSession: 1 },
      authenticate: (request) => users.get(String(request.headers['x-user'])),
    },
    {
      server: { trustProxy: '127.0.0.1' },
      routes(app) {
        const params = { type: 'object', properties: { id: { type: 'integer' } } }
        app.get(
          '/rooms/:id',
          {
            websocket: true,
            schema: { params },
            secureWs: {
              protocols: ['chat'],
              authorize: (_session, request) => Reflect.get(Object(request.params), 'id') === 7,
            },
          },
          (socket) => socket.on('message', () => {}),
        )
      },
    },
  )
  const good = {
    Host: 'app.example',
    Origin: 'https://app.example',
    'X-Forwarded-Proto': 'https',
    'X-Forwarded-For': '192.0.2.1',
    'X-User': 'ada',
    'Sec-WebSocket-Protocol': 'chat',
  }
  // Ada is connected, and so is somebody at 192.0.2.9.
  assert.equal((await journey.open({ target: '/rooms/7', headers: good })).answer.status, 101)
  const elsewhere = { ...good, 'X-Forwarded-For': '192.0.2.9', 'X-User': 'eve' }
  assert.equal((await journey.open({ target: '/rooms/7', headers: elsewhere })).answer.status, 101)
  users.set('bob', { id: 'sb', userId: 'bob' })

  let method = 'POST'
  let target = '/nowhere'
  let headers: Record<string, string> = {
    Host: 'rebind.example',
    Origin: 'https://evil.example',
    'X-Forwarded-For': '192.0.2.9',
    'Sec-Fetch-Mode': 'navigate',
    'Sec-WebSocket-Protocol': 'other',
    'X-User': 'nobody',
  }
  const mend = (change: Record<string, string>) => () => {
    headers = { ...headers, ...change }
  }
  const rounds: readonly (readonly [status: number, code: string, mended: () => void])[] = [
    [
      400,
      'SWS_BAD_HANDSHAKE',
      () => {
        method = 'GET'
      },
    ],
    [
      404,
      'SWS_NOT_A_SOCKET_ROUTE',
      () => {
        target = '/rooms/eight'
      },
    ],
    [426, 'SWS_INSECURE_TRANSPORT', mend({ 'X-Forwarded-Proto': 'https' })],
    [421, 'SWS_HOST_REFUSED', mend({ Host: 'app.example' })],
    [403, 'SWS_ORIGIN_REFUSED', mend({ Origin: 'https://app.example' })],
    [403, 'SWS_FETCH_METADATA_REFUSED', mend({ 'Sec-Fetch-Mode': 'websocket' })],
    [429, 'SWS_TOO_MANY_CONNECTIONS', mend({ 'X-Forwarded-For': '192.0.2.3' })],
    [401, 'SWS_UNAUTHENTICATED', mend({ 'X-User': 'ada' })],
    [429, 'SWS_TOO_MANY_CONNECTIONS', mend({ 'X-User': 'bob' })],
    [400, 'SWS_BAD_HANDSHAKE', mend({ 'Sec-WebSocket-Protocol': 'chat' })],
    [
      400,
      'SWS_BAD_HANDSHAKE',
      () => {
        target = '/rooms/8'
      },
    ],
    [
      403,
      'SWS_FORBIDDEN',
      () => {
        target = '/rooms/7'
      },
    ],
  ]
  for (const [status, code, mended] of rounds) {
    assertRefused(await journey.ask({ method, target, headers }), status, code)
    mended()
  }
  const { status, headers: said } = await journey.ask({ method, target, headers })
  assert.equal(status, 101)
  assert.equal(said['sec-websocket-protocol'], 'chat')
})

test('what a client learns does not depend on why it is not let in', async (t) => {
  const { ask } = await startJourney(t, { origins: ['https://app.example'], authenticate }, { tls: true })
  const withoutDate = ({ text }: { text: string }) => text.replace(/^Date: .*$/m, '')
  const said = new Set<string>()
  for (const each of [
    undefined,
    cookie.replace('s1', 's2'),
    cookieOf(secret, 'gone'),
    cookieOf(randomBytes(32), 's1'),
    '__Host-session=',
  ]) {
    said.add(withoutDate(await ask({ headers: { ...right, Cookie: each } })))
  }
  assert.equal(said.size, 1, [...said].join('\n\n'))
})

test('sub-protocols: the first of the route that is offered; none in common is no connection', async (t) => {
  const { ask } = await startJourney(
    t,
    {},
    {
      routes(app) {
        const handler = () => {}
        app.get('/declared', { websocket: true, secureWs: { protocols: ['chat.v2', 'chat.v1'] } }, handler)
        app.get('/undeclared', { websocket: true }, handler)
      },
    },
  )
  const offer = (target: string, value: HeaderChanges[string]) =>
    ask({ target, headers: { 'Sec-WebSocket-Protocol': value } })
  const chosen = async (target: string, value: HeaderChanges[string]) => {
    const { status, headers } = await offer(target, value)
    assert.equal(status, 101)
    return headers['sec-websocket-protocol']
  }
  assert.equal(await chosen('/declared', 'chat.v1, chat.v2'), 'chat.v2')
  assert.equal(await chosen('/declared', ['chat.v1', 'other']), 'chat.v1')
  assertRefused(await offer('/declared', 'graphql-ws'), 400, 'SWS_BAD_HANDSHAKE')
  assertRefused(await offer('/declared', undefined), 400, 'SWS_BAD_HANDSHAKE')
  // Neutral, and the only name that is spoken where none is declared: ws alone would echo the first offer.
  assert.equal(await chosen('/undeclared', 'graphql-ws, secure-ws'), 'secure-ws')
  assert.equal(await chosen('/undeclared', 'graphql-ws'), undefined)
  assert.equal(await chosen('/undeclared', undefined), undefined)
})
