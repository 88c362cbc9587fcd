import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
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

// The process ended when a node stopped in the middle of a handshake that was refused a moment later: an error of a stream to
// which nobody listened any more. Each close comes at another moment of the handshake; one that is not caught fails the test.
for (const [name, client] of [
  ['ioredis', () => new Redis(url(), { lazyConnect: true })],
  ['redis', () => createClient({ url: url() })],
] as const) {
  test(`a bus with a client of ${name} is closed at any moment of a handshake that will be refused, and nothing is thrown`, async () => {
    for (let round = 0; round < 10; round++) {
      await Promise.all(
        Array.from({ length: 20 }, async (_, index) => {
          const bus = redisBus({ channel: 'app', secret, client: client() })
          bus.subscribe('control', () => {}).catch(() => {})
          await sleep(index * 3)
          await bus.close()
        }),
      )
    }
    await sleep(500)
  })
}
