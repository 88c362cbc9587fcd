import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { AuditEvent, Authenticator, Session } from '../../src/index.ts'
import { createReauthorized } from '../../src/revocation/reauthorized.ts'
import { answerWithin } from '../../src/session/question.ts'
import { openSocket, type SocketClient, statusOf } from '../harness/socket-client.ts'
import { until } from '../harness/until.ts'
import { as, type OneNodeOptions, oneNode } from './one-node.ts'

// What the application is asked after the 101 has a deadline, a place that comes back, an order, and a closed meaning.

const plain = (id: string): Session => ({ id, userId: id.split('.')[0] ?? id })
const silence = () => new Promise<never>(() => {})
const reasonsOf = (events: readonly AuditEvent[]) =>
  events.flatMap(({ type, code, reason }) => (type === 'socket.closed' ? [`${code} ${reason}`] : []))

async function started(t: { after(end: () => unknown): void }, options: OneNodeOptions, authorize?: () => unknown) {
  const node = await oneNode(options)
  t.after(() => node.app.close())
  const secureWs = authorize === undefined ? {} : { authorize: authorize as () => boolean }
  node.app.get('/', { websocket: true, secureWs }, (socket) => void socket.on('message', () => {}))
  const url = (await node.listen())('/')
  return { ...node, url }
}

const closeAll = (clients: readonly SocketClient[]) => Promise.all(clients.map((client) => client.close()))

test('S4 40 look-ups that hang keep nobody from being asked, and `reauthorize` goes first', async (t) => {
  const forbidden = new Set<string>()
  const node = await oneNode({
    find: plain,
    revalidateBy: ({ id }) => (id.startsWith('hung') ? silence() : true),
    limits: { lookup: 60_000 },
    session: { revalidateEvery: 50 },
  })
  t.after(() => node.app.close())
  const secureWs = { authorize: (session: Session | null) => !forbidden.has(session?.userId ?? '') }
  node.app.get('/', { websocket: true, secureWs }, (socket) => void socket.on('message', () => {}))
  const url = (await node.listen())('/')
  const hung = await Promise.all(Array.from({ length: 40 }, (_, n) => openSocket(url, as(`hung${n}.1`))))
  await sleep(300)
  const [ann, bob] = [await openSocket(url, as('ann.1')), await openSocket(url, as('bob.1'))]
  forbidden.add('ann')
  node.app.secureWs.reauthorize({ userId: 'ann' })
  assert.equal(await ann.closed, 3003)
  assert.equal(bob.code, undefined)
  await closeAll([...hung, bob])
})

test('S4 a store that stays silent is 1013 after three questions, "no" is 3000, and whose answer comes stays', async (t) => {
  const { url, events } = await started(t, {
    find: plain,
    revalidateBy: ({ id }) => (id === 'ann.1' ? silence() : id !== 'cid.1'),
    limits: { lookup: 40 },
    session: { revalidateEvery: 100 },
  })
  const [ann, bob, cid] = await Promise.all(['ann.1', 'bob.1', 'cid.1'].map((id) => openSocket(url, as(id))))
  assert.equal(await ann?.closed, 1013)
  assert.equal(await cid?.closed, 3000)
  assert.equal(bob?.code, undefined)
  const failed = events.filter(({ type }) => type === 'session.revalidation-failed')
  assert.deepEqual(
    failed.map(({ reason }) => reason),
    ['SilentApplicationError', 'SilentApplicationError', 'SilentApplicationError'],
  )
  assert.deepEqual(reasonsOf(events).sort(), ['1013 revalidation failed 3 times in a row', '3000 the session is over'])
  await bob?.close()
})

test('S4 a room whose question nobody answers is left, and the others of that socket are asked all the same', async (t) => {
  const node = await oneNode({ find: plain, limits: { lookup: 400 } })
  t.after(() => node.app.close())
  let stays = 0
  const yesThenSilent = () => {
    let asked = 0
    return () => (asked++ === 0 ? true : silence())
  }
  const joining: unknown[] = []
  node.app.get('/', { websocket: true }, (socket) => {
    for (let n = 0; n < 20; n++) joining.push(socket.join(`silent ${n}`, { authorize: yesThenSilent() }))
    joining.push(socket.join('answered', { authorize: () => ++stays > 0 }))
    socket.on('message', () => {})
  })
  const client = await openSocket((await node.listen())('/'), as('ann.1'))
  assert.deepEqual(new Set(await Promise.all(joining)), new Set([true]))
  const since = performance.now()
  node.app.secureWs.reauthorize({ userId: 'ann' })
  await until(() => client.heard.filter(({ type }) => type === 'left').length === 20, 'the silent rooms were left')
  // One deadline for all of them, not one after the other (20 times 400 ms).
  assert.ok(performance.now() - since < 6_000)
  assert.equal(stays, 2)
  assert.equal((await node.app.secureWs.members('answered')).length, 1)
  await client.close()
})

