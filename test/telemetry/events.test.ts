import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Duplex } from 'node:stream'
import { test } from 'node:test'
import Fastify from 'fastify'
import secureWs, { type AuditEvent, type SecureWsOptions, type Session } from '../../src/index.ts'
import { createHearing } from '../../src/telemetry/audit.ts'
import { failureOf } from '../../src/telemetry/thrown.ts'
import { openSocket } from '../harness/socket-client.ts'
import { until } from '../harness/until.ts'
import { as, type OneNode, oneNode } from '../session/one-node.ts'

/** A room for each type of message: `in` and `out` say which one. */
async function rooms(t: { after(task: () => unknown): void }, options: Partial<SecureWsOptions> = {}) {
  const node = await oneNode({ find: (id) => ({ id, userId: `user of ${id}` }), ...options })
  t.after(() => node.app.close())
  const room = { schema: { type: 'object', properties: { room: { type: 'string' } }, required: ['room'] } } as const
  node.app.get('/', { websocket: true, secureWs: { receives: { in: room, out: room } } }, (socket) => {
    socket.on('in', ({ room: name }) => socket.join(name))
    socket.on('out', ({ room: name }) => socket.leave(name))
  })
  return { ...node, url: (await node.listen())('/') }
}

const said = ({ events }: Pick<OneNode, 'events'>, ...types: string[]) =>
  events.filter(({ type }) => types.includes(type)).map(({ type, room, code }) => [type, room ?? code])

test('a join and a leave are one event each, with the room and the user; joining again is none', async (t) => {
  const node = await rooms(t)
  const ann = await openSocket(node.url, as('ann'))
  for (const [type, room] of [
    ['in', 'room:1'],
    ['in', 'room:1'],
    ['in', 'room:2'],
    ['out', 'room:1'],
    ['out', 'room:1'],
  ]) {
    ann.send({ type, room, id: type })
  }
  await until(() => ann.heard.length === 5, 'five answers')
  assert.deepEqual(said(node, 'room.joined', 'room.left', 'room.refused'), [
    ['room.joined', 'room:1'],
    ['room.joined', 'room:2'],
    ['room.left', 'room:1'],
  ])
  const joined = node.events.find(({ type }) => type === 'room.joined')
  assert.equal(joined?.user, 'user of ann')
  assert.equal(joined.route, '/')
  assert.match(joined.session ?? '', /^[0-9a-f]{16}$/)
  await ann.close()
})

test('BR-06 LG-01 a refused join is an event with its code, and never with the name that was refused', async (t) => {
  const node = await rooms(t, { limits: { roomsPerSocket: 1 } })
  const ann = await openSocket(node.url, as('ann'))
  ann.send({ type: 'in', room: 'room:1', id: 1 })
  ann.send({ type: 'in', room: 'room:2', id: 2 })
  ann.send({ type: 'in', room: 'evil\nline', id: 3 })
  await until(() => ann.heard.length === 3, 'three answers')
  assert.deepEqual(said(node, 'room.joined', 'room.refused'), [
    ['room.joined', 'room:1'],
    ['room.refused', 'SWS_TOO_MANY_ROOMS'],
    ['room.refused', 'SWS_BAD_ROOM'],
  ])
  assert.doesNotMatch(JSON.stringify(node.events.filter(({ type }) => type === 'room.refused')), /evil/)
  await ann.close()
})

