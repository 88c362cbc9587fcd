import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SignJWT } from 'jose'
import { bearer, memoryTickets, type Session, ticket } from '../../src/index.ts'
import fc from '../harness/fast-check.ts'
import { openSocket, type SocketClient } from '../harness/socket-client.ts'
import { until } from '../harness/until.ts'
import { as, oneNode } from './one-node.ts'

// Class S1: the application's session object is live, and may be anything at any moment.

/** Sets a member of the session, over whatever the last one did to it. */
const member = (name: string, how: PropertyDescriptor) => (session: object) =>
  Object.defineProperty(session, name, { ...how, configurable: true })

const harm: readonly ((session: Record<string, unknown>) => unknown)[] = [
  member('userId', { value: 42 }),
  member('userId', { value: 'somebody else' }),
  member('id', { value: null }),
  member('id', { value: '\ud800' }),
  member('tokenId', { value: { toString: () => 'x' } }),
  (session) => Reflect.deleteProperty(session, 'id'),
  member('expiresAt', { value: 'never' }),
  member('authenticatedAt', { value: Number.NaN }),
  member('userId', { get: () => assert.fail('read again') }),
]
const steps = fc.array(
  fc.record({
    who: fc.nat(3),
    what: fc.constantFrom('harm', 'hang up', 'revoke', 'sockets', 'reauthorize', 'join'),
    how: fc.nat(harm.length - 1),
    by: fc.constantFrom('sessionId', 'userId', 'tokenId'),
  }),
  { minLength: 1, maxLength: 12 },
)

test('S1 a session changed in place at random moments: who was let in is found, closed and forgotten', async (t) => {
  const live = new Map<string, Record<string, unknown>>()
  const node = await oneNode({
    find: (id) => {
      const session = { id, userId: `u ${id}`, tokenId: `t ${id}` }
      live.set(id, session)
      return session
    },
    revalidateBy: () => true,
  })
  t.after(() => node.app.close())
  node.app.get('/', { websocket: true, secureWs: { authorize: () => true } }, (socket) => {
    socket.on('message', () => socket.join('lobby'))
  })
  const url = (await node.listen())('/')
  let round = 0
  await fc.assert(
    fc.asyncProperty(steps, async (script) => {
      const names = [0, 1, 2, 3].map((number) => `${round}.${number}`)
      round++
      const clients = new Map<string, SocketClient>()
      for (const name of names) clients.set(name, await openSocket(url, as(name)))
      const gone = new Set<string>()
      const { secureWs } = node.app
      for (const { who, what, how, by } of script) {
        const name = names[who] ?? ''
        const subject = { sessionId: name, userId: `u ${name}`, tokenId: `t ${name}` }
        const client = clients.get(name)
        if (what === 'harm') harm[how]?.(live.get(name) ?? {})
        else if (what === 'join') client?.send({ type: 'join' })
        else if (what === 'reauthorize') secureWs.reauthorize({ userId: subject.userId })
        else if (what === 'sockets') {
          const found = secureWs.sockets({ userId: subject.userId })
          assert.equal(found.length, gone.has(name) ? 0 : 1, `sockets() of ${name}`)
        } else if (what === 'hang up') {
          await client?.close()
          if (!gone.has(name)) await until(() => secureWs.sockets({ sessionId: name }).length === 0, `${name} has left`)
          gone.add(name)
        } else {
          const { closed } = await secureWs.revoke({ [by]: subject[by] } as { sessionId: string })
          assert.equal(closed, gone.has(name) ? 0 : 1, `closed by ${by} of ${name}`)
          if (closed === 1) assert.equal(await client?.closed, 3000)
          gone.add(name)
        }
      }
      for (const name of names) if (!gone.has(name)) assert.equal(clients.get(name)?.code, undefined, `${name} stays`)
      await Promise.all([...clients.values()].map((client) => client.close()))
      await until(() => node.app.secureWs.stats().connections === 0, 'everything was given back')
      const { sockets, rooms, sessions, users } = secureWs.stats()
      assert.deepEqual([sockets, rooms, sessions, users], [0, 0, 0, 0])
    }),
    { numRuns: 40 },
  )
})

