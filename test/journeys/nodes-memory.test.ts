import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keyDigest } from '../../src/redis/key.ts'
import { everyNode } from '../../src/remote/order.ts'
import { startNode } from '../harness/node-process.ts'
import { startRedis } from '../harness/redis.ts'
import { until } from '../harness/until.ts'

const secret = 'a secret of the journeys, 32 bytes'

/** Least squares: how much one round adds. */
function slope(values: readonly number[]): number {
  const middle = (values.length - 1) / 2
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const above = values.reduce((sum, value, at) => sum + (at - middle) * (value - mean), 0)
  return above / values.reduce((sum, _, at) => sum + (at - middle) ** 2, 0)
}

test('BR-07 the heap is flat after 20 times 5,000 joins, leaves and revocations, and no listener is left', async () => {
  const node = await startNode({ limits: { connectionsPerSession: 100 } }, ['--expose-gc'])
  try {
    const client = await node.open('ann.1')
    const listeners = await node.call('listeners')
    const heap: number[] = []
    for (let round = 0; round < 20; round++) {
      await node.call('churn', 5_000, 1)
      heap.push(await node.call('heap'))
    }
    // The first rounds are still compiled code and grown tables.
    const perRound = slope(heap.slice(8))
    // 5,000 of anything forgotten would be 300,000 bytes and more.
    assert.ok(perRound < 100_000, `${Math.round(perRound)} bytes more in each round: ${heap.join(' ')}`)
    assert.equal(await node.call('listeners'), listeners)
    const { rooms, sockets } = await node.call('stats')
    assert.deepEqual({ rooms, sockets }, { rooms: 0, sockets: 1 })
    await client.close()
    await until(async () => (await node.call('stats')).sockets === 0, 'the socket is forgotten')
  } finally {
    await node.close()
  }
})

test('BR-07 sockets that come, join and are revoked leave nothing behind, neither here nor in Redis', async () => {
  const redis = await startRedis()
  const node = await startNode({ redis: { url: redis.url, channel: 'shop', secret } })
  try {
    for (let round = 0; round < 10; round++) {
      const clients = await Promise.all(
        Array.from({ length: 20 }, (_, index) => node.open(`u${index}.${round}`, 'lobby', `room ${index}`)),
      )
      await Promise.all(
        clients.map((client, index) =>
          index % 2
            ? client.close()
            : node.call('revoke', { sessionId: `u${index}.${round}` }, Date.now() + 60_000).then(() => client.closed),
        ),
      )
    }
    await until(async () => (await node.call('stats')).connections === 0, 'every place is given back')
    const { rooms, sessions, users, addresses } = await node.call('stats')
    assert.deepEqual({ rooms, sessions, users, addresses }, { rooms: 0, sessions: 0, users: 0, addresses: 0 })
    // What is left are the ears of the node itself, and its own entry among the nodes.
    await until(async () => {
      const channels = (await redis.cli('PUBSUB', 'CHANNELS', 'shop:*')).split('\n')
      return channels.length === 3 && channels.every((name) => /^shop:(?:control|room:~0001node)/.test(name))
    }, 'no room is listened to')
    await until(async () => {
      const keys = (await redis.cli('KEYS', 'shop:*')).split('\n')
      return !keys.some((key) => /:(?:lease|ticket):/.test(key) && !key.includes(keyDigest(`room:${everyNode}`)))
    }, 'no place and no presence is left in Redis')
  } finally {
    await node.close()
    await redis.close()
  }
})