test('a session that ends by time, or that its store forgets, is expired; a revoked one is revoked, and not expired', async (t) => {
  const expiresAt = Date.now() + 60_000
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() })
  const known = new Map<string, Session>([
    ['time', { id: 'time', expiresAt }],
    ['store', { id: 'store' }],
    ['revoked', { id: 'revoked' }],
  ])
  const node = await oneNode({
    find: (id) => known.get(id) ?? null,
    revalidateBy: ({ id }) => known.has(id),
    session: { revalidateEvery: 200 },
  })
  t.after(() => node.app.close())
  node.app.get('/', { websocket: true }, (socket) => void socket.on('message', () => {}))
  const url = (await node.listen())('/')
  const [byTime, byStore, byUs] = await Promise.all(['time', 'store', 'revoked'].map((id) => openSocket(url, as(id))))
  await node.app.secureWs.revoke({ sessionId: 'revoked' })
  known.delete('store')
  t.mock.timers.setTime(expiresAt)
  assert.deepEqual([await byTime?.closed, await byStore?.closed, await byUs?.closed], [3000, 3000, 3000])
  const ended = node.events.filter(({ type }) => type === 'session.expired').map(({ reason }) => reason)
  assert.deepEqual(ended.sort(), ['the session expired', 'the session is over'])
  assert.equal(node.events.filter(({ type }) => type === 'session.revoked').length, 1)
})

test('a socket whose client breaks the protocol has failed, with the code of ws; one that closes has not', async (t) => {
  const node = await rooms(t)
  const broken = await openSocket(node.url, as('broken'))
  const wire: Duplex = Reflect.get(broken.socket, '_socket')
  // RSV1 without an extension that gives it a meaning (RFC 6455 section 5.2).
  wire.write(Buffer.from([0xc1, 0x80, 0, 0, 0, 0]))
  await broken.closed
  const polite = await openSocket(node.url, as('polite'))
  await polite.close()
  await until(() => node.events.filter(({ type }) => type === 'socket.closed').length === 2, 'both sockets have closed')
  const failed = node.events.filter(({ type }) => type === 'socket.failed')
  assert.deepEqual(
    failed.map(({ code, user }) => [code, user]),
    [['WS_ERR_UNEXPECTED_RSV_1', 'user of broken']],
  )
  assert.match(failed[0]?.reason ?? '', /RSV1/)
})

test('what an application puts into an error is not in the event; whatever it is, there is one', () => {
  const own = Object.assign(new Error('the password is tiger'), { code: 'E_TIGER secret' })
  assert.deepEqual(failureOf(own), { reason: 'Error' })
  assert.deepEqual(failureOf(Object.assign(new Error('read of tiger'), { code: 'ECONNRESET' })), {
    code: 'ECONNRESET',
    reason: 'Error',
  })
  const hostile = new Proxy(new Error('x'), {
    get() {
      throw new Error('no')
    },
  })
  assert.deepEqual(failureOf(hostile), { reason: 'object' })
  assert.deepEqual(failureOf(null), { reason: 'object' })
})

test('nobody is told of a join where there is no log, no function and no subscriber; a subscriber hears it at once', async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  await app.register(secureWs, { authenticate: false, allowMissingOrigin: true })
  app.get('/', { websocket: true }, (socket) => {
    socket.on('message', (room) => {
      socket.join(String(room))
      socket.send('joined')
    })
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const heard: AuditEvent[] = []
  const listener = (event: unknown) => void heard.push(event as AuditEvent)
  t.after(() => unsubscribe('fastify-secure-ws:audit', listener))
  const address = app.server.address()
  const url = `ws://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/`
  const { WebSocket } = await import('ws')
  const socket = new WebSocket(url)
  let answers = 0
  socket.on('message', () => {
    answers++
  })
  await new Promise((resolve) => socket.once('open', resolve))
  socket.send('room:1')
  await until(() => answers === 1, 'the first answer')
  subscribe('fastify-secure-ws:audit', listener)
  socket.send('room:2')
  await until(() => answers === 2, 'the second answer')
  assert.deepEqual(
    heard.map(({ type, room }) => [type, room]),
    [['room.joined', 'room:2']],
  )
  socket.terminate()
})

test('a logger, a function or a subscriber is somebody; an application without a logger is not', async () => {
  const silent = Fastify()
  const logging = Fastify({ logger: { level: 'info', stream: { write() {} } } })
  assert.equal(createHearing({ logger: silent.log })(), false)
  assert.equal(createHearing({ logger: logging.log })(), true)
  assert.equal(createHearing({ logger: silent.log, listener() {} })(), true)
  await Promise.all([silent.close(), logging.close()])
})
