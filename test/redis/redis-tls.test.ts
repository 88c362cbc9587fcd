import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { redisBus } from '../../src/redis/redis-bus.ts'
import { type RedisServer, startRedis } from '../harness/redis.ts'
import { until } from '../harness/until.ts'

const secret = 'a secret of these tests, 32 bytes'
let redis: RedisServer
before(async () => {
  redis = await startRedis({ tls: true })
})
after(() => redis.close())

const url = () => `rediss://localhost:${redis.port}`
const open = (options: object) => redisBus({ url: url(), channel: 'app', secret, ...options })

test('rediss: a server whose certificate is known is used', async () => {
  const bus = open({ tls: { ca: redis.ca } })
  const heard: string[] = []
  await bus.subscribe('room:a', (payload) => heard.push(payload))
  await bus.publish('room:a', 'x')
  await until(() => heard.length === 1, 'it was heard')
  await bus.close()
})

test('rediss: named by its address, it is used under the name it has', async () => {
  const bus = open({ url: redis.url, tls: { ca: redis.ca, servername: 'localhost' } })
  await bus.subscribe('control', () => {})
  assert.equal(bus.state, 'up')
  await bus.close()
})

// The attack: another server answers at that address.
for (const [name, options] of [
  ['of an unknown authority', () => ({})],
  ['of another name', () => ({ tls: { ca: redis.ca, servername: 'redis.internal' } })],
] as const) {
  test(`12.3.1: a server with a certificate ${name} is never used`, async () => {
    const bus = open(options())
    await assert.rejects(
      bus.subscribe('control', () => {}),
      /Redis is away/,
    )
    assert.equal(bus.state, 'down')
    await bus.close()
  })
}
