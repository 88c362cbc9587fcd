import assert from 'node:assert/strict'
import { createSecretKey } from 'node:crypto'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { redisBus } from '../../src/redis/redis-bus.ts'
import { roomTopic } from '../../src/relay/bus.ts'
import { type Envelope, sealEnvelope } from '../../src/relay/envelope.ts'
import { denialOf } from '../../src/session/denials.ts'
import { type NodeProcess, startNode } from '../harness/node-process.ts'
import { type RedisServer, startRedis } from '../harness/redis.ts'
import { openSocket, type SocketClient, statusOf } from '../harness/socket-client.ts'
import { startTcpProxy } from '../harness/tcp-proxy.ts'
import { until } from '../harness/until.ts'

// What holds while Redis is away, and what has come back when it is back: each row of the table in docs/scaling.md.
const secret = 'a secret of the journeys, 32 bytes'
const shop = (url: string) => ({ redis: { url, channel: 'shop', secret, leaseTtl: 3_000 } })

const ready = (node: NodeProcess) => until(async () => (await node.status('probe.1')) === 101, 'sessions are admitted')
const away = (node: NodeProcess) => until(async () => (await node.status('probe.1')) === 503, 'sessions are refused')

async function twoNodes(redis: RedisServer): Promise<readonly [NodeProcess, NodeProcess]> {
  const one = { ...shop(redis.url), limits: { connectionsPerSession: 1 } }
  return Promise.all([startNode(one), startNode(one)])
}

async function hearsFrom(node: NodeProcess, client: SocketClient, room: string): Promise<void> {
  const mark = Math.random()
  await until(async () => {
    await node.call('send', [room], { type: 'mark', mark })
    return client.heard.some((message) => message.mark === mark)
  }, `a client in ${room} hears node ${node.pid}`)
  // Marks that are still on their way come before this one.
  const last = Math.random()
  await node.call('send', [room], { type: 'mark', mark: last })
  await until(() => client.heard.some((message) => message.mark === last), 'the last mark was heard')
}

const typesOf = (events: readonly { type: string; code?: string | number }[]) =>
  new Set(events.map(({ type, code }) => `${type} ${code ?? ''}`))

