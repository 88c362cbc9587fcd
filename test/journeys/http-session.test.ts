import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { cookieSession, type Session, type TicketStore, ticket } from '../../src/index.ts'
import { cookieOf, startJourney } from './journey.ts'

// Who is signed in on a plain HTTP route: the same authenticators, the same answers when nobody can tell.

const secret = randomBytes(32)
const ada: Session = { id: 's1', userId: 'ada' }
type Load = (id: string) => Session | null | Promise<Session | null>

async function start(t: Parameters<typeof startJourney>[0], load: Load, options: object = {}) {
  const journey = await startJourney(
    t,
    { authenticate: cookieSession({ secret, load }), ...options },
    {
      routes(app) {
        app.get('/me', async (request) => ({ user: (await app.secureWs.session(request))?.userId ?? null }))
        app.get('/mine', { preHandler: app.secureWs.requireSession }, async () => 'yours')
        app.get('/ws', { websocket: true }, () => {})
      },
    },
  )
  const ask = async (url: string, cookie: string | undefined = cookieOf(secret, 's1')) => {
    const response = await fetch(`http://127.0.0.1:${journey.port}${url}`, { headers: { cookie } })
    return { status: response.status, body: await response.text() }
  }
  return { ...journey, asked: ask }
}

test('a cookie that holds is somebody, any other is nobody', async (t) => {
  const { asked } = await start(t, (id) => (id === 's1' ? ada : null))
  assert.deepEqual(await asked('/me'), { status: 200, body: '{"user":"ada"}' })
  assert.deepEqual(await asked('/mine'), { status: 200, body: 'yours' })
  for (const cookie of ['', cookieOf(secret, 'gone'), cookieOf(randomBytes(32), 's1')]) {
    assert.deepEqual(await asked('/me', cookie), { status: 200, body: '{"user":null}' })
    const { status, body } = await asked('/mine', cookie)
    assert.equal(status, 401)
    assert.deepEqual(JSON.parse(body), {
      statusCode: 401,
      code: 'SWS_UNAUTHENTICATED',
      error: 'Unauthorized',
      message: 'Nobody is signed in.',
    })
  }
})

test('a session that was revoked is nobody, also while the store is being asked', async (t) => {
  const waiting = Promise.withResolvers<Session>()
  let load: Load = () => ({ ...ada, authenticatedAt: 1 })
  const { asked, app } = await start(t, (id) => load(id))
  assert.equal((await asked('/mine')).status, 200)
  const asking = Promise.withResolvers<void>()
  load = () => {
    asking.resolve()
    return waiting.promise
  }
  const late = asked('/mine')
  await asking.promise
  await app.secureWs.revoke({ userId: 'ada' })
  waiting.resolve(ada)
  assert.equal((await late).status, 401)
  load = () => ({ ...ada, authenticatedAt: 1 })
  assert.equal((await asked('/mine')).status, 401)
  // Near miss: who has signed in again since.
  load = () => ({ id: 's2', userId: 'ada', authenticatedAt: Date.now() + 5 })
  assert.equal((await asked('/mine')).status, 200)
})

const failures: readonly (readonly [name: string, load: Load])[] = [
  ['throws', () => assert.fail('connect postgres://app:hunter2@db failed for s1')],
  ['rejects', () => Promise.reject(new Error('connect postgres://app:hunter2@db failed'))],
  ['never answers', () => new Promise<never>(() => {})],
]
for (const [name, load] of failures) {
  test(`16.5.3 a store that ${name} is 503, on HTTP routes and in the handshake; why is in the log alone`, async (t) => {
    const { asked, ask, lines, events } = await start(
      t,
      load,
      name === 'never answers' ? { limits: { handshake: 60 } } : {},
    )
    const answers = [
      await asked('/me'),
      await asked('/mine'),
      await ask({ headers: { Cookie: cookieOf(secret, 's1') } }),
    ]
    for (const { status, body } of answers) {
      assert.equal(status, 503)
      assert.equal(Reflect.get(JSON.parse(body), 'code'), 'SWS_UNAVAILABLE')
      assert.doesNotMatch(body, /postgres|hunter2|cookieSession|Error\b.*threw/)
    }
    assert.doesNotMatch(JSON.stringify(events), /postgres|hunter2/)
    assert.doesNotMatch(lines.join(''), /hunter2/)
    const told = lines.filter((line) => line.includes('"level":50') && line.includes('fastify-secure-ws: '))
    if (name === 'never answers') assert.match(told[0] ?? '', /no answer within 60 ms/)
    else
      for (const line of told)
        assert.match(line, /"err":\{.*postgres:\/\/\[redacted\]@db.*the authenticator cookieSession threw/)
    assert.ok(told.length >= 2)
  })
}

test('a ticket store that is down is 503, and no ticket without a session 401', async (t) => {
  const store: TicketStore = {
    put: () => Promise.reject(new Error('NOAUTH redis://u:hunter2@db')),
    take: () => undefined,
  }
  const { port, lines } = await startJourney(
    t,
    {
      authenticate: [
        ticket({ store, load: () => ada }),
        cookieSession({ secret, load: (id) => (id === 's1' ? ada : null) }),
      ],
    },
    { routes: (app) => app.post('/ticket', async (request) => app.secureWs.issueTicket(request, { route: '/ws' })) },
  )
  const post = async (cookie: string) => {
    const response = await fetch(`http://127.0.0.1:${port}/ticket`, { method: 'POST', headers: { cookie } })
    return [response.status, Reflect.get(Object(await response.json()), 'code')]
  }
  assert.deepEqual(await post(cookieOf(secret, 's1')), [503, 'SWS_UNAVAILABLE'])
  assert.deepEqual(await post(''), [401, 'SWS_NO_SESSION'])
  assert.ok(lines.some((line) => /"message":"NOAUTH redis:\/\/\[redacted\]@db".*the ticket store threw/.test(line)))
})

test('with `authenticate: false` nobody is signed in', async (t) => {
  const { app } = await startJourney(
    t,
    {},
    { routes: (app) => app.get('/mine', { preHandler: app.secureWs.requireSession }, async () => 'yours') },
  )
  assert.equal((await app.inject('/mine')).statusCode, 401)
})
