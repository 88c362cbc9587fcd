import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { test } from 'node:test'
import { metrics } from '@opentelemetry/api'
import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics'
import Fastify from 'fastify'
import secureWs, { type AuditEvent, fromRequest } from '../../src/index.ts'
import { isEmpty } from '../harness/server.ts'
import { openSocket } from '../harness/socket-client.ts'
import { until } from '../harness/until.ts'

class Reader extends MetricReader {
  async onForceFlush() {}
  async onShutdown() {}
}

/** A line break, a terminal's escape, an override of the reading direction, a line of a log, and the secret behind it. */
const hostile = (name: string) => `\r\n\u001b[2J\u202e{"level":60,"msg":"owned"}${name}CANARY`

// ASVS 16.4.1, 16.2.5: an attacker with a good session writes whatever a socket takes; no sink may show a message, and each
// line must stay one. What happens before the 101 is in test/journeys/handshake-logs.test.ts.
test('LG-01 LG-03 nothing that a client writes on an open socket comes to a log, an event, a metric or another client as it was', async (t) => {
  const lines: string[] = []
  const heard: AuditEvent[] = []
  const published: unknown[] = []
  const collect = (event: unknown) => published.push(event)
  subscribe('fastify-secure-ws:audit', collect)
  const reader = new Reader()
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }))
  t.after(() => {
    unsubscribe('fastify-secure-ws:audit', collect)
    metrics.disable()
  })

  const logger = { level: 'trace', stream: { write: (line: string) => void lines.push(line) } }
  const app = Fastify({ logger, disableRequestLogging: true })
  t.after(() => app.close())
  const found = ({ headers }: { headers: Record<string, unknown> }) =>
    headers['x-session'] === 'SESSIONCANARY' ? { id: 'SESSIONCANARY', userId: 'ada', tokenId: 'TOKENCANARY' } : null
  await app.register(secureWs, {
    authenticate: fromRequest((request) => found(request), { ambient: false }),
    audit: (event) => heard.push(event),
    limits: { refusals: { perMinute: 1_000 } },
  })
  const text = { schema: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] } } as const
  const secure = { receives: { join: text, fail: text, forbidden: { ...text, authorize: () => false }, quiet: text } }
  app.get('/ws', { websocket: true, secureWs: secure }, (socket) => {
    socket.on('join', ({ text: room }) => socket.join(room))
    socket.on('fail', () => {
      // As drivers do: the session's own id in the text of the error.
      throw new Error(`no row for session SESSIONCANARY, token=TOKENCANARY\r\n{"level":60}`)
    })
    socket.on('forbidden', () => {})
  })
  app.get('/raw', { websocket: true }, (socket) => socket.on('message', () => {}))
  const url = (await app.listen({ host: '127.0.0.1', port: 0 })).replace('http', 'ws')
  const headers = { 'x-session': 'SESSIONCANARY', origin: url.replace('ws', 'http') }
  const other = await openSocket(`${url}/ws`, { headers })
  const client = await openSocket(`${url}/ws`, { headers })

  const sent: readonly object[] = [
    { type: 'join', text: hostile('room') },
    { type: 'join', text: 7, [hostile('key')]: hostile('value') },
    { type: 'fail', text: hostile('field') },
    { type: 'forbidden', text: hostile('forbidden') },
    { type: 'quiet', text: hostile('quiet') },
    // An unknown type is quoted in the event, so that its developer finds it: escaped, and without a message.
    { type: '\r\n{"level":60}\u202e', text: hostile('unknown') },
    { [hostile('untyped')]: 1 },
    { type: 'join', id: { [hostile('id')]: 1 }, text: 'x' },
  ]
  for (const message of sent) client.send(message)
  client.socket.send(`{"type":"join","text":"a","text":"${JSON.stringify(hostile('twice')).slice(1, -1)}"}`)
  client.socket.send(`{"__proto__":{"x":"protoCANARY"},"type":"join","text":"x"}`)
  client.socket.send(`not JSON ${hostile('syntax')}`)
  client.socket.ping('pingCANARY')
  await until(() => client.heard.length >= sent.length + 3, 'each was answered')
  client.socket.send(Buffer.from(hostile('binary')))
  assert.equal(await client.closed, 1003)
  const raw = await openSocket(`${url}/raw`, { headers })
  raw.socket.close(4_000, 'reasonCANARY')
  await raw.closed
  await other.close()
  await until(() => isEmpty(app), 'all have gone')

  const { resourceMetrics } = await reader.collect()
  const sinks = {
    log: lines.join(''),
    audit: JSON.stringify(heard),
    channel: JSON.stringify(published),
    metrics: JSON.stringify(resourceMetrics.scopeMetrics),
    answers: JSON.stringify(client.heard),
    others: JSON.stringify(other.heard),
  }
  for (const [sink, all] of Object.entries(sinks)) {
    const at = all.indexOf('CANARY')
    assert.equal(at, -1, `${sink}: ...${all.slice(Math.max(0, at - 300), at + 20)}`)
  }
  for (const line of lines) {
    assert.match(line, /^[\x20-\x7e]*\n$/)
    const { level, msg }: { level: number; msg: string } = JSON.parse(line)
    assert.ok(level <= 50 && msg !== 'owned', line)
  }

  // Each attempt was seen: a sink that is empty shows nothing, either.
  const codes = new Set(heard.map(({ type, code }) => `${type} ${code ?? ''}`))
  for (const expected of [
    'room.refused SWS_BAD_ROOM',
    'message.refused SWS_INVALID_MESSAGE',
    'message.refused SWS_FORBIDDEN',
    'message.refused SWS_NO_LISTENER',
    'message.refused SWS_UNKNOWN_TYPE',
    'message.refused SWS_BAD_MESSAGE',
    'message.failed SWS_INTERNAL',
    'socket.closed 1003',
    'socket.closed 4000',
  ]) {
    assert.ok(codes.has(expected), `${expected} is not among ${[...codes].join(', ')}`)
  }
  assert.ok(lines.some((line) => line.includes('no row for session [redacted]')))
  assert.ok(sinks.metrics.includes('SWS_UNKNOWN_TYPE'))
  assert.ok(heard.some(({ messageType }) => messageType === '\\u000d\\u000a{"level":60}\\u202e'))
})