// Each has a Redis of its own, and waits most of its time.
describe('Redis is away', { concurrency: 3 }, () => {
  test('SE-08 Redis is killed and comes back empty: chats on one node go on, sessions are refused meanwhile, what was revoked is closed after', async () => {
    const redis = await startRedis()
    const [a, b] = await twoNodes(redis)
    try {
      const [ann, bob] = [await a.open('ann.1', 'lobby'), await a.open('bob.1', 'lobby')]
      const [far, other] = [await b.open('eve.1', 'lobby'), await b.open('fay.1', 'lobby')]
      const open = await openSocket(a.url('/open?room=lobby'))
      await hearsFrom(a, far, 'lobby')
      // A revocation from before: the nodes know of it, the Redis that comes back will not.
      await a.call('revoke', { sessionId: 'old.1' })
      await until(async () => (await b.status('old.1')) === 401, 'the other node knows')
      const ticketBefore = await a.ticket('tom.1')

      await redis.stop()
      await Promise.all([away(a), away(b)])

      // admission: whoever needs a session is refused; who needs none is not. Nothing that was open has closed.
      assert.equal(await a.status('ann.2'), 503)
      assert.equal(await statusOf(a.url('/open')), 101)
      // tickets
      assert.equal(await a.status('', { protocols: [ticketBefore] }), 503)
      await assert.rejects(a.ticket('tom.1'), /500|503/)
      // broadcast: here at once, there not.
      ann.send({ type: 'say', room: 'lobby', text: 'is anybody here?' })
      for (const here of [ann, bob, open]) assert.equal((await here.hear('said')).text, 'is anybody here?')
      // presence: nobody can say.
      await assert.rejects(a.call('members', 'lobby'), /Redis/)
      // CS-16: whether a nonce was used elsewhere cannot be said either, so it counts as used.
      ann.send({ type: 'once', id: 7, text: 'pay', nonce: 'nonce-of-ann-7', at: Date.now() })
      assert.equal((await ann.hear('error')).code, 'SWS_INTERNAL')
      assert.equal(await a.call('onceHandled'), 0)
      // revocation: here at once.
      await a.call('revoke', { sessionId: 'bob.1' })
      assert.equal(await bob.closed, 3000)
      await a.call('revoke', { sessionId: 'eve.1' })
      await sleep(1_500)
      assert.equal(far.code, undefined, 'the other node cannot know yet')
      assert.equal(ann.code, undefined)

      await redis.start()
      assert.equal(await far.closed, 3000)
      await Promise.all([ready(a), ready(b)])
      for (const node of [a, b])
        for (const session of ['old.1', 'bob.1', 'eve.1']) assert.equal(await node.status(session), 401, session)
      assert.deepEqual([ann.code, other.code, open.code], [undefined, undefined, undefined])
      await hearsFrom(b, ann, 'lobby')
      assert.equal(
        far.heard.some(({ type }) => type === 'said'),
        false,
        'what was said meanwhile is not said again',
      )
      await until(
        async () => (await b.call('members', 'lobby')).length === 3,
        'ann, fay and the open one are listed again',
      )
      await until(async () => (await b.status('ann.1')) === 429, 'the place that ann holds is put back')

      // BR-07, and for a node that never knew: what the others put back is in the store.
      const late = await startNode(shop(redis.url))
      await ready(late)
      assert.equal(await late.status('old.1'), 401)
      await late.close()
      assert.ok(typesOf(await a.call('events')).has('relay.failed publish'), 'the outage was audited')
    } finally {
      await Promise.all([a.kill(), b.kill()])
      await redis.close()
    }
  })

  for (const how of ['cut', 'hush'] as const) {
    test(`SE-08 one node is parted from Redis (${how === 'cut' ? 'a connection that is cut' : 'a wire that swallows everything'}): it alone refuses, and learns afterwards`, async () => {
      const redis = await startRedis()
      const wire = await startTcpProxy(redis.port)
      const [a, b] = await Promise.all([startNode(shop(redis.url)), startNode(shop(`redis://127.0.0.1:${wire.port}`))])
      try {
        const near = await a.open('ann.1', 'lobby')
        const [far, stays] = [await b.open('eve.1', 'lobby'), await b.open('fay.1', 'lobby')]
        await hearsFrom(a, far, 'lobby')
        wire[how]()
        // Silence is noticed by its missing PING, within 9 s; a broken connection at once.
        await until(async () => (await b.status('probe.1')) === 503, 'the parted node refuses')
        assert.equal(await a.status('probe.1'), 101, 'the other one does not')
        await a.call('revoke', { sessionId: 'eve.1' })
        await a.call('send', ['lobby'], { type: 'missed' })
        await near.hear('missed')
        assert.equal(far.code, undefined)
        wire.mend()
        assert.equal(await far.closed, 3000)
        await ready(b)
        assert.equal(await b.status('eve.1'), 401)
        assert.equal(stays.code, undefined)
        await hearsFrom(a, stays, 'lobby')
        assert.equal(
          stays.heard.some(({ type }) => type === 'missed'),
          false,
        )
      } finally {
        await Promise.all([a.kill(), b.kill()])
        await wire.close()
        await redis.close()
      }
    })
  }

  test('a node that starts while Redis is away refuses sessions until it has caught up', async () => {
    const redis = await startRedis()
    const a = await startNode(shop(redis.url))
    await a.call('revoke', { sessionId: 'eve.1' })
    const wire = await startTcpProxy(redis.port)
    wire.cut()
    const b = await startNode(shop(`redis://127.0.0.1:${wire.port}`))
    try {
      assert.equal(await b.status('ann.1'), 503)
      assert.equal(await b.status('eve.1'), 503)
      assert.equal(await statusOf(b.url('/open')), 101)
      wire.mend()
      await ready(b)
      assert.equal(await b.status('eve.1'), 401)
    } finally {
      await Promise.all([a.kill(), b.kill()])
      await wire.close()
      await redis.close()
    }
  })

  test('BR-03 BR-04 envelopes published by hand do nothing, and each leaves an audit event', async () => {
    const redis = await startRedis()
    const a = await startNode(shop(redis.url))
    // Somebody who has Redis, and (for the replays) one genuine envelope: taken off the wire by a subscriber of their own.
    const thief = redisBus({ url: redis.url, channel: 'shop', secret: 'another secret, also of 32 bytes' })
    const b = await startNode(shop(redis.url))
    try {
      const taken: string[] = []
      await thief.subscribe(roomTopic('lobby'), (payload) => taken.push(payload))
      const ann = await a.open('ann.1', 'lobby', 'vault')
      await hearsFrom(b, ann, 'lobby')
      await until(() => taken.length > 0, 'an envelope was taken')
      const genuine = taken.at(-1) ?? ''
      await a.call('events')
      ann.heard.length = 0

      const wrongKey = thief.secret
      const topic = roomTopic('lobby')
      const frame = JSON.stringify({ id: 'x', rooms: ['lobby'], except: [], message: { type: 'forged' } })
      const envelope = (sequence: number): Envelope => ({
        node: 'mallory',
        sequence,
        at: Date.now(),
        message: { kind: 'room', room: 'lobby', frame },
      })
      const closing: Envelope = {
        ...envelope(9),
        message: {
          kind: 'identity',
          verb: 'close',
          subjects: [denialOf('session', 'ann.1', Date.now(), Date.now() + 60_000)],
        },
      }
      const attempts: readonly (readonly [reason: string, topic: string, payload: string])[] = [
        ['bad signature', topic, sealEnvelope(topic, envelope(1), wrongKey)],
        ['bad signature', topic, sealEnvelope(topic, envelope(2), undefined)],
        ['bad signature', 'control', sealEnvelope('control', closing, wrongKey)],
        ['bad signature', 'control', sealEnvelope('control', closing, [createSecretKey(Buffer.from(secret))])],
        ['replayed', topic, genuine],
        ['bad signature', roomTopic('vault'), genuine],
        ['bad signature', topic, genuine.slice(0, -1)],
        ['bad signature', topic, genuine.replace('mark', 'Mark')],
        ['malformed', topic, genuine.slice(0, 10)],
        ['malformed', topic, ''],
        ['malformed', topic, '{"__proto__":{"polluted":true}}'],
        ['other version', topic, genuine.replace('sws1.', 'sws2.')],
        ['too large', topic, `${genuine}${'x'.repeat(10 * 1024 * 1024)}`],
      ]
      for (const [reason, to, payload] of attempts) {
        await thief.publish(to, payload)
        const events: { reason?: string }[] = []
        await until(async () => {
          events.push(...(await a.call('events')).filter(({ type }) => type === 'relay.refused'))
          return events.length > 0
        }, `'${reason}' was audited`)
        assert.deepEqual(
          events.map((event) => event.reason),
          [reason],
        )
      }
      assert.deepEqual(ann.heard, [])
      assert.equal(ann.code, undefined)
      // The near miss: the node still hears its own kind.
      await hearsFrom(b, ann, 'vault')
    } finally {
      await thief.close()
      await Promise.all([a.kill(), b.kill()])
      await redis.close()
    }
  })
})
