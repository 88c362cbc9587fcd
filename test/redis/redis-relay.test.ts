import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { after, afterEach, before, beforeEach, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { redisSource } from '../../src/redis/client.ts'
import { redisCommands } from '../../src/redis/commands.ts'
import { writeFact } from '../../src/redis/denial-fact.ts'
import { compileRedisBus } from '../../src/redis/options.ts'
import { connectRedisBus, type RedisBus, type RedisBusOptions, redisBus } from '../../src/redis/redis-bus.ts'
import { redisTickets } from '../../src/redis/ticket-store.ts'
import { roomTopic } from '../../src/relay/bus.ts'
import { sealEnvelope } from '../../src/relay/envelope.ts'
import type { RelayOptions } from '../../src/relay/relay.ts'
import { denialMark } from '../../src/session/denial-ledger.ts'
import { denialOf } from '../../src/session/denials.ts'
import { isDenied } from '../harness/denials.ts'
import { type RedisServer, startRedis } from '../harness/redis.ts'
import { until } from '../harness/until.ts'
import { type Listening, listening } from '../relay/two-nodes.ts'

const secret = 'a secret of these tests, 32 bytes'
const room = (name: string, frame: string) => ({ kind: 'room', room: name, frame }) as const

let redis: RedisServer
before(async () => {
  redis = await startRedis()
})
after(() => redis.close())
beforeEach(() => redis.cli('FLUSHALL'))

const open: Listening[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map(({ relay }) => relay.close()))
})

interface Node extends Listening {
  readonly bus: RedisBus
}

/** A node that is up: its start waits two seconds for Redis, which a busy machine may need. */
async function start(bus: Partial<RedisBusOptions> = {}, relay: Partial<RelayOptions> = {}): Promise<Node> {
  const node = await begin(bus, relay)
  await until(() => node.relay.ready, 'it was up')
  return node
}

async function begin(bus: Partial<RedisBusOptions> = {}, relay: Partial<RelayOptions> = {}): Promise<Node> {
  const by = bus.client === undefined ? { url: redis.url } : {}
  const own = redisBus({ ...by, channel: 'app', secret, ...bus })
  const node = Object.assign(listening(own, relay), { bus: own })
  open.push(node)
  await node.relay.start()
  return node
}

/** Waits until the room's channel has this many subscribers, as Redis counts them. */
async function subscribed(name: string, nodes: number, channel = 'app'): Promise<void> {
  const full = `${channel}:${roomTopic(name)}`
  await until(
    async () => (await redis.cli('PUBSUB', 'NUMSUB', full)).endsWith(`\n${nodes}`),
    `${nodes} nodes were in ${name}`,
  )
}

describe('two nodes', () => {
  test('hear each other, whichever client each of them uses', async () => {
    const near = await start()
    const far = await start({ client: new Redis(redis.port, '127.0.0.1', { lazyConnect: true }) })
    assert.deepEqual([near.relay.ready, far.relay.ready], [true, true])
    near.relay.joinTopic('a')
    far.relay.joinTopic('a')
    await subscribed('a', 2)
    near.relay.publish(room('a', 'from near'))
    far.relay.publish(room('a', 'from far'))
    await until(() => near.heard.length + far.heard.length === 2, 'both were heard')
    assert.deepEqual([near.frames(), far.frames()], [['from far'], ['from near']])
    far.relay.leaveTopic('a')
    await subscribed('a', 1)
  })

  test('CS-9: a revocation reaches the other node, and Redis shows no session id', async () => {
    const [near, far] = [await start(), await start()]
    const denial = denialOf('session', 'the-session-id', Date.now(), Date.now() + 60_000)
    assert.equal(await near.relay.deny(denial), true)
    await until(() => far.heard.length === 1, 'it was heard')
    assert.deepEqual(far.relay.findDenial({ sessionId: 'the-session-id' }), denial)
    const kept = await redis.cli('HGETALL', 'app:{app:denials}:facts')
    assert.match(kept, new RegExp(denial.id))
    assert.ok(!kept.includes('the-session-id'))
  })

  test('closed, they leave no connection; what they kept has an end', async () => {
    const [near, far] = [await start(), await start({ client: createClient({ url: redis.url }) })]
    await near.relay.deny(denialOf('session', 's', Date.now(), Date.now() + 60_000))
    await near.bus.stores?.rates.hit('k', 60_000, 5, 1)
    await near.bus.stores?.leases.keep('t', 60_000)
    await near.bus.stores?.leases.take({ key: 'k', holder: 'h', tenure: 't' }, 5, 60_000)
    await redisTickets(near.bus).put('h'.repeat(43), { sessionId: 's', origin: null, route: '/', expiresAt: 1 }, 60_000)
    const keys = (await redis.cli('KEYS', '*')).split('\n')
    assert.equal(keys.length, 7)
    for (const key of keys) assert.ok(Number(await redis.cli('PTTL', key)) > 0, key)
    await near.relay.close()
    await far.relay.close()
    await until(
      async () => (await redis.cli('CLIENT', 'LIST')).split('\n').length === 1,
      'only redis-cli was connected',
    )
  })
})

