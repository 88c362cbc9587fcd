import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as api from '@opentelemetry/api'
import { MeterProvider } from '@opentelemetry/sdk-metrics'
import Fastify from 'fastify'
import secureWs from '../../src/index.ts'
import { createAudit } from '../../src/telemetry/audit.ts'
import type { Measured } from '../../src/telemetry/gauges.ts'
import { createMetrics } from '../../src/telemetry/metrics.ts'
import { Random } from '../harness/random.ts'
import { textOf } from '../house/source-files.ts'
import { everyMetric, metricsOn, Reader } from './every-metric.ts'

/** Each point as `name{labels}`, with its value or count. */
async function pointsOf(reader: Reader): Promise<Map<string, number>> {
  const { resourceMetrics } = await reader.collect()
  const found = new Map<string, number>()
  for (const { descriptor, dataPoints } of resourceMetrics.scopeMetrics.flatMap(({ metrics }) => metrics)) {
    for (const { attributes, value } of dataPoints) {
      const labels = Object.entries(attributes).map(([key, label]) => `${key}=${label}`)
      found.set(`${descriptor.name}{${labels.join()}}`, typeof value === 'number' ? value : (value.count ?? 0))
    }
  }
  return found
}

test('near misses: without a provider, and without the API, nothing is measured', () => {
  assert.equal(
    createMetrics(() => {}),
    undefined,
  )
  const missing = () => {
    throw Object.assign(new Error('Cannot find module'), { code: 'MODULE_NOT_FOUND' })
  }
  assert.equal(
    createMetrics(() => {}, missing),
    undefined,
  )
})

// A client chooses close codes, origins and types of messages: none of them may make a new series, or it fills the memory of
// this process and of the one that collects.
test('what a client chooses makes no series', async () => {
  const reader = new Reader()
  const metrics = metricsOn(reader)
  for (let count = 0; count < 2_000; count++) {
    const by = {
      address: `10.0.0.${count}`,
      origin: `https://${count}.example`,
      reason: `r${count}`,
      user: `u${count}`,
    }
    metrics.count({
      type: 'socket.closed',
      code: 3_000 + count,
      durationMs: count,
      route: '/a',
      socket: `s${count}`,
      ...by,
    })
    metrics.count({
      type: 'message.refused',
      code: 'SWS_INVALID_MESSAGE',
      messageType: `m${count}`,
      route: '/a',
      ...by,
    })
  }
  const points = await pointsOf(reader)
  assert.deepEqual(
    [...points].filter(([name]) => name.startsWith('secure_ws.server.events')),
    [
      ['secure_ws.server.events{type=socket.closed,code=3000,route=/a}', 1],
      ['secure_ws.server.events{type=message.refused,code=SWS_INVALID_MESSAGE,route=/a}', 2_000],
      ['secure_ws.server.events{type=socket.closed,code=other,route=/a}', 1_996],
      ['secure_ws.server.events{type=socket.closed,code=3003,route=/a}', 1],
      ['secure_ws.server.events{type=socket.closed,code=3008,route=/a}', 1],
      ['secure_ws.server.events{type=socket.closed,code=4429,route=/a}', 1],
    ],
  )
})

test('docs/operating.md has a row for each metric with its labels, and for no other', async () => {
  const { labels } = await everyMetric()
  const rows = [...textOf('docs/operating.md').matchAll(/^\| `(secure_ws\.[\w.]+)` \|[^|]*\|([^|]*)\|/gm)]
  const written = rows.map(([, name, said = '']) => [
    name,
    [...said.matchAll(/`(\w+)`/g)].map(([, label]) => label).sort(),
  ])
  const byName = (a: unknown[], b: unknown[]) => String(a[0]).localeCompare(String(b[0]))
  assert.deepEqual(written.sort(byName), [...labels].sort(byName))
})

// Ten thousand types of one attacker, and as many routes of nobody.
test('messages are counted by what is declared, and read when somebody collects', async () => {
  const reader = new Reader()
  const metrics = metricsOn(reader)
  for (let count = 0; count < 10_000; count++) metrics.traffic.message('in', '/a', 'say', 10)
  metrics.traffic.message('out', '/a', 'say', 7)
  metrics.traffic.message('in', '/a', 'other', 1)
  const points = await pointsOf(reader)
  assert.equal(points.get('secure_ws.server.messages{direction=in,type=say,route=/a}'), 10_000)
  assert.equal(points.get('secure_ws.server.io{direction=in,type=say,route=/a}'), 100_000)
  assert.equal(points.get('secure_ws.server.io{direction=out,type=say,route=/a}'), 7)
  assert.equal(points.get('secure_ws.server.messages{direction=in,type=other,route=/a}'), 1)
})