test('S1 a token is refreshed for whom it was accepted, whatever the session object says by now', async (t) => {
  const key = 'a secret of this test, of 32 bytes or more'
  const tokenOf = (subject: string, count: number) =>
    new SignJWT({ sid: 'one', jti: `${subject} ${count}` })
      .setProtectedHeader({ alg: 'HS256' })
      .setIssuer('us')
      .setAudience('chat')
      .setSubject(subject)
      .setIssuedAt()
      .setExpirationTime('1m')
      .sign(new TextEncoder().encode(key))
  const live: Record<string, unknown>[] = []
  const own = (claims: { sid?: unknown; sub?: string }) => ({ id: String(claims.sid), userId: claims.sub ?? '' })
  for (const session of [undefined, own]) {
    const node = await oneNode({
      find: () => null,
      authenticate: bearer({
        key,
        algorithms: ['HS256'],
        issuer: 'us',
        audience: 'chat',
        ...(session && { session }),
      }),
    })
    t.after(() => node.app.close())
    const say = { schema: { type: 'object', properties: {} } } as const
    node.app.get('/', { websocket: true, secureWs: { receives: { say } } }, (socket) => {
      live.push(socket.session as { [name in keyof Session]: unknown } as Record<string, unknown>)
      socket.on('say', () => {})
    })
    const url = (await node.listen())('/')
    for (const change of harm) {
      const open = async () =>
        openSocket(url, { headers: { authorization: `Bearer ${await tokenOf('ann', live.length)}` } })
      const [kept, taken] = [await open(), await open()]
      for (const found of live.splice(0)) change(found)
      kept.send({ type: 'refresh', id: 'r', token: await tokenOf('ann', 100) })
      assert.equal((await kept.hear('reply')).id, 'r')
      // Near miss: the object says that it is somebody else, and a token of somebody else comes.
      taken.send({ type: 'refresh', id: 'r', token: await tokenOf('somebody else', 101) })
      assert.equal(await taken.closed, 3000)
      assert.equal(kept.code, undefined)
      await kept.close()
    }
  }
})

// Class S2: how to ask again travels with the connection; a store may answer with a fresh object each time.

test('S2 a ticket, a store of fresh rows: a session deleted after the 101 is over, another one stays', async (t) => {
  const rows = new Map<string, Session>([
    ['s1', { id: 's1', userId: 'ann' }],
    ['s2', { id: 's2', userId: 'bob' }],
  ])
  let asked = 0
  const row = (id: string): Session | null => {
    asked++
    const found = rows.get(id)
    return found === undefined ? null : { ...found }
  }
  const tickets = ticket({
    store: memoryTickets(),
    issueFor: {
      name: 'rows',
      ambient: false,
      authenticate: ({ headers }) => row(String(headers['x-session'])),
      revalidate: ({ id }) => row(id),
    },
  })
  const node = await oneNode({ find: () => null, authenticate: tickets, session: { revalidateEvery: 40 } })
  t.after(() => node.app.close())
  node.app.post('/ticket', (request) => node.app.secureWs.issueTicket(request, { route: '/' }))
  node.app.get('/', { websocket: true }, (socket) => void socket.on('message', () => {}))
  const url = (await node.listen())('/')
  const open = async (id: string) => {
    const answer = await node.app.inject({ method: 'POST', url: '/ticket', headers: { 'x-session': id } })
    return openSocket(url, { headers: { 'x-session': id, 'sec-websocket-protocol': answer.json().protocol } })
  }
  const [one, two] = [await open('s1'), await open('s2')]
  asked = 0
  rows.delete('s1')
  assert.equal(await one.closed, 3000)
  assert.ok(asked > 0)
  assert.equal(two.code, undefined)
  await two.close()
})
