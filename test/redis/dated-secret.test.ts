import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { redisBus } from '../../src/redis/redis-bus.ts'
import { redisTickets } from '../../src/redis/ticket-store.ts'
import { sealEnvelope } from '../../src/relay/envelope.ts'
import { denialOf } from '../../src/session/denials.ts'
import type { Secret } from '../../src/session/secrets.ts'
import { readAll } from '../harness/denials.ts'
import { type RedisServer, startRedis } from '../harness/redis.ts'
import { until } from '../harness/until.ts'
import { listening } from '../relay/two-nodes.ts'

const [old, fresh] = ['the old secret of 32 bytes or more', 'the new secret of 32 bytes or more']
const minute = 60_000

let redis: RedisServer
before(async () => {
  redis = await startRedis()
})
after(() => redis.close())

const busOf = (...secret: readonly Secret[]) => redisBus({ url: redis.url, channel: 'shop', secret })

test('words and tickets of a key are good until its end, and a bus whose keys are all over says nothing at all', async (t) => {
  const begun = Date.now()
  t.mock.timers.enable({ apis: ['Date'], now: begun })
  const dated = { secret: old, validUntil: begun + minute }
  const [behind, ahead] = [busOf(dated), busOf(fresh, dated)]
  const [speaker, hearer] = [listening(behind), listening(ahead)]
  await Promise.all([speaker.relay.start(), hearer.relay.start()])
  hearer.relay.joinTopic('a')
  const heard = async (frame: string) => {
    await speaker.relay.publish({ kind: 'room', room: 'a', frame })
    return hearer.frames().includes(frame)
  }
  await until(() => heard('before'), 'the envelope of the old key was heard')
  const ticket = { sessionId: 's', origin: null, route: '/', expiresAt: begun + 10 * minute }
  const hash = 'h'.repeat(43)
  await redisTickets(behind).put(hash, ticket, 10 * minute)
  assert.deepEqual(await redisTickets(ahead).peek?.(hash), ticket)

  const late = busOf(old)
  await late.subscribe('control', () => {})
  t.mock.timers.setTime(begun + minute)
  assert.deepEqual([behind.secret?.length, ahead.secret?.length], [0, 1])
  assert.equal(await redisTickets(ahead).peek?.(hash), undefined)
  assert.equal(await speaker.relay.publish({ kind: 'room', room: 'a', frame: 'after' }), false)
  assert.match(speaker.failures.at(-1)?.reason ?? '', /past its `validUntil`/)
  // Who still has the key, and no end for it, is not heard either.
  const envelope = { node: 'late', sequence: 1, at: Date.now(), message: { kind: 'room', room: 'a', frame: 'late' } }
  await late.publish('room:a', sealEnvelope('room:a', envelope as never, late.secret))
  await until(() => hearer.refused.some((reason) => /bad signature/.test(reason)), 'it was refused')
  assert.deepEqual(hearer.frames(), Array(hearer.frames().length).fill('before'))
  await assert.rejects(async () => redisTickets(behind).put(hash, ticket, minute), /validUntil|Pass the bus/)
  assert.equal(await speaker.relay.deny(denialOf('session', 's', begun, begun + 9 * minute)), false)
  await Promise.all([speaker.relay.close(), hearer.relay.close(), late.close()])
})

test('revocations that an older key signed are signed again by the new one, before nobody can read them any more', async () => {
  await redis.cli('FLUSHALL')
  const begun = Date.now()
  const denials = Array.from({ length: 700 }, (_, number) =>
    denialOf('session', `s${number}`, begun, begun + 30 * minute),
  )
  const before = busOf(old)
  await before.stores?.denials.deny(...denials)
  await before.close()

  // Every node gets the new one as the second first, then as the first.
  const node = listening(busOf(fresh, { secret: old, validUntil: begun + minute }))
  await node.relay.start()
  const after = busOf(fresh)
  const store = after.stores?.denials
  if (store === undefined) throw new TypeError('no store')
  await until(async () => {
    const { denials: read, refused = [] } = await readAll(store)
    return refused.length === 0 && read.length === denials.length
  }, 'all of them were signed by the new key')
  assert.deepEqual(node.failures, [])
  const learned = node.heard.flatMap((message) => (message.kind === 'identity' ? message.subjects : []))
  assert.equal(learned.length, denials.length)
  await Promise.all([after.close(), node.relay.close()])
})