// Each server had sums of its own: of two with one route the last one set the series back, and a close took them along.
test('two servers of one process add up, and what one has counted is there after its close', async () => {
  const random = new Random(18)
  for (let round = 0; round < 50; round++) {
    const reader = new Reader()
    const provider = new MeterProvider({ readers: [reader] })
    const open = () => metricsOn(reader, provider)
    const servers = [open(), open()]
    const sums = new Map<string, number>()
    for (let step = 0; step < 60; step++) {
      const at = random.below(2)
      const what = random.below(10)
      if (what === 0) {
        servers[at]?.close()
        servers[at] = open()
      } else if (what === 1) {
        await pointsOf(reader)
      } else {
        const [direction, type] = [random.pick(['in', 'out'] as const), random.pick(['say', 'ask'])]
        const [route, bytes] = [random.pick(['/a', `/${at}`]), random.below(100)]
        servers[at]?.traffic.message(direction, route, type, bytes)
        const labels = `{direction=${direction},type=${type},route=${route}}`
        for (const [name, more] of [
          ['messages', 1],
          ['io', bytes],
        ] as const) {
          const key = `secure_ws.server.${name}${labels}`
          sums.set(key, (sums.get(key) ?? 0) + more)
        }
      }
    }
    for (const server of servers) server.close()
    const points = await pointsOf(reader)
    assert.deepEqual(new Map([...points].sort()), new Map([...sums].sort()), `round ${round}`)
  }
})

// Of two servers with one series the one that was asked last was all that an operator saw.
test('the numbers of two servers of one process are told together, until each of them closes', async () => {
  const reader = new Reader()
  const provider = new MeterProvider({ readers: [reader] })
  const numbers = (each: number, bus: string, drain: object | null): Measured => ({
    ...{ sockets: each, connections: each, rooms: each, sessions: each, users: each, addresses: each, bus, drain },
    budgets: { memoryBytes: { used: each } },
    load: { unheard: each, outputBytes: each, slowReaders: each, sanitizerQueue: each },
  })
  const open = (measured: Measured) => {
    const metrics = metricsOn(reader, provider)
    metrics.observe(() => {
      asked++
      return measured
    })
    return metrics
  }
  let asked = 0
  const told = async () => {
    asked = 0
    const points = await pointsOf(reader)
    const {
      'bus_up{}': bus,
      'draining{}': drain,
      ...sums
    } = Object.fromEntries([...points].map(([name, value]) => [name.replace('secure_ws.server.', ''), value]))
    return { bus, drain, sums: [...new Set(Object.values(sums))], count: Object.keys(sums).length, asked }
  }
  const first = open(numbers(3, 'up', null))
  const second = open(numbers(4, 'down', {}))
  assert.deepEqual(await told(), { bus: 0, drain: 1, sums: [7], count: 11, asked: 2 })
  second.close()
  second.close()
  assert.deepEqual(await told(), { bus: 1, drain: 0, sums: [3], count: 11, asked: 1 })
  first.close()
  const third = open(numbers(5, 'up', {}))
  assert.deepEqual(await told(), { bus: 1, drain: 1, sums: [5], count: 11, asked: 1 })
  third.close()
})

// A meter that fails once left counts behind that nobody collected.
test('a server after one whose meter threw is measured', async () => {
  const reader = new Reader()
  const provider = new MeterProvider({ readers: [reader] })
  const meter = provider.getMeter('fastify-secure-ws')
  const { addBatchObservableCallback } = meter
  meter.addBatchObservableCallback = () => {
    throw new Error('the meter is broken')
  }
  assert.throws(() => metricsOn(reader, provider), /the meter is broken/)
  meter.addBatchObservableCallback = addBatchObservableCallback
  metricsOn(reader, provider).traffic.message('in', '/a', 'say', 10)
  const points = await pointsOf(reader)
  assert.equal(points.get('secure_ws.server.messages{direction=in,type=say,route=/a}'), 1)
})

// D5: an event is told in timers and in `close` listeners, where nobody catches what a meter throws.
test('a meter that throws is logged, and harms no event', () => {
  const logged: object[] = []
  const note = (fields: object) => void logged.push(fields)
  const heard: string[] = []
  const audit = createAudit({
    logger: { info() {}, warn() {}, error: note },
    listener: ({ type }) => heard.push(type),
    metrics: {
      count() {
        throw new Error('the meter is broken')
      },
    },
  })
  audit({ type: 'socket.closed', code: 1000 })
  assert.deepEqual(heard, ['socket.closed'])
  assert.equal(logged.length, 1)
})

test('servers that have closed are read no more', async () => {
  const reader = new Reader()
  api.metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }))
  try {
    let asked = 0
    for (let count = 0; count < 20; count++) {
      const app = Fastify()
      await app.register(secureWs, { authenticate: false })
      await app.ready()
      const { stats } = app.secureWs
      app.secureWs.stats = () => {
        asked++
        return stats()
      }
      assert.equal((await pointsOf(reader)).get('secure_ws.server.active_connections{}'), 0)
      assert.equal(asked, count + 1)
      await app.close()
    }
    await pointsOf(reader)
    assert.equal(asked, 20)
  } finally {
    api.metrics.disable()
  }
})
