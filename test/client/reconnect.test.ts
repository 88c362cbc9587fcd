import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import fastify, { type FastifyInstance } from 'fastify'
import { ClientError } from '../../src/client/client.ts'
import secureWs, { bearer, type SecureWsOptions, type Session, ticket } from '../../src/index.ts'
import { startServer, wide } from '../harness/server.ts'
import { until } from '../harness/until.ts'
import { from, knocks, watch } from './harness.ts'

const isError = (code: string) => (error: unknown) => error instanceof ClientError && error.code === code
const echo = (app: FastifyInstance) =>
  app.get('/ws', { websocket: true, secureWs: { receives: { say: { schema: { type: 'object' } } } } }, (socket) => {
    socket.on('say', () => undefined)
  })

/** A server that can come back at the same port. */
async function startAt(
  t: TestContext,
  port: number,
  routes: (app: FastifyInstance) => void,
  options: Partial<SecureWsOptions> = {},
) {
  const app = fastify({ forceCloseConnections: true })
  t.after(() => app.close())
  await app.register(secureWs, { authenticate: false, limits: wide, ...options })
  routes(app)
  await app.listen({ host: '127.0.0.1', port })
  return app
}

test('a server that is gone and comes back: the client waits, and joins again before what waited is sent', async (t) => {
  const seen: string[] = []
  const remember = (app: FastifyInstance) =>
    app.get(
      '/ws',
      {
        websocket: true,
        secureWs: {
          receives: {
            join: { schema: { type: 'object' } },
            say: { schema: { type: 'object' } },
            never: { schema: { type: 'object' } },
          },
        },
      },
      (socket) => {
        socket.on('join', () => void seen.push('join'))
        socket.on('say', () => void seen.push('say'))
        socket.on('never', () => new Promise(() => {}))
      },
    )
  const first = await startServer(t, {}, remember)
  const { client, reach } = watch(t, first.port, { join: (direct) => direct.request('join', {}) })
  await reach('open')
  // It leaves, and then its connection goes: nobody knows whether it was done, and nobody sends it again.
  const asked = client.request('never', {})
  const lost = assert.rejects(asked, isError('SWS_LOST'))
  await first.app.close()
  await lost
  await reach('waiting')
  client.send({ type: 'say' })
  const queued = client.request('say', {})
  await sleep(150)
  assert.equal(client.state.name === 'waiting' || client.state.name === 'connecting', true)
  await startAt(t, first.port, remember)
  await reach('open')
  await queued
  assert.deepEqual(seen, ['join', 'join', 'say', 'say'])
})

for (const [code, route, headers] of [
  ['SWS_FORBIDDEN', { authorize: () => false }, {}],
  ['SWS_ORIGIN_REFUSED', {}, { origin: 'https://evil.example' }],
  ['SWS_BAD_HANDSHAKE', { protocols: ['chat.v1'] }, {}],
] as const) {
  test(`${code} is the end of it: one handshake, one question, and a loop that throws`, async (t) => {
    const server = await startServer(t, {}, (app) => app.get('/ws', { websocket: true, secureWs: route }, () => {}))
    const { client, states } = watch(t, server.port, {
      credential: () => ({ ...from(server.port, headers), protocol: 'x' }),
    })
    await assert.rejects(async () => {
      for await (const _ of client);
    }, isError(code))
    await sleep(300)
    assert.deepEqual(states, [{ name: 'connecting' }, { name: 'refused', reason: code, signIn: false }])
    assert.equal(knocks(server), 1)
  })
}

test('401: signs in once, and never twice in a row', async (t) => {
  let who: Session | null = null
  const server = await startServer(t, { authenticate: () => who }, echo)
  let asked = 0
  const stays = watch(t, server.port, { signIn: () => ++asked > 0 })
  await until(() => asked === 1 && stays.states.length === 4, 'it was refused again after it signed in')
  await sleep(200)
  assert.deepEqual(
    stays.states.map(({ name }) => name),
    ['connecting', 'refused', 'connecting', 'refused'],
  )
  assert.deepEqual(stays.client.state, { name: 'refused', reason: 'SWS_UNAUTHENTICATED', signIn: true })
  assert.equal(knocks(server), 2)

  const signs = watch(t, server.port, {
    signIn: () => {
      who = { id: 's1' }
      return true
    },
  })
  await signs.reach('open')
  // Somebody else signed in meanwhile: the page says so.
  stays.client.reconnect()
  await stays.reach('open')
  assert.equal(asked, 1)
})