describe('published by somebody who can reach Redis, but has no secret', () => {
  test('BR-03, BR-04: forged, unsigned, truncated, 10 MB, of another version: nothing but a failure each', async () => {
    const node = await start()
    node.relay.joinTopic('a')
    await subscribed('a', 1)
    const attacker = createClient({ url: redis.url })
    await attacker.connect()
    // What was really sent, recorded: X-9.
    const recorded: string[] = []
    const spy = attacker.duplicate()
    await spy.connect()
    await spy.subscribe('app:room:a', (payload) => recorded.push(payload))
    const peer = await start()
    peer.relay.publish(room('a', 'real'))
    await until(() => recorded.length === 1 && node.heard.length === 1, 'the real one was heard')
    const real = recorded[0] ?? ''

    const denial = denialOf('session', 'victim', Date.now(), Date.now() + 60_000)
    const forged = { node: 'x', sequence: 1, at: Date.now(), message: room('a', 'forged') }
    const attacks: [channel: string, payload: string, reason: string][] = [
      ['app:room:a', 'noise', 'malformed'],
      ['app:room:a', sealEnvelope('room:a', forged, undefined), 'bad signature'],
      ['app:room:a', real.slice(0, -1), 'bad signature'],
      ['app:room:a', `${real}<script>`, 'bad signature'],
      ['app:room:a', real.replace('sws1', 'sws2'), 'other version'],
      ['app:room:a', 'x'.repeat(10_000_000), 'too large'],
      ['app:room:a', real, 'replayed'],
      ['app:control', real, 'bad signature'],
      [
        'app:control',
        sealEnvelope(
          'control',
          { ...forged, message: { kind: 'identity', verb: 'close', subjects: [denial] } },
          undefined,
        ),
        'bad signature',
      ],
    ]
    for (const [channel, payload] of attacks) await attacker.publish(channel, payload)
    await until(() => node.refused.length === attacks.length, 'all were refused')
    assert.deepEqual(
      node.refused,
      attacks.map(([, , reason]) => reason),
    )
    assert.deepEqual(node.frames(), ['real'])
    assert.equal(node.relay.findDenial({ sessionId: 'victim' }), undefined)
    // The near miss: the next real one.
    peer.relay.publish(room('a', 'real again'))
    await until(() => node.heard.length === 2, 'it was heard')
    spy.destroy()
    attacker.destroy()
  })

  test('what was written into the stores by hand is no ticket, and admits nobody', async () => {
    const { bus } = await start()
    const tickets = redisTickets(bus)
    const [hash, other] = ['h'.repeat(43), 'o'.repeat(43)]
    const ticket = { sessionId: 's', origin: null, route: '/', expiresAt: Date.now() + 60_000 }
    await redis.cli('SET', `app:ticket:${hash}`, JSON.stringify(ticket))
    assert.equal(await tickets.take(hash), undefined)
    // Copied to another place: the signature holds for its own hash only.
    await tickets.put(hash, ticket, 60_000)
    await redis.cli('COPY', `app:ticket:${hash}`, `app:ticket:${other}`)
    assert.equal(await tickets.take(other), undefined)
    assert.deepEqual(await tickets.take(hash), ticket)
    const name = `session:${denialOf('session', 's', 1, 2).id}`
    await redis.cli('HSET', 'app:{app:denials}:facts', name, 'garbage', 'epoch', 'e', 'newest', '1')
    await redis.cli('ZADD', 'app:{app:denials}:log', '1', name)
    assert.equal(await isDenied(bus.stores?.denials, { sessionId: 's' }), false)
    assert.deepEqual((await bus.stores?.denials.since(undefined))?.denials, [])
  })
})

/**
 * Who has Redis, but no secret, writes what a revocation says. It closes and refuses nobody, shortens nothing, keeps nothing
 * out, and is said; what a node knows better stands there again.
 */