test('S4 a token that nobody can judge is 1013, one that is judged and no good is 3000', async (t) => {
  let answer: () => Session | null | Promise<Session | null> = () => null
  const tokens: Authenticator = {
    name: 'tokens',
    ambient: false,
    authenticate: ({ headers }) => plain(String(headers['x-session'])),
    refresh: () => answer(),
  }
  const node = await oneNode({ find: () => null, authenticate: tokens, limits: { lookup: 40 } })
  t.after(() => node.app.close())
  const say = { schema: { type: 'object', properties: {} } }
  node.app.get('/', { websocket: true, secureWs: { receives: { say } } }, (socket) => void socket.on('say', () => {}))
  const url = (await node.listen())('/')
  const closedBy = async (how: typeof answer) => {
    answer = how
    const client = await openSocket(url, as('ann.1'))
    client.send({ type: 'refresh', token: 'a.b.c' })
    return client.closed
  }
  assert.equal(await closedBy(silence), 1013)
  assert.equal(await closedBy(() => assert.fail('the key set is away')), 1013)
  assert.equal(await closedBy(async () => assert.fail('the key set is away')), 1013)
  assert.equal(await closedBy(() => null), 3000)
  assert.equal(await closedBy(() => plain('bob.1')), 3000)
})

test('S9 rights taken away while a handshake is under way: the socket asks again, and another one does not', async (t) => {
  let allowed = true
  let asked = 0
  const { url, app } = await started(t, { find: plain }, async () => {
    const answer = allowed
    asked++
    if (asked === 1) {
      // The answer is from before, and comes after.
      allowed = false
      app.secureWs.reauthorize({ userId: 'ann' })
      await sleep(20)
    }
    return answer
  })
  const ann = await openSocket(url, as('ann.1'))
  assert.equal(await ann.closed, 3003)
  assert.equal(asked, 2)
  allowed = true
  const bob = await openSocket(url, as('bob.1'))
  await sleep(50)
  assert.equal(asked, 3)
  assert.equal(bob.code, undefined)
  await bob.close()
})

test('a session that was renewed over HTTP outlives its old end; one that was not is closed with 3000', async (t) => {
  const ends = new Map<string, number>()
  const row = (id: string): Session => ({ ...plain(id), expiresAt: ends.get(id) ?? 0 })
  const { url } = await started(t, { find: row, revalidateBy: ({ id }) => row(id) })
  for (const id of ['ann.1', 'bob.1']) ends.set(id, Date.now() + 6_000)
  const [ann, bob] = [await openSocket(url, as('ann.1')), await openSocket(url, as('bob.1'))]
  ends.set('ann.1', Date.now() + 60_000)
  assert.equal(await bob.closed, 3000)
  await sleep(200)
  assert.equal(ann.code, undefined)
  await ann.close()
})

test('a store that is away before the end does not keep a session alive beyond it', async (t) => {
  const { url } = await started(t, {
    find: (id) => ({ ...plain(id), expiresAt: Date.now() + 1_500 }),
    revalidateBy: silence,
  })
  const ann = await openSocket(url, as('ann.1'))
  assert.equal(await ann.closed, 3000)
  assert.equal(await statusOf(url, as('bob.1')), 101)
})

test('answerWithin: an answer in time, a throw, a rejection, silence', async () => {
  assert.equal(await answerWithin(1_000, () => 7), 7)
  assert.equal(await answerWithin(1_000, async () => 7), 7)
  await assert.rejects(
    answerWithin(1_000, () => {
      throw new TypeError('no')
    }),
    TypeError,
  )
  await assert.rejects(
    answerWithin(1_000, () => Promise.reject(new RangeError('no'))),
    RangeError,
  )
  const alive = setTimeout(() => {}, 1_000)
  await assert.rejects(answerWithin(5, silence), { name: 'SilentApplicationError' })
  clearTimeout(alive)
})

test('whose rights changed is remembered within bounds, and forgetting errs to asking once more', () => {
  const reauthorized = createReauthorized(3)
  reauthorized.note('user:a', 100)
  assert.equal(reauthorized.isStale({ keys: ['session:x', 'user:a'] }, 100), true)
  assert.equal(reauthorized.isStale({ keys: ['session:x', 'user:a'] }, 101), false)
  assert.equal(reauthorized.isStale({ keys: ['user:b'] }, 50), false)
  for (const [at, name] of ['b', 'c', 'd'].entries()) reauthorized.note(`user:${name}`, 200 + at)
  assert.equal(
    reauthorized.isStale({ keys: ['user:a'] }, 100),
    true,
    'forgotten for want of room: everybody from then asks again',
  )
  assert.equal(reauthorized.isStale({ keys: ['user:zoe'] }, 101), false)
  reauthorized.note('user:e', 1_000_000)
  assert.equal(reauthorized.isStale({ keys: ['user:d'] }, 202), false, 'no handshake is that old')
})
