import assert from 'node:assert/strict'
import { createSecretKey, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { SignJWT } from 'jose'
import { bearer, type Session, ticket } from '../../src/index.ts'
import { openSocket, RefusedHandshake, type SocketClient } from '../harness/socket-client.ts'
import { until } from '../harness/until.ts'
import { as, type OneNode, oneNode } from './one-node.ts'

const sessionOf = (id: string): Session => ({ id, userId: id.split('.')[0] ?? id })
const quick = { revalidateEvery: 100 }
const reasonsOf = ({ events }: OneNode) =>
  events.flatMap(({ type, reason }) => (type === 'socket.closed' ? [reason] : []))

async function silentNode(options: Parameters<typeof oneNode>[0], t: { after(task: () => unknown): void }) {
  const node = await oneNode(options)
  t.after(() => node.app.close())
  node.app.get('/', { websocket: true }, (socket) => void socket.on('message', () => {}))
  return { ...node, url: (await node.listen())('/') }
}

test('SE-04 expiresAt closes a silent listener with 3000, after the grace and not before', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() })
  for (const expiryGrace of [0, 400]) {
    const node = await silentNode(
      {
        find: (id) => ({ ...sessionOf(id), expiresAt: Number(id.split('.')[1]) }),
        session: { expiryGrace },
        limits: { partialMessage: 400 },
      },
      t,
    )
    const expiresAt = Date.now() + 60_000
    const [ends, stays] = [
      await openSocket(node.url, as(`ann.${expiresAt}`)),
      await openSocket(node.url, as('bob.9999999999999')),
    ]
    t.mock.timers.setTime(expiresAt + expiryGrace - 1)
    // For some visits of the sweep.
    await new Promise((resolve) => setTimeout(resolve, 400))
    assert.equal(ends.code, undefined)
    t.mock.timers.setTime(expiresAt + expiryGrace)
    assert.equal(await ends.closed, 3000)
    assert.equal(stays.code, undefined)
    await stays.close()
  }
})

test('CS-8 a session that is gone from the store closes with 3000 at the next revalidation; another one stays', async (t) => {
  const gone = new Set<string>()
  const node = await silentNode({ find: sessionOf, revalidateBy: ({ id }) => !gone.has(id), session: quick }, t)
  const [ann, bob] = [await openSocket(node.url, as('ann.1')), await openSocket(node.url, as('bob.1'))]
  gone.add('ann.1')
  assert.equal(await ann.closed, 3000)
  assert.equal(bob.code, undefined)
  assert.deepEqual(reasonsOf(node), ['the session is over'])
  await bob.close()
})

test('a store that fails three times in a row closes with 1013 and is audited; one that recovers in between does not', async (t) => {
  const asked = { 'ann.1': 0, 'bob.1': 0 }
  const node = await silentNode(
    {
      find: sessionOf,
      revalidateBy({ id }) {
        const count = ++asked[id as keyof typeof asked]
        if (id === 'ann.1' || count % 3 !== 0) throw new Error('the store is away')
        return true
      },
      session: quick,
    },
    t,
  )
  const [ann, bob] = [await openSocket(node.url, as('ann.1')), await openSocket(node.url, as('bob.1'))]
  assert.equal(await ann.closed, 1013)
  assert.equal(asked['ann.1'], 3)
  await until(() => asked['bob.1'] >= 9, 'bob was asked for again and again')
  assert.equal(bob.code, undefined, 'two failures and an answer, three times over')
  assert.ok(node.events.filter(({ type }) => type === 'session.revalidation-failed').length >= 9)
  assert.deepEqual(reasonsOf(node), ['revalidation failed 3 times in a row'])
  await bob.close()
})

test('the store is asked for at most 32 sockets at once', async (t) => {
  let open = 0
  let most = 0
  let answered = 0
  const answers: (() => void)[] = []
  const node = await silentNode(
    {
      find: sessionOf,
      revalidateBy: async () => {
        most = Math.max(most, ++open)
        await new Promise<void>((resolve) => answers.push(resolve))
        open--
        answered++
        return true
      },
      session: quick,
    },
    t,
  )
  const clients = await Promise.all(Array.from({ length: 60 }, (_, index) => openSocket(node.url, as(`u${index}.1`))))
  await until(() => answers.length === 32, '32 questions are open')
  // Time for one more, if there were to be one.
  await new Promise((resolve) => setTimeout(resolve, 300))
  assert.equal(answers.length, 32)
  const answering = setInterval(() => {
    for (const answer of answers.splice(0)) answer()
  }, 5)
  await until(() => answered >= 60 || most > 32, 'they are answered')
  assert.equal(most, 32)
  await Promise.all(clients.map((client) => client.close()))
  clearInterval(answering)
  for (const answer of answers) answer()
})

