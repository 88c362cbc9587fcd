import assert from 'node:assert/strict'
import { tracingChannel } from 'node:diagnostics_channel'
import { type TestContext, test } from 'node:test'
import * as api from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import Fastify from 'fastify'
import secureWs, { type Bus, memoryBus } from '../../src/index.ts'
import { createTraces } from '../../src/telemetry/traces.ts'
import { openSocket } from '../harness/socket-client.ts'
import { until } from '../harness/until.ts'

/** An SDK, as an application would set it up before its server is made. */
function traced(t: TestContext) {
  const exporter = new InMemorySpanExporter()
  const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] })
  api.trace.setGlobalTracerProvider(provider)
  api.context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  api.propagation.setGlobalPropagator(new W3CTraceContextPropagator())
  t.after(async () => {
    await provider.shutdown()
    api.trace.disable()
    api.context.disable()
    api.propagation.disable()
  })
  const spans = () => exporter.getFinishedSpans()
  const named = async (name: string): Promise<ReadableSpan> => {
    await until(() => spans().some((span) => span.name === name), `the span '${name}' has ended`)
    return spans().find((span) => span.name === name) as ReadableSpan
  }
  return { spans, named }
}

async function start(t: TestContext, bus: Bus = memoryBus()) {
  const app = Fastify()
  t.after(() => app.close())
  await app.register(secureWs, {
    bus,
    authenticate: async ({ headers }) => (headers['x-session'] === 'SESSIONCANARY' ? { id: 'SESSIONCANARY' } : null),
  })
  const text = { schema: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] } } as const
  const secure = { receives: { say: text, fail: text }, sends: { said: text } }
  app.get('/chat', { websocket: true, secureWs: secure }, (socket) => {
    socket.join('lobby')
    socket.on('say', async ({ text: said }) => {
      await null
      // What the application traces in a listener is part of its message.
      api.trace.getTracer('application').startSpan('save').end()
      socket.to('lobby').send({ type: 'said', text: said })
    })
    socket.on('fail', () => {
      throw new Error('CANARY')
    })
  })
  const origin = await app.listen({ host: '127.0.0.1', port: 0 })
  const headers = { origin, 'x-session': 'SESSIONCANARY' }
  return { app, url: `${origin.replace('http', 'ws')}/chat`, headers }
}

const incoming = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' }

test('one message, from its handshake to another node: joined to the incoming trace, linked to the handshake, gone on with there', async (t) => {
  const { spans, named } = traced(t)
  const bus = memoryBus()
  const [near, far] = [await start(t, bus), await start(t, bus)]
  const ann = await openSocket(`${near.url}?token=QUERYCANARY`, { headers: { ...near.headers, ...incoming } })
  const bob = await openSocket(far.url, { headers: far.headers })

  ann.send({ type: 'say', text: 'FIELDCANARY' })
  assert.equal((await bob.hear('said')).text, 'FIELDCANARY')

  const handshake = await named('handshake /chat')
  assert.equal(handshake.spanContext().traceId, '0af7651916cd43dd8448eb211c80319c')
  assert.equal(handshake.parentSpanContext?.spanId, 'b7ad6b7169203331')
  const steps = handshake.events.map(({ name }) => name)
  assert.ok(steps.includes('origin') && steps.indexOf('origin') < steps.indexOf('session'), steps.join())

  const message = await named('receive say')
  assert.equal(message.parentSpanContext, undefined, 'a trace of its own')
  assert.notEqual(message.spanContext().traceId, handshake.spanContext().traceId)
  assert.deepEqual(
    message.links.map(({ context }) => context.spanId),
    [handshake.spanContext().spanId],
  )
  assert.equal(message.attributes['secure_ws.route'], '/chat')
  assert.equal(message.attributes['secure_ws.listener.outcome'], 'returned')
  const saved = await named('save')
  assert.equal(saved.parentSpanContext?.spanId, message.spanContext().spanId)

  const deliver = await named('deliver')
  assert.equal(deliver.spanContext().traceId, message.spanContext().traceId)
  assert.equal(deliver.parentSpanContext?.spanId, message.spanContext().spanId)

  ann.send({ type: 'fail', text: 'x' })
  assert.equal((await named('receive fail')).status.code, api.SpanStatusCode.ERROR)
  ann.send({ type: 'TYPECANARY', text: 'x' })
  assert.equal((await named('receive other')).attributes['secure_ws.code'], 'SWS_UNKNOWN_TYPE')
  const all = spans().map(({ name, attributes, events, status }) => ({ name, attributes, events, status }))
  assert.doesNotMatch(JSON.stringify(all), /CANARY/)
  await Promise.all([ann.close(), bob.close()])
})

test('a refused handshake has its code; one that its client did not want sampled is pointed to by no message', async (t) => {
  const { named, spans } = traced(t)
  const { url, headers } = await start(t)
  await assert.rejects(openSocket(url, { headers: { origin: headers.origin } }))
  const refused = await named('handshake /chat')
  assert.equal(refused.attributes['secure_ws.code'], 'SWS_UNAUTHENTICATED')
  assert.equal(refused.status.code, api.SpanStatusCode.ERROR)
  const unsampled = { traceparent: incoming.traceparent.replace(/01$/, '00') }
  const ann = await openSocket(url, { headers: { ...headers, ...unsampled } })
  ann.send({ type: 'say', text: 'x' })
  const message = await named('receive say')
  assert.deepEqual(message.links, [])
  assert.equal(spans().filter(({ name }) => name === 'handshake /chat').length, 1, 'as its client asked')
  await ann.close()
})

