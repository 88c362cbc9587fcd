import assert from 'node:assert/strict'
import type { Duplex } from 'node:stream'
import { test } from 'node:test'
import type { Worker } from 'node:worker_threads'
import Fastify, { type FastifyRequest } from 'fastify'
import { WebSocketServer } from 'ws'
import secureWs, {
  type AuditEvent,
  type AuditType,
  type Bus,
  fromRequest,
  type Session,
  ticket,
} from '../../src/index.ts'
import { controlTopic } from '../../src/relay/bus.ts'
import { sealEnvelope } from '../../src/relay/envelope.ts'
import { denialOf } from '../../src/session/denials.ts'
import { auditEvents } from '../../src/telemetry/events.ts'
import { openSocket } from '../harness/socket-client.ts'
import { until } from '../harness/until.ts'

/** A bus that starts, then takes nothing any more, and on which somebody else can speak. */
function failingBus() {
  const topics = new Map<string, (payload: string) => void>()
  const told = new Set<(state: 'up' | 'down') => void>()
  const bus: Bus = {
    name: 'failing',
    dangerouslyUnsigned: true,
    subscribe: async (topic, deliver) => {
      topics.set(topic, deliver)
      return async () => void topics.delete(topic)
    },
    publish: () => Promise.reject(new Error('the wire is cut')),
    onState(listener) {
      told.add(listener)
      return () => told.delete(listener)
    },
    close: async () => {},
  }
  return {
    bus,
    hear: (payload: string) => topics.get(controlTopic)?.(payload),
    state(state: 'up' | 'down') {
      for (const listener of told) listener(state)
    },
  }
}

interface Line {
  readonly level: number
  readonly audit?: AuditEvent
}

const levelNames = new Map([
  [30, 'info'],
  [40, 'warn'],
  [50, 'error'],
])

/** The next document that a worker of the sanitizer gets is its last. */
function breakSanitizer(t: { after(task: () => unknown): void }) {
  const workers: Worker[] = []
  const note = (worker: Worker) => workers.push(worker)
  process.on('worker', note)
  t.after(() => process.off('worker', note))
  return () => {
    for (const worker of workers) {
      // Without the document, which the worker could have answered before its end.
      worker.postMessage = () => void worker.terminate()
    }
  }
}