test('nobody to go as is a refusal without a handshake; who cannot be asked is tried later', async (t) => {
  const server = await startServer(t, {}, echo)
  const nobody = watch(t, server.port, { credential: () => null })
  await nobody.reach('refused')
  assert.equal(knocks(server), 0)
  let times = 0
  const later = watch(t, server.port, {
    credential: async () => {
      if (++times < 3) throw new Error('the network is away')
      return from(server.port)
    },
  })
  await later.reach('open')
  assert.deepEqual(
    later.states.map((state) => ('reason' in state ? state.reason : state.name)),
    ['connecting', 'credential failed', 'connecting', 'credential failed', 'connecting', 'open'],
  )
  const silent = watch(t, server.port, { credential: () => new Promise(() => {}), timeout: 40 })
  assert.equal((await silent.reach('waiting')).reason, 'credential failed')
})

test('a fresh ticket for every attempt and every question', async (t) => {
  const tickets = ticket({ load: (id) => ({ id }) })
  let allowed = false
  const server = await startServer(t, { authenticate: tickets }, (app) => {
    app.get('/ws', { websocket: true, secureWs: { authorize: () => allowed } }, () => {})
  })
  let issued = 0
  const { client, reach, states } = watch(t, server.port, {
    credential: async () => {
      issued++
      const origin = `http://127.0.0.1:${server.port}`
      return { ...(await tickets.issue({ id: 's1' }, { origin, route: '/ws' })), ...from(server.port) }
    },
  })
  // With the ticket that the handshake has spent, the answer would be 401.
  assert.deepEqual(await reach('refused'), { name: 'refused', reason: 'SWS_FORBIDDEN', signIn: false })
  assert.equal(issued, 2)
  allowed = true
  client.reconnect()
  await reach('open')
  assert.equal(issued, 3)
  assert.equal(states.length, 4)
})

test('429 and 503 wait as long as the server says, and say why', async (t) => {
  const full = await startServer(t, { limits: { connectionsPerAddress: 1 } }, echo)
  const first = watch(t, full.port)
  await first.reach('open')
  const second = watch(t, full.port)
  const { reason, retryIn } = await second.reach('waiting')
  assert.equal(reason, 'SWS_TOO_MANY_CONNECTIONS')
  const { said } = await ask(full.port)
  assert.ok(said.retryAfter >= 1_000 && retryIn >= said.retryAfter && retryIn <= said.retryAfter + 60, `${retryIn}`)
  assert.equal(knocks(full), 2)

  const down = await startServer(t, { authenticate: () => Promise.reject(new Error('down')) }, echo)
  assert.equal((await watch(t, down.port).reach('waiting')).reason, 'SWS_UNAVAILABLE')
})

async function ask(port: number) {
  const answer = await fetch(`http://127.0.0.1:${port}/ws`, { headers: { ...from(port).headers, 'secure-ws': 'why' } })
  return { said: (await answer.json()) as { retryAfter: number } }
}

test('a draining server tells each client its moment, and the client keeps to it', async (t) => {
  const server = await startServer(t, { limits: { drain: { batch: 1, every: 400, deadline: 5_000 } } }, echo)
  const clients = [1, 2, 3].map(() => watch(t, server.port, { pause: { first: 1, ceiling: 1 } }))
  await Promise.all(clients.map(({ reach }) => reach('open')))
  const drained = server.app.secureWs.drain()
  const waits = await Promise.all(clients.map(({ reach }) => reach('waiting')))
  await drained
  assert.ok(waits.every(({ reason }) => reason === 'service restart'))
  // Each has drawn another moment of at least a second.
  // One in three hundred draws has two of the same; one in a million three.
  assert.ok(new Set(waits.map(({ retryIn }) => retryIn)).size >= 2)
})

test('revoked: one more handshake, with a new credential, and not a second one', async (t) => {
  let who: Session | null = { id: 's1', userId: 'ada' }
  const server = await startServer(t, { authenticate: () => who }, echo)
  const { reach, states } = watch(t, server.port)
  await reach('open')
  who = null
  await server.app.secureWs.revoke({ userId: 'ada' })
  await reach('refused')
  await sleep(200)
  assert.deepEqual(
    states.map((state) => ('reason' in state ? state.reason : state.name)),
    ['connecting', 'open', 'unauthorized', 'connecting', 'SWS_UNAUTHENTICATED'],
  )
  assert.equal(knocks(server), 2)
})

