import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { textOf } from '../house/source-files.ts'
import {
  blocksOf,
  deliveryOf,
  incoming,
  type ObservedRun,
  observedPage,
  runObservedDemo,
  shapeOf,
  shownOn,
  spanOf,
} from './observed-demo.ts'

let run: ObservedRun
before(async () => {
  run = await runObservedDemo()
})

test('one message, followed over Redis: the trace of the page, the handshake, the message, and its delivery by another process', () => {
  const handshake = run.near.find(({ traceId }) => traceId === incoming.traceId)
  assert.equal(handshake?.name, 'handshake /chat')
  assert.equal(handshake.parentSpanId, incoming.spanId)
  const steps = handshake.events.map(({ name }) => name)
  assert.ok(steps.indexOf('origin') >= 0 && steps.indexOf('origin') < steps.indexOf('session'), steps.join())

  const message = spanOf(run.near, 'receive say')
  assert.equal(message.parentSpanId, undefined)
  assert.notEqual(message.traceId, handshake.traceId)
  assert.deepEqual(
    message.links.map(({ traceId, spanId }) => [traceId, spanId]),
    [[handshake.traceId, handshake.spanId]],
  )

  const delivery = deliveryOf(run)
  assert.equal(delivery?.parentSpanId, message.spanId)
  // The clocks are of one machine: it was delivered after it came, and it came after its socket had opened.
  assert.ok(BigInt(handshake.endTimeUnixNano) <= BigInt(message.startTimeUnixNano))
  assert.ok(BigInt(message.startTimeUnixNano) <= BigInt(delivery.startTimeUnixNano))

  // Near miss: Grace's own handshake is on the far node, and part of no trace of Ada's.
  const other = spanOf(run.far, 'handshake /chat')
  assert.ok(![handshake.traceId, message.traceId].includes(other.traceId))
})

test('Ctrl+C ends both, with every span in its file; neither file nor the endpoint has a secret', () => {
  assert.deepEqual(run.codes, [0, 0])
  assert.ok(run.sinks.includes('secure_ws_server_messages_total{direction="in",type="say"'))
  for (const secret of run.secrets) assert.ok(secret.length > 8 && !run.sinks.includes(secret), secret)
})

test('docs/operating.md shows what such a run gives', () => {
  const shown = shownOn(textOf(observedPage))
  const blocks = blocksOf(run)
  assert.deepEqual([...shown.keys()].sort(), [...blocks.keys()].sort())
  for (const [name, block] of blocks)
    assert.equal(shapeOf(shown.get(name) ?? ''), shapeOf(block), `${name}: run \`npm run docs:observed\``)
})

test('near miss: a name, a label or a count of its own is no shape of a run', () => {
  const line = 'secure_ws_server_relay_lag_bucket{le="0.5"} 2'
  assert.equal(shapeOf(line), shapeOf(line.replace(/2$/, '0')))
  assert.notEqual(shapeOf(line), shapeOf(line.replace('lag', 'age')))
  assert.notEqual(shapeOf(line), shapeOf(line.replace('0.5', '0.6')))
  const count = 'secure_ws_server_messages_total{type="say"} 1'
  assert.notEqual(shapeOf(count), shapeOf(count.replace(/1$/, '2')))
})