test('SE-16 the route is asked again at revalidation and by reauthorize: 3003; a question without an answer is asked again', async (t) => {
  const forbidden = new Set<string>()
  let failures = 0
  for (const session of [quick, {}]) {
    const node = await oneNode({ find: sessionOf, session })
    t.after(() => node.app.close())
    const secureWs = {
      authorize: async (asked: Session | null) => {
        if (asked?.userId === 'cid' && failures-- > 0) throw new Error('away')
        return !forbidden.has(asked?.userId ?? '')
      },
    }
    node.app.get('/', { websocket: true, secureWs }, (socket) => void socket.on('message', () => {}))
    const url = (await node.listen())('/')
    forbidden.clear()
    failures = 0
    const [ann, bob, cid] = [
      await openSocket(url, as('ann.1')),
      await openSocket(url, as('bob.1')),
      await openSocket(url, as('cid.1')),
    ]
    forbidden.add('ann')
    failures = 2
    for (const userId of ['ann', 'bob', 'cid']) node.app.secureWs.reauthorize({ userId })
    assert.equal(await ann.closed, 3003)
    assert.equal(bob.code, undefined)
    assert.equal(cid.code, undefined)
    await Promise.all([bob.close(), cid.close()])
  }
})

test('a room whose grant ends, by time or by its own question, is left with a notice, and the socket stays', async (t) => {
  let allowed = true
  const node = await oneNode({ find: sessionOf })
  t.after(() => node.app.close())
  node.app.get('/', { websocket: true }, (socket) => {
    socket.on('message', () => {})
    socket.join('timed', { until: Date.now() + 200 })
    socket.join('asked', { authorize: async () => allowed })
    socket.join('plain')
  })
  const client = await openSocket((await node.listen())('/'), as('ann.1'))
  await until(() => client.heard.length === 1, 'the time was over')
  assert.deepEqual(client.heard, [{ type: 'left', room: 'timed' }])
  node.app.secureWs.reauthorize({ userId: 'ann' })
  await new Promise((resolve) => setTimeout(resolve, 50))
  assert.equal(client.heard.length, 1, 'the near miss: allowed')
  allowed = false
  node.app.secureWs.reauthorize({ userId: 'ann' })
  await until(() => client.heard.length === 2, 'the answer was no')
  assert.deepEqual(client.heard[1], { type: 'left', room: 'asked' })
  for (const room of ['timed', 'asked', 'plain']) node.app.secureWs.to(room).send({ type: 'to', room })
  await client.hear('to')
  assert.deepEqual(client.heard.slice(2), [{ type: 'to', room: 'plain' }])
  assert.equal(client.code, undefined)
  await client.close()
})