/** An application in which each kind of decision can be had on a real socket; all its log lines about events. */
async function decisions(t: { after(task: () => unknown): void }) {
  const lines: Line[] = []
  const stream = { write: (line: string) => void lines.push(JSON.parse(line)) }
  const app = Fastify({ logger: { level: 'info', stream } })
  t.after(() => app.close())
  const known = new Map<string, Session>()
  const find = ({ headers }: FastifyRequest) => known.get(String(headers['x-session'])) ?? null
  const revalidate = ({ id }: Session): boolean => {
    if (id === 'asked') throw new Error('the store is away')
    return true
  }
  const wire = failingBus()
  const named = fromRequest(find, { ambient: false, revalidate })
  await app.register(secureWs, {
    authenticate: [ticket(), { ...named, refresh: (session, token) => (token === 'good' ? { ...session } : null) }],
    allowMissingOrigin: true,
    bus: wire.bus,
    enforce: { authorize: 'report', until: new Date(Date.now() + 86_400_000).toISOString() },
    limits: { roomsPerSocket: 1, drain: { deadline: 500 }, memoryBytes: 5_000_000, refusals: { perMinute: 1_000 } },
    session: { revalidateEvery: 200 },
    sanitize: { inputBytes: 1_000 },
  })
  const text = { schema: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] } } as const
  const markup = { type: 'string', contentMediaType: 'text/html' } as const
  const html = { schema: { type: 'object', properties: { text: markup }, required: ['text'] } } as const
  const secure = {
    receives: {
      join: text,
      ask: text,
      leave: text,
      lose: text,
      post: text,
      fail: text,
      pay: { ...text, replay: { window: 60_000 } },
      erase: { ...text, freshAuth: 60_000 },
      rule: { ...text, authorize: () => false },
      html,
    },
    slowReader: 'drop',
    enforce: { messageAuthorize: 'report' },
    limits: { outboundBytes: 1_000 },
  } as const
  app.get('/all', { websocket: true, secureWs: secure }, (socket) => {
    socket.on('join', ({ text: room }) => socket.join(room, room === 'brief' ? { until: Date.now() + 500 } : {}))
    socket.on('ask', async ({ text: room }) => void (await socket.join(room, { authorize: () => false })))
    socket.on('lose', () => {
      socket.send(new Blob(['read later']))
      socket.terminate()
    })
    socket.on('leave', ({ text: room }) => socket.leave(room))
    socket.on('post', ({ text: body }) => socket.send(body.repeat(1_000)))
    socket.on('fail', () => {
      throw new Error('a listener of the test')
    })
    for (const type of ['pay', 'erase', 'rule', 'html'] as const) socket.on(type, () => {})
  })
  const much = { limits: { outboundBytes: 100_000_000 } } as const
  app.get('/much', { websocket: true, secureWs: much }, (socket) => socket.send('x'.repeat(30_000_000)))
  app.get('/one', { websocket: true, secureWs: { limits: { connectionsPerSession: 1 } } }, () => {})
  app.get('/no', { websocket: true, secureWs: { authorize: () => false } }, () => {})
  app.post('/ticket', (request) => app.secureWs.issueTicket(request, { route: '/all' }))
  const other = new WebSocketServer({ noServer: true })
  app.server.on('upgrade', (request, socket, head) => {
    const [path] = request.url?.split('?') ?? []
    if (path === '/other/throws') throw new Error('the server behind the guard')
    if (path === '/other') other.handleUpgrade(request, socket, head, () => {})
  })
  app.secureWs.guard('/other')
  await app.listen({ host: '127.0.0.1', port: 0 })
  const address = app.server.address()
  const port = typeof address === 'object' ? address?.port : undefined
  const origin = `http://127.0.0.1:${port}`
  const as = (session: Session) => {
    known.set(session.id, session)
    return { headers: { 'x-session': session.id, origin } }
  }
  return { app, lines, as, origin, wire, at: (path: string) => `ws://127.0.0.1:${port}${path}` }
}

