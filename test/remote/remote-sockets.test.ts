import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, before, test } from 'node:test'
import { WebSocket } from 'ws'
import { type NodeProcess, startNode } from '../harness/node-process.ts'
import { type RedisServer, startRedis } from '../harness/redis.ts'
import { type SocketClient, statusOf } from '../harness/socket-client.ts'
import { until } from '../harness/until.ts'
import { as, oneNode } from '../session/one-node.ts'

// Two processes and a real Redis: what one node asks of the sockets of the other.
const secret = 'a secret of two nodes, 32 bytes.'

let redis: RedisServer
let nodes: readonly [NodeProcess, NodeProcess]
let clients: SocketClient[] = []

before(async () => {
  redis = await startRedis()
  const config = { redis: { url: redis.url, channel: 'shop', secret, leaseTtl: 6_000 } }
  nodes = await Promise.all([startNode(config), startNode(config)])
})
after(async () => {
  await Promise.all(nodes.map((node) => node.close()))
  await redis.close()
})
test.afterEach(async () => {
  await Promise.all(clients.map((client) => client.close()))
  clients = []
  for (const node of nodes) await until(async () => (await node.call('sockets')).length === 0, 'all are closed')
})

async function open(node: NodeProcess, session: string, ...rooms: readonly string[]): Promise<SocketClient> {
  const client = await node.open(session, ...rooms)
  clients.push(client)
  return client
}

const wasTold = (client: SocketClient, room: string) =>
  client.heard.some((message) => message.type === 'left' && message.room === room)

test('allSockets: every node answers about its own, of somebody or of all', async () => {
  const [near, far] = nodes
  await Promise.all([open(near, 'ann.1'), open(far, 'ann.1'), open(far, 'ann.2'), open(far, 'bob.1')])
  const users = async (of?: { userId?: string; sessionId?: string }) =>
    (await near.call('allSockets', of)).map(({ userId }) => userId).sort()
  // Who does not say within two seconds which sockets it has is a gap, which a busy machine makes.
  await until(async () => (await users().catch(() => [])).length === 4, 'both have answered')
  assert.deepEqual(await users(), ['ann', 'ann', 'ann', 'bob'])
  assert.deepEqual(await users({ userId: 'ann' }), ['ann', 'ann', 'ann'])
  assert.deepEqual(await users({ sessionId: 'ann.1' }), ['ann', 'ann'])
  assert.deepEqual(await users({ userId: 'an' }), [])
  const [socket] = await near.call('allSockets', { userId: 'bob' })
  assert.deepEqual([socket?.route, socket?.address, socket?.session?.length], ['/chat', '127.0.0.1', 16])
  assert.deepEqual([socket?.id], await far.call('sockets', { userId: 'bob' }))
  assert.ok(!JSON.stringify(await near.call('allSockets')).includes('ann.1'))
})

test('kick: out of one room on both nodes, and nobody else, nor out of another room', async () => {
  const [near, far] = nodes
  const [here, there, other] = await Promise.all([
    open(near, 'ann.1', 'a', 'b'),
    open(far, 'ann.2', 'a', 'b'),
    open(far, 'bob.1', 'a'),
  ])
  assert.deepEqual(await near.call('kick', { userId: 'ann' }, 'a'), { here: 1, told: true })
  await until(() => wasTold(here, 'a') && wasTold(there, 'a'), 'both were told')
  const members = async (room: string) => (await near.call('members', room)).map(({ userId }) => userId).sort()
  // What the other node has told Redis may be a moment behind what its client was told.
  await until(async () => (await members('a')).join() === 'bob', 'only bob is in the room')
  await until(async () => (await members('b')).join() === 'ann,ann', 'ann is in the other one')
  assert.deepEqual([here.code, there.code, other.code, wasTold(other, 'a')], [undefined, undefined, undefined, false])
  const events = (await far.call('events')).filter(({ type }) => type === 'room.left')
  assert.deepEqual(
    events.map(({ room, reason, user }) => [room, reason, user]),
    [['a', 'kicked', 'ann']],
  )
  // One socket, named by its id, from the node that has not got it; and one session.
  const [id = ''] = await far.call('sockets', { userId: 'bob' })
  assert.deepEqual(await near.call('kick', { socket: id }, 'a'), { here: 0, told: true })
  await until(() => wasTold(other, 'a'), 'the one socket was told')
  await far.call('kick', { sessionId: 'ann.1' }, 'b')
  await until(() => wasTold(here, 'b'), 'the session was told')
  assert.ok(!wasTold(there, 'b'))
})

test('close: one socket, on whichever node it is, with a code and a reason', async () => {
  const [near, far] = nodes
  const [one, two] = await Promise.all([open(far, 'ann.1'), open(far, 'ann.1')])
  const [id = ''] = await far.call('sockets', { userId: 'ann' })
  assert.deepEqual(await near.call('closeSocket', id, 4001, 'elsewhere'), { here: 0, told: true })
  await until(() => [one, two].some(({ code }) => code !== undefined), 'one is closed')
  assert.deepEqual([one.code, two.code].sort(), [4001, undefined])
  const ended = (await far.call('events')).filter(({ type, socket }) => type === 'socket.closed' && socket === id)
  assert.deepEqual(
    ended.map(({ code }) => code),
    [4001],
  )
  const [left = ''] = await far.call('sockets', { userId: 'ann' })
  assert.deepEqual(await far.call('closeSocket', left), { here: 1, told: true })
  await until(() => one.code !== undefined && two.code !== undefined, 'both are closed')
})