describe('a stored revocation that nobody signed', () => {
  const facts = 'app:{app:denials}:facts'
  const name = (id: string) => `session:${denialOf('session', id, 1, 2).id}`
  const soon = () => Date.now() + 600_000
  const signed = (id: string, node: { bus: RedisBus }, at: number, end: number) =>
    writeFact(denialOf('session', id, at, end), node.bus.secret ?? [])[1]
  const isRefused = (node: Listening) =>
    until(
      () => node.failures.some(({ reason }) => /^\d+ stored revocations refused: bad signature$/.test(reason)),
      'it was refused',
    )
  async function write(id: string, fact: string): Promise<void> {
    // As one script, as a node does it: no look falls in between.
    const script = `redis.call('HSET', KEYS[3], ARGV[1], ARGV[2]) redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1])
      redis.call('ZADD', KEYS[1], redis.call('HINCRBY', KEYS[3], 'newest', 1), ARGV[1])`
    const keys = ['log', 'until', 'facts'].map((key) => `app:{app:denials}:${key}`)
    await redis.cli('EVAL', script, '3', ...keys, name(id), fact, String(soon()))
  }

  for (const [what, forge] of [
    ['without a signature', () => `1:${soon()}`],
    [
      'with one of another secret',
      () => {
        const other = redisBus({ url: redis.url, channel: 'app', secret: 'b'.repeat(32) })
        return signed('victim', { bus: other }, 1, soon())
      },
    ],
    ['signed for another session', (node) => signed('somebody', node, 1, soon())],
    ['signed for another end', (node) => signed('victim', node, 1, soon()).replace(/:\d+:/, ':9999999999999:')],
    ['of three', (node) => Array.from({ length: 3 }, () => signed('victim', node, 1, soon())).join(' ')],
  ] satisfies [string, (node: { bus: RedisBus }) => string][]) {
    test(`${what} hits nobody, neither where it is read as news nor at a start`, async () => {
      const node = await start({}, { catchUpEvery: 20 })
      const at = Date.now()
      await node.relay.deny(denialOf('session', 'known', at, at + 60_000))
      await write('victim', forge(node))
      await isRefused(node)
      const fresh = await start()
      await isRefused(fresh)
      for (const { relay } of [node, fresh]) {
        assert.equal(relay.findDenial({ sessionId: 'victim' }), undefined)
        assert.ok(relay.findDenial({ sessionId: 'known' }))
        assert.equal(relay.ready, true)
      }
      // The near miss: the same entry, signed.
      await write('victim', signed('victim', node, 1, soon()))
      await until(() => node.relay.findDenial({ sessionId: 'victim' }) !== undefined, 'the real one was read')
    })
  }

  test('in the place of a real one: the session stays revoked, and a node that starts learns it from those that know', async () => {
    const node = await start({}, { catchUpEvery: 20 })
    const end = soon()
    await node.relay.deny(denialOf('session', 'revoked', 5, end))
    const before = await redis.cli('HGET', facts, name('revoked'))
    // After the next look, and without a number, count and digest: nobody is told.
    await sleep(1_000)
    const forged = `5:${end}:${'A'.repeat(43)}`
    await redis.cli('HSET', facts, name('revoked'), forged)
    await sleep(200)
    assert.equal(await redis.cli('HGET', facts, name('revoked')), forged)
    assert.ok(node.relay.findDenial({ sessionId: 'revoked' }))
    const fresh = await start({}, { catchUpEvery: 20 })
    await until(() => fresh.relay.findDenial({ sessionId: 'revoked' }) !== undefined, 'it had learnt of it')
    assert.equal(await redis.cli('HGET', facts, name('revoked')), before)
  })

  test('in the place of one that is to come, with a far end: it makes way', async () => {
    const node = await start()
    await node.relay.deny(denialOf('session', 'known', 5, soon()))
    await redis.cli('HSET', facts, name('next'), `9999999999999:9999999999999:${'A'.repeat(43)}`)
    const end = soon()
    assert.equal(await node.relay.deny(denialOf('session', 'next', 7, end)), true)
    assert.equal(await redis.cli('HGET', facts, name('next')), signed('next', node, 7, end))
  })

  test('beside a real one of another node: it goes, and the real one stays', async () => {
    const node = await start()
    const end = soon()
    await redis.cli('HSET', facts, name('s'), `${signed('s', node, 900, end)} 5:9999999999999:${'A'.repeat(43)}`)
    assert.equal(await node.relay.deny(denialOf('session', 's', 7, end + 9)), true)
    assert.equal(await redis.cli('HGET', facts, name('s')), signed('s', node, 900, end + 9))
  })

  test('what is later and what lasts longer, of two nodes, both stand there, and hold', async () => {
    const node = await start()
    const [late, lasting] = [denialOf('user', 'u', 900, soon()), denialOf('user', 'u', 7, soon() + 9_000)]
    await node.bus.stores?.denials.deny(late)
    await node.bus.stores?.denials.deny(lasting)
    const fresh = await start()
    assert.deepEqual(fresh.relay.findDenial({ userId: 'u', authenticatedAt: 900 })?.until, lasting.until)
    assert.deepEqual(fresh.failures, [])
  })
})

