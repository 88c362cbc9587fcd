import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import Fastify from 'fastify'
import secureWs, { type AuditEvent, type Bus, memoryBus, redisBus, type SecureWsOptions } from '../../src/index.ts'
import { healthOf } from '../../src/telemetry/health.ts'
import { openPeer } from '../harness/raw-peer.ts'
import { startRedis } from '../harness/redis.ts'
import { openSocket, statusOf } from '../harness/socket-client.ts'
import { until } from '../harness/until.ts'

async function start(t: TestContext, options: Partial<SecureWsOptions> = {}) {
  const events: AuditEvent[] = []
  const app = Fastify()
  t.after(() => app.close())
  await app.register(secureWs, {
    authenticate: () => ({ id: 'one', userId: 'ada' }),
    dangerouslyAllowAmbientCredentials: true,
    allowMissingOrigin: true,
    audit: (event) => events.push(event),
    ...options,
  })
  app.get('/ws', { websocket: true }, () => {})
  app.get('/ready', app.secureWs.health)
  app.get('/plain', async () => 'here')
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as { port: number }
  const ask = async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/ready`)
    return [answer.status, await answer.json(), answer.headers.get('cache-control')] as const
  }
  return { app, events, ask, port, url: `ws://127.0.0.1:${port}/ws` }
}

test('health: ready, with nothing in the answer but that, also while sockets are open', async (t) => {
  const { app, ask, url } = await start(t)
  const client = await openSocket(url)
  assert.deepEqual(await ask(), [200, { ready: true }, 'no-store'])
  const { bus, drain, budgets } = app.secureWs.stats()
  assert.deepEqual([bus, drain, budgets.connections], ['up', null, { used: 1, limit: 10_000 }])
  await client.close()
})

// Who opens as many sockets as there may be must not take the plain routes of the same server from the load balancer.
test('a server that is full refuses handshakes, and is ready', async (t) => {
  const { app, ask, url } = await start(t, { limits: { connections: 1 } })
  const client = await openSocket(url)
  assert.equal(await statusOf(url), 503)
  assert.deepEqual((await ask()).slice(0, 2), [200, { ready: true }])
  assert.deepEqual(app.secureWs.stats().budgets.connections, { used: 1, limit: 1 })
  await client.close()
})

test('RS-10 a drain: not ready from its start on, and a report of what it did, where one client never answers', async (t) => {
  const { app, events, ask, port, url } = await start(t, { limits: { drain: { deadline: 3_000 } } })
  const polite = await openSocket(url)
  const silent = await openPeer({ port })
  t.after(() => silent.socket.destroy())
  await until(() => app.secureWs.stats().sockets === 2, 'both are in')

  const draining = app.secureWs.drain()
  assert.equal(await polite.closed, 1012)
  assert.deepEqual((await ask()).slice(0, 2), [503, { ready: false, reason: 'draining' }])
  const soFar = app.secureWs.stats().drain
  assert.deepEqual([soFar?.closed, soFar?.cut, soFar?.done], [2, 0, false])
  assert.ok(events.every(({ type }) => type !== 'server.drained'))

  const report = await draining
  assert.deepEqual([report.closed, report.cut, report.done], [2, 1, true])
  assert.ok(report.durationMs >= 2_990, String(report.durationMs))
  assert.deepEqual(app.secureWs.stats().drain, report)
  const told = events.filter(({ type }) => type === 'server.drained')
  assert.deepEqual(
    told.map(({ count, durationMs, reason }) => ({ count, durationMs, reason })),
    [{ count: 2, durationMs: report.durationMs, reason: '1 cut at the deadline (limits.drain.deadline)' }],
  )
  // The close of the server drains once more, which is the same drain.
  await app.close()
  assert.equal(events.filter(({ type }) => type === 'server.drained').length, 1)
})

test('near miss: a drain of which nobody had to be cut gives no reason', async (t) => {
  const { app, events, url } = await start(t)
  const client = await openSocket(url)
  await app.close()
  assert.equal(await client.closed, 1012)
  const [drained] = events.filter(({ type }) => type === 'server.drained')
  assert.deepEqual([drained?.count, drained?.reason], [1, undefined])
})

test('a Redis that is away makes the node not ready, until it has caught up', async (t) => {
  const redis = await startRedis()
  t.after(() => redis.close())
  const bus = redisBus({ url: redis.url, channel: 'health', secret: 'a secret of the health test, 32 b' })
  const { app, ask, url } = await start(t, { bus })
  await until(() => app.secureWs.stats().bus === 'up', 'the bus is up')
  assert.equal((await ask())[0], 200)

  await redis.stop()
  await until(() => app.secureWs.stats().bus === 'away', 'the bus is away')
  assert.deepEqual((await ask()).slice(0, 2), [503, { ready: false, reason: 'bus-away' }])
  assert.equal(await statusOf(url), 503)

  await redis.start()
  await until(async () => (await ask())[0] === 200, 'the node has caught up')
  assert.equal(await statusOf(url), 101)
})

test('a bus that is there, with a store that cannot be read, is catching up', async (t) => {
  const { stores, ...bus } = memoryBus()
  let isBroken = true
  const unread: Bus = {
    ...bus,
    ...(stores && {
      stores: {
        ...stores,
        denials: {
          ...stores.denials,
          since: (cursor) => (isBroken ? Promise.reject(new Error('broken')) : stores.denials.since(cursor)),
        },
      },
    }),
  }
  const { app, ask, url } = await start(t, { bus: unread })
  assert.equal(app.secureWs.stats().bus, 'catching-up')
  assert.deepEqual((await ask()).slice(0, 2), [503, { ready: false, reason: 'bus-catching-up' }])
  assert.equal(await statusOf(url), 503)
  isBroken = false
  await until(async () => (await ask())[0] === 200, 'it has caught up')
  assert.equal(await statusOf(url), 101)
})

test('draining comes first: it does not pass', () => {
  const drain = { closed: 0, cut: 0, durationMs: 0, done: true }
  assert.deepEqual(healthOf({ drain, bus: 'away' }), { ready: false, reason: 'draining' })
  assert.deepEqual(healthOf({ drain: null, bus: 'up' }), { ready: true })
})