// A room joined in NFC and sent to in NFD: the topic was made of the name as it was written.
test('BR-06: one room in two spellings is one room, on the other node as well', async () => {
  const [near, far] = nodes
  const member = await open(far, 'ann.1', 'caf\u00e9')
  await until(async () => {
    await near.call('send', ['cafe\u0301'], { type: 'hello' })
    return member.heard.some(({ type }) => type === 'hello')
  }, 'it was heard')
})

test('a node that was killed: no list with a gap, until it is forgotten; while Redis is away, nobody is told', async () => {
  const [near] = nodes
  const third = await startNode({ redis: { url: redis.url, channel: 'shop', secret, leaseTtl: 8_000 } })
  await open(third, 'eve.1')
  assert.equal((await near.call('allSockets', { userId: 'eve' })).length, 1)
  await third.kill()
  clients = clients.filter(({ code }) => code === undefined)
  await assert.rejects(near.call('allSockets', { userId: 'eve' }), /SWS_UNAVAILABLE/)
  await until(async () => {
    const found = await near.call('allSockets', { userId: 'eve' }).catch(() => undefined)
    return found?.length === 0
  }, 'it is forgotten')
  await redis.stop()
  await until(async () => !(await near.call('kick', { userId: 'eve' }, 'a')).told, 'the kick says so')
  assert.equal((await near.call('closeSocket', 'x'.repeat(22))).told, false)
  await assert.rejects(near.call('allSockets'), /SWS_UNAVAILABLE/)
  await redis.start()
  await until(async () => (await near.call('kick', { userId: 'eve' }, 'a')).told, 'it is back')
})

test('refused nonsense: it says so, and hits nobody', async (t) => {
  const node = await oneNode({ find: (id) => ({ id, userId: id }) })
  t.after(() => node.app.close())
  node.app.get('/', { websocket: true }, (socket) => void socket.on('message', () => {}))
  assert.equal(await statusOf((await node.listen())('/'), as('ann')), 101)
  const { secureWs } = node.app
  const wrong = [
    {},
    { userId: '' },
    { userId: 'a', sessionId: 'b' },
    { socket: 'short' },
    { userId: '\ud800' },
    { userId: 7 },
  ]
  for (const whom of wrong) {
    await assert.rejects(secureWs.kick(whom as { userId: string }, 'a'), { code: 'SWS_BAD_SUBJECT' })
  }
  await assert.rejects(secureWs.kick({ userId: 'ann' }, '\u0001nodes'), { code: 'SWS_BAD_ROOM' })
  for (const subject of [{ userId: '' }, { userId: 'a', sessionId: 'b' }, { sessionId: 7 }]) {
    await assert.rejects(secureWs.allSockets(subject as { userId: string }), { code: 'SWS_BAD_SUBJECT' })
  }
  const id = 'x'.repeat(22)
  for (const socket of ['', 'ann', 7, undefined]) {
    await assert.rejects(secureWs.close(socket as string), { code: 'SWS_BAD_SUBJECT' })
  }
  for (const code of [1005, 1006, 999, 5_000, 1000.5, '1000']) {
    await assert.rejects(secureWs.close(id, code as number), { code: 'SWS_BAD_OPTION' })
  }
  await assert.rejects(secureWs.close(id, 1000, 'x'.repeat(124)), { code: 'SWS_BAD_OPTION' })
  // Nobody else listens on a bus of this process: there is nobody to tell.
  assert.deepEqual(await secureWs.close(id), { here: 0, told: true })
  assert.deepEqual(await secureWs.kick({ userId: 'ann' }, 'a'), { here: 0, told: true })
  assert.deepEqual(await secureWs.allSockets({ userId: 'bob' }), [])
})

test('an application without a bus of its own answers for its sockets and rooms, and asks nobody', async (t) => {
  const node = await oneNode({ find: (id) => ({ id, userId: id }) })
  t.after(() => node.app.close())
  node.app.get('/', { websocket: true }, (socket) => {
    socket.join('a')
    socket.on('message', () => {})
  })
  const socket = new WebSocket((await node.listen())('/'), as('ann'))
  t.after(() => socket.terminate())
  await once(socket, 'open')
  const { secureWs } = node.app
  await until(async () => (await secureWs.members('a')).length === 1, 'it is a member')
  const [listed] = await secureWs.allSockets({ userId: 'ann' })
  assert.deepEqual(await secureWs.members('a'), [{ socket: listed?.id, userId: 'ann' }])
  assert.deepEqual(await secureWs.allSockets({ userId: 'bob' }), [])
  socket.terminate()
  await until(async () => (await secureWs.members('a')).length === 0, 'it has left')
  assert.deepEqual(await secureWs.allSockets(), [])
})