test('a server that lets in and ends at once with 3000 is not asked for ever', async (t) => {
  const server = await startServer(t, {}, (app) => app.get('/ws', { websocket: true }, (socket) => socket.close(3000)))
  const { reach } = watch(t, server.port)
  assert.equal((await reach('refused')).signIn, true)
  await sleep(200)
  assert.equal(knocks(server), 2)
})

test('codes that say no, and codes that nobody knows, end it; those that the application has named mean what it says', async (t) => {
  const server = await startServer(t, {}, (app) =>
    app.get<{ Params: { code: string } }>('/ends/:code', { websocket: true }, (socket, { params }) => {
      socket.close(Number(params.code))
    }),
  )
  for (const code of [1000, 1003, 1008, 1009, 3003, 4001, 4999, 3999]) {
    const { states, reach } = watch(t, server.port, {}, `/ends/${code}`)
    await reach('closed')
    await sleep(80)
    assert.equal(states.length, 3, `${code}`)
    assert.equal((await reach('closed')).code, code)
  }
  const named = watch(t, server.port, { closeCodes: { 4001: 'reconnect', 1008: 'reconnect' } }, '/ends/4001')
  await until(() => named.states.filter(({ name }) => name === 'open').length > 1, 'it came back')
  const ours = watch(t, server.port, { closeCodes: { 1008: 'reconnect' } }, '/ends/1008')
  assert.equal((await ours.reach('closed')).code, 1008)
})

test('the queue has an end, and none if nobody wants one; what waited is dropped when somebody else may sign in', async (t) => {
  let who: Session | null = null
  const heard: unknown[] = []
  const server = await startServer(t, { authenticate: () => who }, (app) =>
    app.get('/ws', { websocket: true, secureWs: { receives: { say: { schema: { type: 'object' } } } } }, (socket) => {
      socket.on('say', () => void heard.push(socket.session?.id))
    }),
  )
  const { client, reach } = watch(t, server.port, { queue: 2 })
  client.send({ type: 'say' })
  const queued = assert.rejects(client.request('say', {}), isError('SWS_UNAUTHENTICATED'))
  assert.throws(() => client.send({ type: 'say' }), isError('SWS_NOT_OPEN'))
  await assert.rejects(client.request('say', {}), isError('SWS_NOT_OPEN'))
  await Promise.all([reach('refused'), queued])
  who = { id: 's1' }
  client.reconnect()
  await reach('open')
  await client.request('say', {})
  assert.equal(heard.length, 1, 'sent as somebody else')
  const none = watch(t, server.port, { queue: 0 })
  assert.throws(() => none.client.send({ type: 'say' }), isError('SWS_NOT_OPEN'))
})

test('a join that fails is no connection', async (t) => {
  const server = await startServer(t, {}, echo)
  let times = 0
  const { reach, states } = watch(t, server.port, {
    join: () => {
      if (++times < 3) throw new Error('no such room')
    },
  })
  await reach('open')
  assert.deepEqual(
    states.map((state) => ('reason' in state ? state.reason : state.name)),
    ['connecting', 'join failed', 'connecting', 'join failed', 'connecting', 'open'],
  )
})

test('a page that may not open this address at all does not try again', async (t) => {
  const { client } = watch(t, 1, { protocols: ['not a token'] })
  await until(() => client.state.name === 'closed', 'it was over')
})

test('a bearer is fetched for each attempt, and goes as a sub-protocol', async (t) => {
  const key = new Uint8Array(32).fill(7)
  const { SignJWT } = await import('jose')
  const authenticate = bearer({ key, algorithms: ['HS256'], issuer: 'i', audience: 'a' })
  const server = await startServer(t, { authenticate }, echo)
  const { reach } = watch(t, server.port, {
    credential: async () => ({
      ...from(server.port),
      token: await new SignJWT({})
        .setProtectedHeader({ alg: 'HS256' })
        .setSubject('ada')
        .setIssuer('i')
        .setAudience('a')
        .setExpirationTime('1h')
        .setIssuedAt()
        .sign(key),
    }),
  })
  await reach('open')
  assert.equal(server.app.secureWs.sockets().length, 1)
})