describe('two applications on one Redis', () => {
  test('with the same rooms and, by mistake, the same secret, never meet', async () => {
    const [one, two, sub] = [
      await start({ channel: 'shop' }),
      await start({ channel: 'shop2' }),
      await start({ channel: 'shop-room' }),
    ]
    for (const node of [one, two, sub]) node.relay.joinTopic('a')
    await subscribed('a', 1, 'shop')
    await subscribed('a', 1, 'shop2')
    await subscribed('a', 1, 'shop-room')
    const spy = createClient({ url: redis.url })
    await spy.connect()
    const recorded: string[] = []
    await spy.subscribe('shop:room:a', (payload) => recorded.push(payload))
    const peer = await start({ channel: 'shop' })
    peer.relay.publish(room('a', 'x'))
    await peer.relay.deny(denialOf('user', 'u', Date.now(), Date.now() + 60_000))
    await until(() => one.heard.length === 2 && recorded.length === 1, 'its own nodes heard it')
    await redis.cli('PUBLISH', 'shop2:room:a', recorded[0] ?? '')
    await until(() => two.refused.length === 1, 'what was carried over was refused')
    assert.deepEqual([two.refused, two.failures], [['bad signature'], []])
    assert.deepEqual([two.heard, sub.heard], [[], []])
    assert.equal(await isDenied(two.bus.stores?.denials, { userId: 'u' }), false)
    assert.equal(await one.bus.stores?.leases.take({ key: 'k', holder: 'h' }, 1, 60_000), true)
    assert.equal(await two.bus.stores?.leases.take({ key: 'k', holder: 'h2' }, 1, 60_000), true)
    await redisTickets(one.bus).put('h'.repeat(43), { sessionId: 's', origin: null, route: '/', expiresAt: 1 }, 60_000)
    assert.equal(await redisTickets(two.bus).take('h'.repeat(43)), undefined)
    spy.destroy()
  })
})

