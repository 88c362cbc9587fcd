import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import { Cluster } from 'ioredis'
import { createCluster } from 'redis'
import { type RedisBusOptions, redisBus } from '../../src/redis/redis-bus.ts'
import { redisTickets } from '../../src/redis/ticket-store.ts'
import { roomTopic } from '../../src/relay/bus.ts'
import { type RedisCluster, startRedisCluster } from '../harness/redis-cluster.ts'
import { until } from '../harness/until.ts'
import { contracts } from './contracts.ts'
import type { Nodes } from './nodes.ts'

const secret = 'a secret of the contracts, 32 bytes'

// 13.2.2: as the user that the documentation asks for, with what it adds for a cluster.
const scaling = await readFile(new URL('../../docs/scaling.md', import.meta.url), 'utf8')
const [, user = '', added = ''] = /```acl\n(.+)\n```[^`]+`([^`]+)`/.exec(scaling) ?? []
const username = 'shop'
const password = 'password'

let cluster: RedisCluster
before(async () => {
  cluster = await startRedisCluster({ acl: [`${user} ${added}`] })
})
after(() => cluster.close())

const clients: Record<string, () => NonNullable<RedisBusOptions['client']>> = {
  'node-redis': () =>
    createCluster({ rootNodes: cluster.nodes.map(({ url }) => ({ url })), defaults: { username, password } }),
  ioredis: () =>
    new Cluster(
      cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port })),
      { lazyConnect: true, redisOptions: { username, password } },
    ),
}

for (const [name, client] of Object.entries(clients)) {
  const open = async (): Promise<Nodes> => {
    await cluster.flush()
    const near = redisBus({ client: client(), channel: 'shop', secret })
    const far = redisBus({ client: client(), channel: 'shop', secret })
    await Promise.all([near, far].map((bus) => bus.subscribe('control', () => {})))
    await until(() => near.state === 'up' && far.state === 'up', 'both nodes had the cluster')
    return {
      buses: [near, far],
      tickets: [redisTickets(near), redisTickets(far)],
      async close() {
        await near.close()
        await far.close()
      },
    }
  }

  contracts(`a cluster, by ${name}`, open)

  test(`sharded (${name}): a room is known to the one node of the cluster that owns its channel`, async () => {
    const nodes = await open()
    const rooms = Array.from({ length: 12 }, (_, index) => roomTopic(`room ${index}`))
    for (const topic of rooms) await nodes.buses[1].subscribe(topic, () => {})
    const counts = await Promise.all(
      cluster.nodes.map(
        async (node) => (await node.cli('PUBSUB', 'SHARDCHANNELS', 'shop:room:*')).split('\n').filter(Boolean).length,
      ),
    )
    assert.equal(
      counts.reduce((sum, count) => sum + count, 0),
      rooms.length,
    )
    assert.ok(counts.filter((count) => count > 0).length > 1)
    for (const node of cluster.nodes) assert.equal(await node.cli('PUBSUB', 'CHANNELS', 'shop:*'), '')
    await nodes.close()
  })
}
