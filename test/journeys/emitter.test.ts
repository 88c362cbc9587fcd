import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createEmitter, type Emitter, memoryBus, redisBus, SecureWsError } from '../../src/index.ts'
import { type NodeProcess, startNode } from '../harness/node-process.ts'
import { type RedisServer, startRedis } from '../harness/redis.ts'
import type { SocketClient } from '../harness/socket-client.ts'
import { openSocket } from '../harness/socket-client.ts'
import { until } from '../harness/until.ts'
import { as, oneNode } from '../session/one-node.ts'

// A process without a server (this one) among two that have sockets, and a real Redis.
const secret = 'a secret of the emitters, 32 bytes'

let redis: RedisServer
let nodes: readonly [NodeProcess, NodeProcess]
let emitter: Emitter
let clients: SocketClient[] = []

const busOf = (own = secret) => redisBus({ url: redis.url, channel: 'shop', secret: own })

before(async () => {
  redis = await startRedis()
  const shop = { redis: { url: redis.url, channel: 'shop', secret } }
  nodes = await Promise.all([startNode(shop), startNode(shop)])
  emitter = createEmitter({ bus: busOf() })
})
after(async () => {
  await emitter.close()
  await Promise.all(nodes.map((node) => node.close()))
  await redis.close()
})
test.afterEach(async () => {
  await Promise.all(clients.map((client) => client.close()))
  clients = []
})

async function open(node: NodeProcess, session: string, ...rooms: readonly string[]): Promise<SocketClient> {
  const client = await node.open(session, ...rooms)
  clients.push(client)
  return client
}

const ofType = (client: SocketClient, type: string) => client.heard.filter((message) => message.type === type)

/** Joining does not wait for Redis: what is said until every member has heard something proves nothing. */
async function settled(room: string, members: readonly SocketClient[]): Promise<void> {
  await until(async () => {
    await emitter.to(room).send({ type: 'settle' })
    return members.every((member) => ofType(member, 'settle').length > 0)
  }, `every member of ${room} was heard`)
}

const code = (expected: string) => (error: unknown) => error instanceof SecureWsError && error.code === expected

test('the first word of a process reaches every member on every node, encoded there', async () => {
  const [a, b] = nodes
  const members = [await open(a, 'ann.1', 'lobby'), await open(b, 'bob.1', 'lobby')]
  await settled('lobby', members)
  const first = createEmitter({ bus: busOf() })
  await first.to('lobby').send({ type: 'notice', text: '<b>' })
  for (const member of members) assert.equal((await member.hear('notice')).text, '&lt;b&gt;')
  await first.close()
})

test('two rooms and a socket left out: each gets it once, in the order of the calls', async () => {
  const [a, b] = nodes
  const both = await open(a, 'cid.1', 'red', 'blue')
  const blue = await open(b, 'dan.1', 'blue')
  const out = await open(b, 'eve.1', 'red', 'blue')
  await settled('red', [both, out])
  await settled('blue', [both, blue, out])
  const id = (await b.call('sockets', { userId: 'eve' }))[0] ?? ''
  const audience = emitter.to('red').to('blue')
  await Promise.all(Array.from({ length: 50 }, (_, number) => audience.except({ id }).send({ type: 'number', number })))
  await audience.send({ type: 'end' })
  await Promise.all([both, blue, out].map((client) => client.hear('end')))
  const numbers = Array.from({ length: 50 }, (_, number) => number)
  assert.deepEqual(
    ofType(both, 'number').map(({ number }) => number),
    numbers,
  )
  assert.equal(ofType(blue, 'number').length, 50)
  assert.deepEqual([ofType(out, 'number').length, ofType(out, 'end').length], [0, 1])
})

test('SE-07 a revocation closes on every node, is kept for one that starts later, and spares everybody else', async (t) => {
  const [a, b] = nodes
  for (const [session, subject] of [
    ['fay.1', { sessionId: 'fay.1' }],
    ['gus.1', { userId: 'gus' }],
    ['hal.1', { tokenId: 'token of hal.1' }],
  ] as const) {
    const [near, far, other] = [await open(a, session), await open(b, session), await open(b, 'ida.1')]
    await emitter.revoke(subject)
    assert.deepEqual([await near.closed, await far.closed], [3000, 3000])
    assert.equal(other.code, undefined, 'the near miss: another session stays')
    await other.close()
  }
  await emitter.revoke({ userId: 'joe' }, { until: Date.now() + 60_000 })
  const late = await startNode({ redis: { url: redis.url, channel: 'shop', secret } })
  t.after(() => late.close())
  assert.equal(await late.status('fay.1'), 401)
  assert.equal(await late.status('joe.7', { headers: { 'x-authenticated-at': String(Date.now()) } }), 401, 'a ban')
  assert.equal(await late.status('ida.1'), 101)
})

test('SE-16 reauthorize asks again where the sockets are, and kick takes them out of one room', async () => {
  const [a, b] = nodes
  const [kim, leo] = [await open(a, 'kim.1'), await open(b, 'leo.1', 'hall')]
  await settled('hall', [leo])
  await a.call('forbid', 'kim')
  await emitter.reauthorize({ userId: 'kim' })
  assert.equal(await kim.closed, 3003)
  await emitter.kick({ userId: 'leo' }, 'hall')
  assert.equal((await leo.hear('left')).room, 'hall')
  assert.equal(leo.code, undefined)
})