describe('SE-08: Redis goes away', () => {
  test('a node is not ready, throws nothing, revokes locally; and tells the others when Redis is back, empty', async () => {
    const [near, far] = [
      await start(),
      await start({ client: new Redis(redis.port, '127.0.0.1', { lazyConnect: true }) }),
    ]
    near.relay.joinTopic('a')
    far.relay.joinTopic('a')
    const before = denialOf('session', 'before', Date.now(), Date.now() + 60_000)
    const meanwhile = denialOf('session', 'meanwhile', Date.now(), Date.now() + 60_000)
    await near.relay.deny(before)
    await until(() => far.relay.findDenial({ sessionId: 'before' }) !== undefined, 'far had heard of it')

    await redis.stop()
    await until(() => !near.relay.ready && !far.relay.ready, 'both had noticed')
    near.relay.publish(room('a', 'lost'))
    assert.equal(await near.relay.deny(meanwhile), false)
    assert.deepEqual(near.relay.findDenial({ sessionId: 'meanwhile' }), meanwhile)
    await assert.rejects(async () => near.bus.stores?.rates.hit('k', 1_000, 5, 1), /Redis is away/)
    await assert.rejects(async () => redisTickets(near.bus).take('h'.repeat(43)), /Redis is away/)
    assert.equal(far.relay.findDenial({ sessionId: 'meanwhile' }), undefined)

    await redis.start()
    await until(() => near.relay.ready && far.relay.ready, 'both were ready again')
    await until(() => far.relay.findDenial({ sessionId: 'meanwhile' }) !== undefined, 'far had heard of what it missed')
    // 7.4.1: Redis had forgotten it; the nodes had not.
    const fresh = await start()
    assert.deepEqual(fresh.relay.findDenial({ sessionId: 'before' }), before)
    assert.deepEqual(fresh.relay.findDenial({ sessionId: 'meanwhile' }), meanwhile)
    assert.equal(near.caughtUp, 2)

    await subscribed('a', 2)
    near.relay.publish(room('a', 'heard again'))
    await until(() => far.frames().length === 1, 'it was heard')
    assert.deepEqual(far.frames(), ['heard again'])
  })

  test('emptied without a restart, it is filled again', async () => {
    const node = await start({}, { catchUpEvery: 500 })
    const denial = denialOf('session', 's', Date.now(), Date.now() + 60_000)
    await node.relay.deny(denial)
    // So soon that the node has not looked since before its first denial, when the store was just as empty.
    await redis.cli('FLUSHALL')
    await until(
      async () => (await redis.cli('HEXISTS', 'app:{app:denials}:facts', `session:${denial.id}`)) === '1',
      'it was back',
    )
    assert.equal(node.relay.ready, true)
  })

  for (const key of ['log', 'until', 'facts']) {
    test(`S7 the key \`${key}\` alone is evicted: who starts then knows every revocation, and all keys are whole again`, async () => {
      const node = await start({}, { catchUpEvery: 20 })
      const at = Date.now()
      const denials = Array.from({ length: 1_200 }, (_, index) => denialOf('session', `s${index}`, at, at + 60_000))
      assert.equal(await node.relay.deny(...denials), true)
      await redis.cli('DEL', `app:{app:denials}:${key}`)
      const sizes = () =>
        Promise.all([
          redis.cli('ZCARD', 'app:{app:denials}:log'),
          redis.cli('ZCARD', 'app:{app:denials}:until'),
          redis.cli('HLEN', 'app:{app:denials}:facts'),
        ])
      await until(async () => (await sizes()).join() === '1200,1200,1203', 'all keys were whole')
      const fresh = await start()
      await until(() => fresh.relay.findDenial({ sessionId: 's1199' }) !== undefined, 'the last one was known')
      for (const index of [0, 1, 249, 250, 777]) assert.ok(fresh.relay.findDenial({ sessionId: `s${index}` }))
      assert.equal(fresh.relay.findDenial({ sessionId: 's1200' }), undefined)
      assert.deepEqual([node.failures, fresh.failures], [[], []])
    })
  }

  test('S7 a fail-over that lost one revocation and numbered another in its place: the digest shows it', async () => {
    const node = await start({}, { catchUpEvery: 20 })
    const at = Date.now()
    const [kept, lost, other] = ['kept', 'lost', 'other'].map((id) => denialOf('session', id, at, at + 60_000))
    assert.ok(kept && lost && other)
    await node.relay.deny(kept, lost)
    await until(async () => (await redis.cli('HGET', 'app:{app:denials}:facts', 'newest')) === '2', 'both were stored')
    // As one script, so that no look falls in between: what `deny` leaves behind when it does not know of the second.
    const digest = [kept, other]
      .map(({ kind, id, until: ends }) => denialMark(`${kind}:${id}`, at, ends))
      .reduce(([one, two], [more, most]) => [one ^ more, two ^ most])
      .join(' ')
    const script = `redis.call('ZREM', KEYS[1], ARGV[1]) redis.call('ZREM', KEYS[2], ARGV[1]) redis.call('HDEL', KEYS[3], ARGV[1])
      redis.call('ZADD', KEYS[1], 2, ARGV[2]) redis.call('ZADD', KEYS[2], ARGV[3], ARGV[2])
      redis.call('HSET', KEYS[3], ARGV[2], ARGV[4], 'digest', ARGV[5])`
    const [, fact] = writeFact(other, node.bus.secret ?? [])
    const keys = ['log', 'until', 'facts'].map((name) => `app:{app:denials}:${name}`)
    const names = [`session:${lost.id}`, `session:${other.id}`]
    await redis.cli('EVAL', script, '3', ...keys, ...names, String(other.until), fact, digest)
    await until(async () => (await redis.cli('HEXISTS', keys[2] ?? '', names[0] ?? '')) === '1', 'it was put back')
    await until(() => node.relay.findDenial({ sessionId: 'other' }) !== undefined, 'the other one was read')
  })

  test('S7 an entry that nobody can read is said once, and what is lost beside it is still put back', async () => {
    const node = await start({}, { catchUpEvery: 20 })
    const at = Date.now()
    const [kept, lost] = ['kept', 'lost'].map((id) => denialOf('session', id, at, at + 60_000))
    assert.ok(kept && lost)
    await node.relay.deny(kept, lost)
    const facts = 'app:{app:denials}:facts'
    await redis.cli('HSET', facts, 'session:nobody', 'garbage')
    await until(() => node.failures.some(({ reason }) => /cannot be read/.test(reason)), 'it was said')
    const scans = async () => /cmdstat_hscan:calls=(\d+)/.exec(await redis.cli('INFO', 'commandstats'))?.[1]
    const before = await scans()
    await sleep(300)
    assert.equal(await scans(), before)
    const reasons = node.failures.map(({ reason }) => reason)
    assert.deepEqual(reasons.filter((reason) => /something that cannot be read/.test(reason)).length, 1)
    assert.ok(reasons.includes('1 stored revocations refused: bad signature'))
    await redis.cli('HDEL', facts, `session:${lost.id}`)
    await until(async () => (await redis.cli('HEXISTS', facts, `session:${lost.id}`)) === '1', 'it was put back')
    assert.equal(node.relay.ready, true)
  })

  test('S7 who starts while another node puts back what Redis lost hears of it within a second or so', async () => {
    const node = await start({}, { catchUpEvery: 20 })
    const at = Date.now()
    await node.relay.deny(denialOf('session', 'first', at, at + 60_000))
    const fresh = await start({}, { catchUpEvery: 60_000 })
    assert.ok(fresh.relay.findDenial({ sessionId: 'first' }))
    // Put there by a node that tells nobody, as one does that puts back what was lost.
    await node.bus.stores?.denials.deny(denialOf('session', 'second', at, at + 60_000))
    await until(() => fresh.relay.findDenial({ sessionId: 'second' }) !== undefined, 'it was read')
  })

  test('away from the beginning: started, not ready, and ready once it is there', async () => {
    await redis.stop()
    const node = await begin()
    assert.equal(node.relay.ready, false)
    node.relay.joinTopic('a')
    assert.ok(node.failures.some(({ stage }) => stage === 'subscribe'))
    await redis.start()
    await until(() => node.relay.ready, 'it was ready')
    await subscribed('a', 1)
  })

  for (const [name, client] of [
    ['node-redis', () => createClient({ url: redis.url })],
    ['ioredis', () => new Redis(redis.port, '127.0.0.1', { lazyConnect: true })],
  ] as const) {
    test(`SE-07: only the subscriptions are cut (${name}): what was missed is read before it is ready again`, async () => {
      const [near, far] = [await start(), await start({ client: client() })]
      far.relay.joinTopic('a')
      await subscribed('a', 1)
      const killer = createClient({ url: redis.url })
      await killer.connect()
      // In one turn: at this moment nobody listens, so the revocation is not heard.
      const killed = killer.sendCommand(['CLIENT', 'KILL', 'TYPE', 'pubsub'])
      const denied = near.relay.deny(denialOf('session', 's', Date.now(), Date.now() + 60_000))
      await Promise.all([killed, denied])
      killer.destroy()
      await until(() => far.caughtUp >= 2 && far.relay.ready, 'it had caught up')
      assert.ok(far.relay.findDenial({ sessionId: 's' }))
      await subscribed('a', 1)
      near.relay.publish(room('a', 'x'))
      await until(() => far.frames().length === 1, 'it was heard')
    })
  }

  test('13.2.6: it stops answering: nothing waits for it, the node is not ready; and is again when it answers', async () => {
    const node = await start({}, { catchUpEvery: 20 })
    process.kill(redis.pid, 'SIGSTOP')
    try {
      for (let count = 0; count < 100; count++) node.relay.publish(room('a', 'x'))
      assert.ok(
        await Promise.race([
          node.relay.deny(denialOf('session', 's', 1, Date.now() + 60_000)).then((kept) => !kept),
          sleep(8_000, undefined, { ref: false }),
        ]),
      )
      await until(() => !node.relay.ready, 'it had noticed')
    } finally {
      process.kill(redis.pid, 'SIGCONT')
    }
    await until(() => node.relay.ready, 'it was ready again')
    assert.equal(await isDenied(node.bus.stores?.denials, { sessionId: 's' }), true)
  })

  test('13.2.6: it stops answering while nobody asks it anything: noticed by its missing PONG', async () => {
    const plan = compileRedisBus({ url: redis.url, channel: 'app', secret })
    const node = listening(connectRedisBus(plan, { every: 200, timeout: 600 }))
    open.push(node)
    await node.relay.start()
    await until(() => node.relay.ready, 'it was up')
    process.kill(redis.pid, 'SIGSTOP')
    try {
      await until(() => !node.relay.ready, 'it had noticed')
    } finally {
      process.kill(redis.pid, 'SIGCONT')
    }
    await until(() => node.relay.ready, 'it was ready again')
    assert.equal(node.caughtUp >= 2, true)
  })

  test('13.2.6: commands without an answer are bounded in number, size and time', async () => {
    const connection = redisSource(createClient({ url: redis.url }), 'client').open()
    connection.connect()
    await until(() => connection.up, 'it was connected')
    const commands = redisCommands(connection, { pending: 3, pendingSize: 1_000, deadline: 30 })
    process.kill(redis.pid, 'SIGSTOP')
    try {
      const large = redisCommands(connection, { pending: 3, pendingSize: 1_000, deadline: 30 })
      const answers = await Promise.allSettled([1, 2, 3, 4].map(() => commands.send('k', 'PING')))
      const reasons = answers.map((answer) =>
        answer.status === 'rejected' ? String(answer.reason.message) : 'answered',
      )
      assert.deepEqual(reasons.slice(0, 3), Array(3).fill('no answer from Redis within 30 ms'))
      assert.equal(reasons[3], 'too many commands wait for Redis')
      // Given up by the caller, they are still in the client's queue: they still count.
      await assert.rejects(commands.send('k', 'PING'), /too many commands/)
      const first = large.send('k', 'PING', 'x'.repeat(1_000))
      await assert.rejects(large.send('k', 'PING'), /too many commands/)
      await assert.rejects(first, /no answer/)
    } finally {
      process.kill(redis.pid, 'SIGCONT')
    }
    await until(
      () =>
        commands
          .send('k', 'PING')
          .then((answer) => answer === 'PONG')
          .catch(() => false),
      'it answered again',
    )
    await connection.close()
  })
})

