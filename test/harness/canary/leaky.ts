/** Says a secret in each sink: `test/telemetry/canary-run.test.ts` shows that a run of the suite would find each. */

import { channel } from 'node:diagnostics_channel'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import type * as Otel from '@opentelemetry/api'
import Fastify from 'fastify'
import secureWs from '../../../src/index.ts'
import { openSocket } from '../socket-client.ts'

const { metrics, trace }: typeof Otel = createRequire(import.meta.url)('@opentelemetry/api')

test('an application that tells everything', async (t) => {
  const app = Fastify({ logger: { level: 'fatal' } })
  t.after(() => app.close())
  await app.register(secureWs, { authenticate: false })
  app.get('/ws', { websocket: true }, (socket, request) => {
    const { cookie, 'x-canary': header } = request.headers
    request.log.debug({ found: cookie }, 'a line that its own logger does not write')
    channel('fastify-secure-ws:audit').publish({ type: 'socket.closed', reason: header })
    metrics
      .getMeter('fastify-secure-ws')
      .createCounter('leak')
      .add(1, { header: String(header) })
    trace
      .getTracer('fastify-secure-ws')
      .startSpan('handshake', { attributes: { url: request.url } })
      .end()
    socket.on('message', (frame) => {
      app.log.debug({ frame: String(frame) }, 'a message')
      socket.send(String(header))
    })
  })
  const origin = await app.listen({ host: '127.0.0.1', port: 0 })
  const client = await openSocket(`${origin.replace('http', 'ws')}/ws`, { headers: { origin, cookie: 'a=b' } })
  client.socket.removeAllListeners('message')
  const answered = new Promise((resolve) => client.socket.once('message', resolve))
  client.send({ type: 'say', text: 'the account number 4711-0815' })
  await answered
  await client.close()
})
