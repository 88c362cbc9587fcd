import assert from 'node:assert/strict'
import type { Duplex } from 'node:stream'
import { test } from 'node:test'
import Fastify, { type FastifyRequest } from 'fastify'
import secureWs, { type AuditEvent, type Bus, fromRequest, type Session, ticket } from '../../src/index.ts'
import { openSocket } from '../harness/socket-client.ts'
import { until } from '../harness/until.ts'
import { publicSurface } from '../house/api.ts'
import { textOf } from '../house/source-files.ts'

/** A bus that starts, and then takes nothing any more. */
function failingBus(): Bus {
  return {
    name: 'failing',
    dangerouslyUnsigned: true,
    subscribe: async () => async () => {},
    publish: () => Promise.reject(new Error('the wire is cut')),
    close: async () => {},
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
  await app.register(secureWs, {
    authenticate: [ticket(), fromRequest(find, { ambient: false, revalidate })],
    allowMissingOrigin: true,
    bus: failingBus(),
    enforce: { fetchMetadata: 'report', until: new Date(Date.now() + 86_400_000).toISOString() },
    limits: { roomsPerSocket: 1, drain: { deadline: 500 }, memoryBytes: 5_000_000 },
    session: { revalidateEvery: 200 },
  })
  const text = { schema: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] } } as const
  const secure = {
    receives: { join: text, leave: text, post: text, fail: text },
    slowReader: 'drop',
    limits: { outboundBytes: 1_000 },
  } as const
  app.get('/all', { websocket: true, secureWs: secure }, (socket) => {
    socket.on('join', ({ text: room }) => socket.join(room, room === 'brief' ? { until: Date.now() + 1 } : {}))
    socket.on('leave', ({ text: room }) => socket.leave(room))
    socket.on('post', ({ text: body }) => socket.send(body.repeat(1_000)))
    socket.on('fail', () => {
      throw new Error('a listener of the test')
    })
  })
  const much = { limits: { outboundBytes: 100_000_000 } } as const
  app.get('/much', { websocket: true, secureWs: much }, (socket) => socket.send('x'.repeat(30_000_000)))
  app.post('/ticket', (request) => app.secureWs.issueTicket(request, { route: '/all' }))
  await app.listen({ host: '127.0.0.1', port: 0 })
  const address = app.server.address()
  const port = typeof address === 'object' ? address?.port : undefined
  const origin = `http://127.0.0.1:${port}`
  const as = (session: Session) => {
    known.set(session.id, session)
    return { headers: { 'x-session': session.id, origin } }
  }
  return { app, lines, as, origin, url: `ws://127.0.0.1:${port}/all` }
}

test('docs/events.md: each event is made on a real socket, with the level and the fields of its row, and no row is of another', async (t) => {
  const { app, lines, as, origin, url } = await decisions(t)
  const user = { userId: 'ann' }

  const talks = await openSocket(url, as({ id: 'talks', ...user }))
  const say = (type: string, body: unknown) => talks.send({ type, text: body })
  say('join', 'room:1')
  say('join', 'room:2')
  say('leave', 'room:1')
  say('join', 'brief')
  say('post', 'more than the client has read')
  say('fail', 'x')
  say('post', 7)
  await until(() => talks.heard.filter(({ type }) => type === 'error').length === 3, 'three errors')

  await assert.rejects(openSocket(url, { headers: { origin, 'x-session': 'nobody' } }))
  const tried = await openSocket(url, { headers: { ...as({ id: 'tried' }).headers, 'sec-fetch-mode': 'cors' } })
  await tried.close()
  const deaf = await openSocket(url.replace('/all', '/much'), as({ id: 'deaf' }))
  Reflect.get(deaf.socket, '_socket').pause()
  await until(() => lines.some(({ audit }) => audit?.type === 'server.overloaded'), 'too much waited')
  deaf.socket.terminate()
  await fetch(url.replace('ws:', 'http:'), { headers: { origin, 'x-session': 'nobody', 'secure-ws': 'why' } })
  const issued = await fetch(`${origin}/ticket`, { method: 'POST', headers: as({ id: 'talks', ...user }).headers })
  assert.equal(issued.status, 200)
  app.secureWs.to('room:1').send('to the other nodes')
  const asked = await openSocket(url, as({ id: 'asked', ...user }))
  const ends = await openSocket(url, as({ id: 'ends', ...user, expiresAt: Date.now() + 1_500 }))
  const broken = await openSocket(url, as({ id: 'broken', ...user }))
  const wire: Duplex = Reflect.get(broken.socket, '_socket')
  wire.write(Buffer.from([0xc1, 0x80, 0, 0, 0, 0]))
  await Promise.all([broken.closed, ends.closed])
  await until(() => lines.some(({ audit }) => audit?.type === 'session.revalidation-failed'), 'the store was asked')
  await until(
    () => lines.some(({ audit }) => audit?.room === 'brief' && audit.reason !== undefined),
    'a grant has ended',
  )
  await app.secureWs.revoke({ sessionId: 'talks' })
  await app.secureWs.revoke({ userId: 'ann' })
  await Promise.all([talks.closed, asked.closed])
  const silent = await openSocket(url, as({ id: 'silent' }))
  Reflect.get(silent.socket, '_socket').pause()
  await app.secureWs.drain()
  silent.socket.terminate()

  const seen = new Map<string, { levels: Set<string>; fields: Set<string> }>()
  for (const { level, audit } of lines) {
    if (audit === undefined) continue
    const { levels, fields } = seen.get(audit.type) ?? { levels: new Set(), fields: new Set() }
    seen.set(audit.type, { levels: levels.add(levelNames.get(level) ?? String(level)), fields })
    for (const field of Object.keys(audit)) if (!['type', 'at', 'suppressed'].includes(field)) fields.add(field)
  }
  const made = [...seen].map(([type, { levels, fields }]) => [type, [...levels].join(), [...fields].sort().join(', ')])

  const rows = [...textOf('docs/events.md').matchAll(/^\| `([\w.-]+)` \| (\w+) \| [^|]* \| ([^|]*) \|$/gm)]
  const written = rows.map(([, type, level, fields = '']) => [
    type,
    level,
    [...fields.matchAll(/`(\w+)`/g)]
      .map(([, field]) => field)
      .sort()
      .join(', '),
  ])
  const byType = (a: unknown[], b: unknown[]) => String(a[0]).localeCompare(String(b[0]))
  assert.deepEqual(written.sort(byType), made.sort(byType))

  const union = publicSurface().exported.find(({ name }) => name === 'AuditType')?.signature ?? ''
  const types = [...union.matchAll(/'([\w.-]+)'/g)].map(([, type]) => type)
  assert.deepEqual(types.sort(), [...seen.keys()].sort(), 'each type of AuditType was made')
})
