import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Redis } from 'ioredis'
import { redisBus } from '../../src/redis/redis-bus.ts'
import { denialOf } from '../../src/session/denials.ts'
import { startRedisSentinel } from '../harness/redis-sentinel.ts'
import { until } from '../harness/until.ts'
import { listening } from '../relay/two-nodes.ts'

// A primary that is killed: the nodes follow the Sentinel to its replica, and nothing is forgotten.
test('Sentinel: revocations from before, in the middle of and after a fail-over hold on every node, and on a new one', async (t) => {
  const sentinel = await startRedisSentinel()
  t.after(() => sentinel.close())
  const template = new Redis({
    sentinels: [{ host: '127.0.0.1', port: sentinel.port }],
    name: sentinel.name,
    lazyConnect: true,
  })
  const start = async () => {
    const bus = redisBus({ client: template, channel: 'app', secret: 'a secret of these tests, 32 bytes' })
    const node = listening(bus, { catchUpEvery: 500 })
    t.after(() => node.relay.close())
    await node.relay.start()
    return node
  }
  const [near, far] = [await start(), await start()]
  await until(() => near.relay.ready && far.relay.ready, 'both are up')
  const denied: string[] = []
  const deny = (name: string) => {
    denied.push(name)
    return near.relay.deny(denialOf('session', name, Date.now(), Date.now() + 600_000))
  }
  const knownBy = ({ relay }: typeof near) => denied.every((sessionId) => relay.findDenial({ sessionId }) !== undefined)

  assert.equal(await deny('before'), true)
  await until(() => knownBy(far), 'it is known')

  const killed = await sentinel.primary()
  await killed.stop()
  await until(() => !near.relay.ready && !far.relay.ready, 'nobody is admitted')
  assert.equal(await deny('meanwhile'), false)
  await until(async () => (await sentinel.primary()) !== killed, 'the replica is the primary')
  await until(() => near.relay.ready && far.relay.ready, 'the nodes have followed')
  await until(() => knownBy(far), 'what was refused was stored and told')
  assert.equal(await deny('after'), true)

  const fresh = await start()
  await until(() => fresh.relay.ready && knownBy(fresh), 'a node that starts knows all of it')
  near.relay.joinTopic('a')
  await until(async () => {
    far.relay.publish({ kind: 'room', room: 'a', frame: 'said' })
    return near.frames().includes('said')
  }, 'they hear each other')
})
