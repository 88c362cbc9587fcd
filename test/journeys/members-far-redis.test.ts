import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createClient } from 'redis'
import { anySession, redisBus } from '../../src/index.ts'
import { startRedis } from '../harness/redis.ts'
import { openSocket } from '../harness/socket-client.ts'
import { startTcpProxy } from '../harness/tcp-proxy.ts'
import { until } from '../harness/until.ts'
import { as, oneNode } from '../session/one-node.ts'

// Class S8: a queue that clients fill. Every limit at its default but the handshakes', and Redis 5 ms away.
test('S8 one user toggles as many rooms as the limits allow: members() of others takes no more than twenty trips to it, and nothing is left behind', async (t) => {
  const redis = await startRedis()
  const wire = await startTcpProxy(redis.port)
  // There and back.
  wire.delay(2.5)
  t.after(async () => {
    await wire.close()
    await redis.close()
  })
  const far = createClient({ url: `redis://127.0.0.1:${wire.port}` })
  await far.connect()
  const bus = redisBus({
    url: `redis://127.0.0.1:${wire.port}`,
    channel: 'far',
    secret: 'a secret of the far one, 32 bytes',
  })
  const { app, listen, events } = await oneNode({ find: (id) => ({ id, userId: id }), bus })
  t.after(() => app.close())
  let toggled = 0
  app.get(
    '/rooms',
    { websocket: true, secureWs: { receives: { toggle: { schema: { type: 'object' }, authorize: anySession } } } },
    (socket) => {
      socket.join('hall')
      const room = `of ${socket.id}`
      // In with one message and out with the next; and nine in and out within each.
      socket.on('toggle', () => {
        toggled++
        if (socket.rooms.has(room)) socket.leave(room)
        else socket.join(room)
        for (let other = 0; other < 9; other++) socket.join(`${room} ${other}`)
        for (let other = 0; other < 9; other++) socket.leave(`${room} ${other}`)
      })
    },
  )
  const url = (await listen())('/rooms')
  const ann = await openSocket(url, as('ann'))
  const togglers = await Promise.all(Array.from({ length: 10 }, () => openSocket(url, as('tom'))))
  await until(async () => (await app.secureWs.members('hall')).length === 11, 'all are in the hall')

  // The burst of 100 at once, then 20 a second: from ten sockets, as many as one session may have.
  for (const toggler of togglers) for (let burst = 0; burst < 90; burst++) toggler.send({ type: 'toggle' })
  const toggling = setInterval(() => {
    for (const toggler of togglers) toggler.send({ type: 'toggle' })
  }, 60)
  t.after(() => {
    clearInterval(toggling)
    for (const { socket } of [ann, ...togglers]) socket.terminate()
  })
  await until(() => toggled > 100, 'it is under way')
  const took: number[] = []
  const pings: number[] = []
  for (let asked = 0; asked < 20; asked++) {
    pings.push(await timeOf(() => far.ping()))
    took.push(await timeOf(async () => assert.equal((await app.secureWs.members('hall')).length, 11)))
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  clearInterval(toggling)
  far.destroy()
  const half = median(took)
  const ping = median(pings)
  t.diagnostic(
    `members() while ${toggled} messages move 19 rooms each: half within ${half.toFixed(1)} ms, a PING of the same Redis ${ping.toFixed(1)} ms`,
  )
  // 100 ms are twenty trips to that Redis. On a machine that is busy the trip takes longer, and the answer as many of them.
  assert.ok(half < 20 * ping, `half within ${half} ms, a PING within ${ping} ms`)
  assert.deepEqual(
    events.filter(({ type }) => type === 'relay.failed'),
    [],
    'no queue was full',
  )
  for (const toggler of togglers) await toggler.close()
  await until(async () => (await app.secureWs.members('hall')).length === 1, 'ann alone is left')
  // Nobody's leaving was lost: in the end what is left is the hall, the nodes, and the two places of ann.
  await until(async () => (await redis.cli('KEYS', 'far:lease:*')).trim().split('\n').length === 4, 'no ghost is left')
  await ann.close()
})

async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const since = performance.now()
  await work()
  return performance.now() - since
}

function median(times: readonly number[]): number {
  return [...times].sort((a, b) => a - b)[times.length >> 1] ?? Number.NaN
}