// What a client writes there would be in each span, and go on to whoever the application asks.
test('tracestate and baggage of a stranger stay out; the trace that it names is joined', async (t) => {
  const { named } = traced(t)
  const { url, headers } = await start(t)
  const hostile = { tracestate: `evil=CANARY${'x'.repeat(200)},other=CANARY`, baggage: 'user=admin,CANARY=1' }
  const ann = await openSocket(url, { headers: { ...headers, ...incoming, ...hostile } })
  const handshake = await named('handshake /chat')
  assert.equal(handshake.spanContext().traceId, '0af7651916cd43dd8448eb211c80319c')
  ann.send({ type: 'say', text: 'x' })
  const message = await named('receive say')
  assert.equal(message.links[0]?.context.spanId, handshake.spanContext().spanId)
  for (const context of [handshake.spanContext(), handshake.parentSpanContext, message.links[0]?.context])
    assert.equal(context?.traceState, undefined)
  await ann.close()
})

test('a header that is no trace begins a new one, however it is wrong', async (t) => {
  const { spans } = traced(t)
  const { url, headers } = await start(t)
  const right = incoming.traceparent
  const wrong = [
    '00-evil',
    'x'.repeat(8_000),
    right.replace(/^00/, 'ff'),
    right.replace('0af7651916cd43dd8448eb211c80319c', '0'.repeat(32)),
    right.replace('b7ad6b7169203331', '0'.repeat(16)),
    right.toUpperCase(),
    `${right}, ${right}`,
    '__proto__',
  ]
  for (const [index, traceparent] of wrong.entries()) {
    const client = await openSocket(url, { headers: { ...headers, traceparent } })
    await until(() => spans().length === index + 1, traceparent.slice(0, 40))
    assert.equal(spans()[index]?.parentSpanContext, undefined, traceparent.slice(0, 40))
    await client.close()
  }
})

// A prototype that something else in the process has polluted would put every handshake into one trace of the attacker's choice.
test('a traceparent on Object.prototype is no header', async (t) => {
  const { spans } = traced(t)
  const { url, headers } = await start(t)
  Object.defineProperty(Object.prototype, 'traceparent', { value: incoming.traceparent, configurable: true })
  t.after(() => Reflect.deleteProperty(Object.prototype, 'traceparent'))
  const client = await openSocket(url, { headers })
  await until(() => spans().length === 1, 'the handshake was traced')
  assert.equal(spans()[0]?.parentSpanContext, undefined)
  await client.close()
})

test('a tracer that throws is logged, and harms no handshake and no message', async (t) => {
  const failures: unknown[] = []
  const broken = {
    startSpan() {
      throw new Error('the tracer is broken')
    },
  }
  const traces = createTraces(
    (error) => failures.push(error),
    () => ({ ...api, trace: { ...api.trace, getTracerProvider: () => ({}), getTracer: () => broken } as never }),
  )
  assert.equal(traces?.handshake({}, '/a'), undefined)
  assert.equal(traces?.message('/a', 1, undefined), undefined)
  assert.equal(
    traces?.elsewhere(incoming.traceparent, () => 7),
    7,
  )
  assert.equal(failures.length, 3)
  t.diagnostic('near miss: without a provider, and without the API, nothing is traced')
  assert.equal(
    createTraces(() => {}),
    undefined,
  )
  const missing = () => {
    throw Object.assign(new Error('Cannot find module'), { code: 'MODULE_NOT_FOUND' })
  }
  assert.equal(
    createTraces(() => {}, missing),
    undefined,
  )
})

test('without OpenTelemetry: the tracing channel tells of each message, and of none once nobody listens', async (t) => {
  const { url, headers } = await start(t)
  const ann = await openSocket(url, { headers })
  const heard: unknown[] = []
  const channel = tracingChannel('fastify-secure-ws:message')
  const note = (name: string) => (said: unknown) => heard.push([name, { ...Object(said) }])
  const subscribers = {
    start: note('start'),
    end: note('end'),
    asyncStart() {},
    asyncEnd: note('asyncEnd'),
    error() {},
  }
  channel.subscribe(subscribers)
  t.after(() => channel.unsubscribe(subscribers))
  ann.send({ type: 'say', id: 1, text: 'x' })
  await until(() => heard.length === 3, 'it was told')
  const bytes = JSON.stringify({ type: 'say', id: 1, text: 'x' }).length
  assert.deepEqual(heard, [
    ['start', { route: '/chat', bytes }],
    ['end', { route: '/chat', bytes, type: 'say', code: undefined }],
    ['asyncEnd', { route: '/chat', bytes, type: 'say', code: undefined, outcome: 'returned' }],
  ])
  channel.unsubscribe(subscribers)
  ann.send({ type: 'say', id: 2, text: 'x' })
  await until(() => ann.heard.filter(({ type }) => type === 'reply').length === 2, 'both were answered')
  assert.equal(heard.length, 3)
  await ann.close()
})