test('CS-11 a refreshed token keeps the rooms and the socket; one of another subject ends it with 3000', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() })
  const key = createSecretKey(randomBytes(32))
  const token = (subject: string, seconds: number) =>
    new SignJWT({ jti: `${subject} ${seconds}` })
      .setProtectedHeader({ alg: 'HS256' })
      .setIssuer('us')
      .setAudience('chat')
      .setSubject(subject)
      .setIssuedAt()
      .setExpirationTime(Math.floor(Date.now() / 1_000) + seconds)
      .sign(key)
  const node = await oneNode({
    find: () => null,
    authenticate: bearer({ key, algorithms: ['HS256'], issuer: 'us', audience: 'chat', clockTolerance: 0 }),
  })
  t.after(() => node.app.close())
  const say = { schema: { type: 'object', properties: {} } }
  node.app.get('/', { websocket: true, secureWs: { receives: { say } } }, (socket) => {
    socket.join('lobby')
    socket.on('say', () => {})
  })
  const url = (await node.listen())('/')
  const connect = async (subject: string, seconds: number) =>
    openSocket(url, { headers: { authorization: `Bearer ${await token(subject, seconds)}` } })
  const [kept, lapsed, other] = [await connect('ann', 60), await connect('ann', 60), await connect('bob', 600)]
  kept.send({ type: 'refresh', id: 'r', token: await token('ann', 601) })
  assert.equal((await kept.hear('reply')).id, 'r')
  t.mock.timers.setTime(Date.now() + 60_000)
  assert.equal(await lapsed.closed, 3000, 'its token was over')
  assert.equal(kept.code, undefined)
  node.app.secureWs.to('lobby').send({ type: 'hello' })
  await kept.hear('hello')
  // Whoever revokes the new token must find the socket.
  await node.app.secureWs.revoke({ tokenId: 'ann 601' })
  assert.equal(await kept.closed, 3000)
  other.send({ type: 'refresh', id: 'r', token: await token('mallory', 600) })
  assert.equal(await other.closed, 3000)
  assert.equal(
    other.heard.some(({ type }) => type === 'reply'),
    false,
  )
})

test('sockets({ userId }) and ({ sessionId }) list who is here; a socket that has gone is not listed', async (t) => {
  const node = await silentNode({ find: sessionOf }, t)
  const clients = await Promise.all(['ann.1', 'ann.2', 'bob.1'].map((id) => openSocket(node.url, as(id))))
  const { secureWs } = node.app
  assert.equal(secureWs.sockets({ userId: 'ann' }).length, 2)
  assert.deepEqual(
    secureWs.sockets({ sessionId: 'ann.2' }).map(({ session, route }) => [session?.id, route]),
    [['ann.2', '/']],
  )
  assert.equal(secureWs.sockets().length, 3)
  await clients[0]?.close()
  await until(() => secureWs.sockets({ userId: 'ann' }).length === 1, 'one is left')
  await Promise.all(clients.map((client) => client.close()))
})

test('perMember drops for some and says another thing to others, with one process', async (t) => {
  const node = await oneNode({ find: sessionOf })
  t.after(() => node.app.close())
  node.app.get('/', { websocket: true }, (socket) => {
    socket.join('lobby')
    socket.on('message', () => {})
  })
  const url = (await node.listen())('/')
  const clients = await Promise.all(['ann.1', 'bob.1', 'cid.1'].map((id) => openSocket(url, as(id))))
  node.app.secureWs.to('lobby').send(
    { type: 'salary', of: 'ann', amount: 1 },
    {
      perMember: (session, message) => {
        if (session?.userId === 'ann') return message
        return session?.userId === 'bob' ? { type: 'salary', of: 'ann' } : undefined
      },
    },
  )
  node.app.secureWs.to('lobby').send({ type: 'end' })
  await Promise.all(clients.map((client) => client.hear('end')))
  assert.deepEqual(
    clients.map(({ heard }) => heard.slice(0, -1)),
    [[{ type: 'salary', of: 'ann', amount: 1 }], [{ type: 'salary', of: 'ann' }], []],
  )
  await Promise.all(clients.map((client) => client.close()))
})

test('SE-09 two redeems of one ticket at once, 1,000 rounds on one node: one socket each', async (t) => {
  const tickets = ticket({ load: sessionOf })
  const node = await oneNode({ find: () => null, authenticate: tickets })
  t.after(() => node.app.close())
  let opened = 0
  node.app.get('/', { websocket: true }, (socket) => {
    opened++
    socket.on('message', () => {})
  })
  const url = (await node.listen())('/')
  const refused = async (opening: Promise<SocketClient>): Promise<void> => {
    const error = await opening.then((client) => client.close()).catch((failure: unknown) => failure)
    if (error instanceof RefusedHandshake) assert.equal(error.status, 401)
  }
  let rest = 1_000
  const worker = async (): Promise<void> => {
    while (rest-- > 0) {
      const { protocol } = await tickets.issue(sessionOf(`u${rest}.1`), { origin: null, route: '/' })
      await Promise.all([0, 1].map(() => refused(openSocket(url, { protocols: [protocol] }))))
    }
  }
  await Promise.all(Array.from({ length: 8 }, worker))
  assert.equal(opened, 1_000)
})