// Judged before it was read: the process stood still for longer than a command may take, and its answer was there all the time.
test('C6 an answer of Redis that came while the process stood still is heard', async () => {
  const connection = redisSource(createClient({ url: redis.url }), 'client').open()
  connection.connect()
  await until(() => connection.up, 'it was connected')
  const commands = redisCommands(connection, { pending: 3, pendingSize: 1_000, deadline: 500 })
  const answer = commands.send('k', 'PING')
  // It leaves at the end of this turn.
  await new Promise(setImmediate)
  const end = performance.now() + 1_500
  while (performance.now() < end);
  assert.equal(await answer, 'PONG')
  await connection.close()
})

/** A process of its own that has the one place of `user u`, and is in the lobby. */
async function nodeWithLeases(ttl: number) {
  const script = new URL('../relay/node-with-leases.ts', import.meta.url).pathname
  const node = spawn(process.execPath, [script, redis.url, secret, String(ttl)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await new Promise((resolve) => node.stdout.once('data', resolve))
  return node
}

describe('one entry keeps alive all that a node has', () => {
  const place = { key: 'cap:user u', holder: 'another' }
  const tenures = async () => (await redis.cli('KEYS', 'app:tenure:*')).split('\n').filter((key) => key !== '')

  test('CS-19: kill -9 of a node frees its places when its time is over, and not while it lives', async () => {
    // A third of it is how late a node may be that nobody runs.
    const ttl = 2_000
    const { bus } = await start()
    const leases = bus.stores?.leases
    assert.ok(leases)
    const node = await nodeWithLeases(ttl)
    try {
      // Longer than its time: it is renewed.
      await sleep(ttl * 2)
      assert.equal(await leases.take(place, 1, ttl), false)
      assert.deepEqual(await leases.holders('room:lobby'), ['u'])
      node.kill('SIGKILL')
      await until(() => leases.take(place, 1, ttl), 'the place was free')
      assert.deepEqual(await leases.holders('room:lobby'), [])
    } finally {
      node.kill('SIGKILL')
    }
  })

  test('a node that is stopped for longer is gone, and has everything again when it goes on', async () => {
    const { bus } = await start()
    const leases = bus.stores?.leases
    assert.ok(leases)
    const node = await nodeWithLeases(500)
    try {
      const [before] = await tenures()
      node.kill('SIGSTOP')
      await until(() => leases.take(place, 1, 60_000), 'the place was free')
      assert.deepEqual(await leases.holders('room:lobby'), [])
      node.kill('SIGCONT')
      await until(async () => (await leases.holders('room:lobby')).length === 1, 'it is in the room again')
      // Above the limit: its socket is open. The two are written one after the other.
      await until(async () => (await leases.holders('cap:user u')).length === 2, 'it has its place again')
      assert.ok((await leases.holders('cap:user u')).includes('another'))
      await until(async () => (await tenures()).length === 1, 'the tenure that it had before has ended')
      assert.notEqual((await tenures())[0], before)
    } finally {
      node.kill('SIGKILL')
    }
  })

  test('its entry is deleted, or is something else: everything is there again, in a tenure that nobody touched', async () => {
    const { bus } = await start()
    const leases = bus.stores?.leases
    assert.ok(leases)
    const node = await nodeWithLeases(2_000)
    try {
      for (const hand of [
        async (key: string) => redis.cli('DEL', key),
        async (key: string) => redis.cli('PEXPIRE', key, '1'),
      ]) {
        const [before = ''] = await tenures()
        await hand(before)
        await until(async () => (await tenures()).some((key) => key !== before), 'a new tenure has begun')
        await until(async () => (await tenures()).length === 1, 'the old one is over')
        await until(async () => (await leases.holders('room:lobby')).length === 1, 'it is in the room')
        await until(async () => (await leases.holders('cap:user u')).length === 1, 'it has its place')
        assert.equal(await leases.take(place, 1, 2_000), false)
      }
      // The near miss: another value there is no reason to begin again.
      const [before = ''] = await tenures()
      await redis.cli('SET', before, 'forged', 'PX', '2000')
      await sleep(2_500)
      assert.deepEqual(await tenures(), [before])
    } finally {
      node.kill('SIGKILL')
    }
  })

  // Whoever writes to Redis keeps a dead node alive. Its places have a time of their own.
  test('forged for ever, the entry of a dead node keeps its places no longer than their own time', async () => {
    const { bus } = await start()
    const leases = bus.stores?.leases
    assert.ok(leases)
    await leases.keep('dead', 5_000)
    const [key = ''] = await tenures()
    await redis.cli('SET', key, 'x')
    await leases.take({ key: 'cap:c', holder: 'ghost', tenure: 'dead' }, 1, 3_000)
    assert.equal(await leases.take({ ...place, key: 'cap:c' }, 1, 60_000), false)
    await until(() => leases.take({ ...place, key: 'cap:c' }, 1, 60_000), 'the ghost is over')
    assert.deepEqual(await leases.holders('cap:c'), ['another'])
  })

  test('what was written into places by hand is nobody, and takes no place for long', async () => {
    const { bus } = await start()
    const leases = bus.stores?.leases
    assert.ok(leases)
    await leases.take({ key: 'room:r', holder: 'a' }, 9, 60_000)
    const [name = ''] = (await redis.cli('KEYS', 'app:lease:*')).split('\n')
    for (const said of ['', 'x', '9e99 t', '-1', '99999999999999 of nobody', ' '])
      await redis.cli('HSET', name, `hand ${said}`, said)
    assert.deepEqual(await leases.holders('room:r'), ['a'])
    assert.equal(await leases.take({ key: 'room:r', holder: 'b' }, 2, 60_000), true)
    assert.deepEqual((await leases.holders('room:r')).sort(), ['a', 'b'])
    assert.equal(await redis.cli('HLEN', name), '2')
    await redis.cli('SET', name, 'no hash at all')
    await assert.rejects(leases.take({ key: 'room:r', holder: 'c' }, 9, 60_000), /WRONGTYPE/)
    await assert.rejects(leases.holders('room:r'), /WRONGTYPE/)
  })

  // A hash that is never full: nobody would ever look for those whose node was killed.
  test('a room that is always full of life forgets the dead by its own comings', async () => {
    const { bus } = await start()
    const leases = bus.stores?.leases
    assert.ok(leases)
    await leases.keep('t', 60_000)
    for (let n = 0; n < 100; n++) await leases.take({ key: 'room:r', holder: `dead ${n}`, tenure: 'x' }, 999, 1)
    for (let n = 0; n < 400; n++) await leases.take({ key: 'room:r', holder: `${n % 10}`, tenure: 't' }, 999, 60_000)
    const [name = ''] = (await redis.cli('KEYS', 'app:lease:*')).split('\n')
    assert.equal(await redis.cli('HLEN', name), '10')
  })
})