test('each event of the catalogue is made on a real socket, with its level and its fields, and no others are', async (t) => {
  const breakTheSanitizer = breakSanitizer(t)
  const { app, lines, as, origin, wire, at } = await decisions(t)
  const url = at('/all')
  const user = { userId: 'ann' }
  const audited = (type: AuditType, more: (event: AuditEvent) => boolean = () => true) =>
    lines.some(({ audit }) => audit?.type === type && more(audit))
  const seen = (type: AuditType, more?: (event: AuditEvent) => boolean) => until(() => audited(type, more), type)

  const talks = await openSocket(url, as({ id: 'talks', ...user }))
  const say = (type: string, body: unknown, more = {}) => talks.send({ type, text: body, ...more })
  say('join', 'room:1')
  say('join', 'room:2')
  say('ask', 'room:1')
  say('leave', 'room:1')
  say('ask', 'room:3')
  say('join', 'brief')
  say('post', 'more than the client has read')
  say('fail', 'x')
  say('post', 7)
  say('pay', 'x', { nonce: '12345678', at: 0 })
  say('erase', 'x')
  say('rule', 'x')
  say('html', `<b>${'x'.repeat(2_000)}</b>`)
  await until(() => talks.heard.filter(({ type }) => type === 'error').length === 6, 'six errors')
  breakTheSanitizer()
  say('html', '<b>short</b>')
  await seen('sanitizer.failed')

  await assert.rejects(openSocket(url, { headers: { origin, 'x-session': 'nobody' } }))
  const tried = await openSocket(at('/no'), as({ id: 'tried', ...user }))
  const alone = await openSocket(at('/one'), as({ id: 'alone', ...user }))
  await assert.rejects(openSocket(at('/one'), as({ id: 'alone', ...user })))
  const deaf = await openSocket(at('/much'), as({ id: 'deaf' }))
  Reflect.get(deaf.socket, '_socket').pause()
  await seen('server.overloaded')
  deaf.socket.terminate()
  await fetch(url.replace('ws:', 'http:'), { headers: { origin, 'x-session': 'nobody', 'secure-ws': 'why' } })
  const issued = await fetch(`${origin}/ticket`, { method: 'POST', headers: as({ id: 'talks', ...user }).headers })
  assert.equal(issued.status, 200)
  const behind = await openSocket(at('/other'), as({ id: 'behind', ...user }))
  await assert.rejects(openSocket(at('/other/throws'), as({ id: 'behind', ...user })))

  const fresh = await openSocket(url, as({ id: 'fresh', ...user }))
  fresh.send({ type: 'refresh', id: 1, token: 'good' })
  await fresh.hear('reply')
  fresh.send({ type: 'refresh', id: 2, token: 'stolen' })
  assert.equal(await fresh.closed, 3000)

  const loses = await openSocket(url, as({ id: 'loses', ...user }))
  loses.send({ type: 'lose', text: 'x' })
  await loses.closed

  const asked = await openSocket(url, as({ id: 'asked', ...user }))
  const ends = await openSocket(url, as({ id: 'ends', ...user, expiresAt: Date.now() + 4_000 }))
  const broken = await openSocket(url, as({ id: 'broken', ...user }))
  const stream: Duplex = Reflect.get(broken.socket, '_socket')
  stream.write(Buffer.from([0xc1, 0x80, 0, 0, 0, 0]))
  await Promise.all([broken.closed, ends.closed])
  await seen('session.revalidation-failed')
  await seen('room.left', ({ room, reason }) => room === 'brief' && reason !== undefined)

  // Others speak on the bus, and this node cannot.
  const denied = await openSocket(at('/no'), as({ id: 'elsewhere' }))
  const now = Date.now()
  const denial = denialOf('session', 'elsewhere', now, now + 60_000)
  const message = { kind: 'identity', verb: 'close', subjects: [denial] } as const
  wire.hear(sealEnvelope(controlTopic, { node: 'another', sequence: 1, at: now, message }, undefined))
  assert.equal(await denied.closed, 3000)
  wire.hear('nobody has sealed this')
  wire.state('down')
  app.secureWs.to('room:1').send('to the other nodes')
  await seen('relay.failed')
  wire.state('up')
  await seen('relay.recovered')

  const { secureWs: decides } = app
  const [{ id = '' } = {}] = decides.sockets({ sessionId: 'talks' })
  for (const whom of [{ userId: 'ann' }, { sessionId: 'talks' }, { socket: id }]) await decides.kick(whom, 'room:9')
  await decides.close('A'.repeat(22))
  for (const whom of [{ userId: 'ann' }, { sessionId: 'talks' }, { tokenId: 't' }]) {
    decides.reauthorize(whom)
    await decides.revoke(whom)
  }
  await Promise.all([talks, asked, tried, alone, behind].map(({ closed }) => closed))
  await seen('stream.closed')
  const silent = await openSocket(url, as({ id: 'silent' }))
  Reflect.get(silent.socket, '_socket').pause()
  await decides.drain()
  silent.socket.terminate()

  const made = new Map<string, { levels: Set<string>; fields: Set<string> }>()
  for (const { level, audit } of lines) {
    if (audit === undefined) continue
    const { levels, fields } = made.get(audit.type) ?? { levels: new Set(), fields: new Set() }
    made.set(audit.type, { levels: levels.add(levelNames.get(level) ?? String(level)), fields })
    for (const field of Object.keys(audit)) if (!['type', 'at', 'suppressed'].includes(field)) fields.add(field)
  }
  const byType = (a: unknown[], b: unknown[]) => String(a[0]).localeCompare(String(b[0]))
  assert.deepEqual(
    [...made]
      .map(([type, { levels, fields }]) => [type, [...levels].join(), [...fields].sort().join(', ')])
      .sort(byType),
    Object.entries(auditEvents)
      .map(([type, { level, fields }]) => [type, level, [...fields].sort().join(', ')])
      .sort(byType),
  )
})
