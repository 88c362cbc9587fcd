import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { type RedisBusOptions, redisBus } from '../../src/redis/redis-bus.ts'
import { redisTickets } from '../../src/redis/ticket-store.ts'
import { type RedisServer, startRedis } from '../harness/redis.ts'
import { until } from '../harness/until.ts'
import { contracts } from './contracts.ts'
import type { Nodes } from './nodes.ts'

// 13.2.2: the suite runs as the user that the documentation asks for, read from there.
const scaling = await readFile(new URL('../../docs/scaling.md', import.meta.url), 'utf8')
const user = /```acl\n(.+)\n```/.exec(scaling)?.[1] ?? ''
const secret = 'a secret of the contracts, 32 bytes'

let redis: RedisServer
before(async () => {
  redis = await startRedis({ acl: [user] })
})
after(() => redis.close())

const open = (by: () => Pick<RedisBusOptions, 'url' | 'client'>) => async (): Promise<Nodes> => {
  await redis.cli('FLUSHALL')
  const near = redisBus({ ...by(), channel: 'shop', secret })
  const far = redisBus({ ...by(), channel: 'shop', secret })
  await Promise.all([near, far].map((bus) => bus.subscribe('control', () => {})))
  await until(() => near.state === 'up' && far.state === 'up', 'both nodes had Redis')
  return {
    buses: [near, far],
    tickets: [redisTickets(near), redisTickets(far)],
    async close() {
      await near.close()
      await far.close()
    },
  }
}

const url = () => redis.urlFor('shop', 'password')

contracts(
  'redis, by URL',
  open(() => ({ url: url() })),
)
contracts(
  'redis, by a client of node-redis',
  open(() => ({ client: createClient({ url: url(), RESP: 2 }) })),
)
contracts(
  'redis, by a client of ioredis',
  open(() => ({ client: new Redis(url(), { lazyConnect: true }) })),
)

test('13.2.2: this user can do nothing else, and nothing outside its prefix', async (t) => {
  const client = createClient({ url: url() })
  // Also when it fails: an open client would keep the process alive.
  t.after(() => client.destroy())
  client.on('error', () => {})
  await client.connect()
  assert.equal(await client.sendCommand(['PING']), 'PONG')
  for (const command of [
    ['KEYS', '*'],
    ['FLUSHALL'],
    ['CONFIG', 'GET', '*'],
    ['CLIENT', 'LIST'],
    ['GET', 'shop:x'],
    ['SET', 'shop2:x', 'y'],
    ['GETDEL', 'other:ticket:x'],
    ['EVAL', "return redis.call('SET', 'other:x', 'y')", '0'],
    ['PUBLISH', 'shop2:control', 'x'],
    ['SPUBLISH', 'other:control', 'x'],
    ['SUBSCRIBE', 'other:control'],
    ['PSUBSCRIBE', '*'],
  ]) {
    await assert.rejects(client.sendCommand(command), /NOPERM|No permissions|can't access/, command.join(' '))
  }
})
