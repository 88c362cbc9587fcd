import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAttention } from '../../src/telemetry/attention.ts'
import { createObserver } from '../../src/telemetry/observer.ts'
import { metricsOn, Reader } from './every-metric.ts'

const seenOf = (attention: (now: number) => boolean, count: number, now: number) =>
  Array.from({ length: count }, () => attention(now)).filter(Boolean).length

test('each is looked at up to a rate, and of a crowd a sample; the next second begins anew', () => {
  const attention = createAttention({ perSecond: 100, oneIn: 50 })
  assert.equal(seenOf(attention, 100, 0), 100)
  const sample = seenOf(attention, 100_000, 999)
  assert.ok(sample > 1_600 && sample < 2_400, `${sample} of 100,000 at one in 50`)
  assert.equal(seenOf(attention, 100, 1_000), 100)
  assert.ok(seenOf(attention, 1_000, 1_500) < 100)
})

// A stride that is fixed would see the same of 50 clients that take turns, and never the one whose listener is slow.
test('clients that take turns are each seen', () => {
  const attention = createAttention({ perSecond: 0, oneIn: 50 })
  const seen = new Map<number, number>()
  for (let count = 0; count < 200_000; count++) {
    if (attention(0)) seen.set(count % 50, (seen.get(count % 50) ?? 0) + 1)
  }
  assert.equal(seen.size, 50)
  assert.ok(Math.max(...seen.values()) < 4 * Math.min(...seen.values()))
})

test('of a flood each message is counted, and a few are timed', async () => {
  const reader = new Reader()
  const observer = createObserver({ traffic: metricsOn(reader).traffic, traces: undefined, uptime: () => 0 })()
  assert.ok(observer)
  for (let count = 0; count < 50_000; count++) {
    const socket = { policy: { route: '/a' } }
    observer.received(socket, 'say', 10)
    const watched = observer.watch(socket, 10, 0)
    watched?.decided('say', undefined)
    watched?.called()
    watched?.ended('returned')
  }
  const { resourceMetrics } = await reader.collect()
  const all = resourceMetrics.scopeMetrics.flatMap(({ metrics }) => metrics)
  const pointOf = (name: string) => all.find(({ descriptor }) => descriptor.name === name)?.dataPoints[0]?.value
  assert.equal(pointOf('secure_ws.server.messages'), 50_000)
  const timed = pointOf('secure_ws.server.listener.duration')
  assert.ok(typeof timed === 'object' && Number(timed.count) >= 100 && Number(timed.count) < 500, JSON.stringify(timed))
})