test('BR-04 words signed with another secret do nothing, and neither does a forged revocation that is stored', async () => {
  const [a, b] = nodes
  const [max, nan] = [await open(a, 'max.1', 'vault'), await open(b, 'nan.1', 'vault')]
  await settled('vault', [max, nan])
  await Promise.all(nodes.map((node) => node.call('events')))
  const stranger = createEmitter({ bus: busOf('another secret of somebody, 32 by') })
  await stranger.to('vault').send({ type: 'forged' })
  await stranger.kick({ userId: 'max' }, 'vault')
  await stranger.revoke({ userId: 'max' })
  await stranger.close()
  await until(
    async () =>
      (await a.call('events')).some(
        ({ type, reason }) => String(type).startsWith('relay.') && /signature/.test(String(reason)),
      ),
    'the node said that it refused them',
  )
  await emitter.to('vault').send({ type: 'real' })
  await Promise.all([max, nan].map((client) => client.hear('real')))
  assert.deepEqual([ofType(max, 'forged').length, ofType(max, 'left').length, max.code], [0, 0, undefined])
})

test('S5 nothing resolves that was not done: Redis away, no store, closed, and mistakes of the caller', async () => {
  const away = await startRedis()
  const lost = createEmitter({ bus: redisBus({ url: away.url, channel: 'shop', secret }) })
  await lost.to('lobby').send({ type: 'x' })
  await away.close()
  const calls = (one: Emitter) => [
    () => one.to('lobby').send({ type: 'x' }),
    () => one.revoke({ userId: 'ann' }),
    () => one.reauthorize({ userId: 'ann' }),
    () => one.kick({ userId: 'ann' }, 'lobby'),
  ]
  for (const call of calls(lost)) await assert.rejects(call, code('SWS_UNAVAILABLE'))
  await lost.close()
  for (const call of calls(lost)) await assert.rejects(call, code('SWS_CLOSED'))
  await lost.close()

  const { stores: _, ...bare } = memoryBus()
  await assert.rejects(createEmitter({ bus: bare }).revoke({ userId: 'ann' }), code('SWS_UNAVAILABLE'))
  await assert.rejects(emitter.revoke({ userId: 'ann' }, { until: 1_700_000_000 }), code('SWS_BAD_OPTION'))
  for (const subject of [{ userId: '' }, { userId: 'a', sessionId: 'b' }, {}] as never[]) {
    await assert.rejects(emitter.revoke(subject), code('SWS_BAD_SUBJECT'))
    await assert.rejects(emitter.reauthorize(subject), code('SWS_BAD_SUBJECT'))
    await assert.rejects(emitter.kick(subject, 'lobby'), code('SWS_BAD_SUBJECT'))
  }
  assert.throws(() => emitter.to('\u0001nodes'), code('SWS_BAD_ROOM'))
  await assert.rejects(emitter.kick({ userId: 'ann' }, '\u0001nodes'), code('SWS_BAD_ROOM'))
  for (const how of [{ encode: 'htm' }, { latest: '' }] as never[]) {
    await assert.rejects(emitter.to('lobby').send({ type: 'x' }, how), code('SWS_BAD_OPTION'))
  }
  await assert.rejects(
    emitter.to('lobby').send({ type: 'x' }, { perMember: () => 1 } as never),
    code('SWS_NOT_ENCODABLE'),
  )
  for (const message of [undefined, () => 1, { a: 1n }, new Blob([])]) {
    await assert.rejects(emitter.to('lobby').send(message), code('SWS_NOT_ENCODABLE'))
  }
})

test('createEmitter refuses what is no bus, a bus that does not sign, and options that are none', () => {
  const { name: _, ...unsigned } = memoryBus()
  for (const options of [
    undefined,
    {},
    { bus: {} },
    { bus: { ...unsigned, name: 'own' } },
    { bus: memoryBus(), maxAge: 1 },
    { bus: memoryBus(), secret: 'x' },
  ] as never[]) {
    assert.throws(() => createEmitter(options), code('SWS_BAD_OPTION'))
  }
})

test('in the process of an application both share a bus, which closes with the last of them', async () => {
  const bus = memoryBus()
  let closes = 0
  const shared = {
    ...bus,
    close() {
      closes++
      return bus.close()
    },
  }
  const { app, listen } = await oneNode({ find: (id) => ({ id, userId: id }), bus: shared })
  app.get('/room', { websocket: true }, (socket) => socket.join('room'))
  const client = await openSocket((await listen())('/room'), as('ann'))
  const inside = createEmitter({ bus: shared })
  await inside.to('room').send({ type: 'hello' })
  await client.hear('hello')
  await inside.close()
  assert.equal(closes, 0)
  await app.secureWs.revoke({ userId: 'ann' })
  assert.equal(await client.closed, 3000)
  await app.close()
  assert.equal(closes, 1)
})
