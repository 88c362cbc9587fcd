import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { Bus } from '../../src/relay/bus.ts'
import { roomTopic } from '../../src/relay/bus.ts'
import { envelopeLimit, sealEnvelope } from '../../src/relay/envelope.ts'
import { memoryBus } from '../../src/relay/memory-bus.ts'
import type { RelayOptions } from '../../src/relay/relay.ts'
import { denialOf } from '../../src/session/denials.ts'
import { isDenied } from '../harness/denials.ts'
import { type Listening, listening } from './two-nodes.ts'

const open: Listening[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map(({ relay }) => relay.close()))
})

async function start(bus: Bus, options: Partial<RelayOptions> = {}): Promise<Listening> {
  const node = listening(bus, options)
  open.push(node)
  await node.relay.start()
  return node
}

const said = (room: string, frame: string) => ({ kind: 'room', room, frame }) as const

describe('rooms', () => {
  test('a message reaches the nodes that joined the room, and not its sender', async () => {
    const bus = memoryBus()
    const [near, far, away] = [await start(bus), await start(bus), await start(bus)]
    near.relay.joinTopic('a')
    far.relay.joinTopic('a')
    away.relay.joinTopic('b')
    await turn()
    near.relay.publish({ ...said('a', 'x'), except: 'socket 1' })
    await turn()
    assert.deepEqual(far.heard, [{ ...said('a', 'x'), except: 'socket 1' }])
    assert.deepEqual([near.heard, away.heard], [[], []])
    assert.deepEqual([near.failures, far.failures], [[], []])
  })

  test('after the last member left nothing is heard, and after a new one came it is', async () => {
    const bus = memoryBus()
    const [near, far] = [await start(bus), await start(bus)]
    far.relay.joinTopic('a')
    await turn()
    far.relay.leaveTopic('a')
    near.relay.publish(said('a', '1'))
    await turn()
    far.relay.joinTopic('a')
    await turn()
    near.relay.publish(said('a', '2'))
    await turn()
    assert.deepEqual(far.frames(), ['2'])
  })

  test('BR-07: joining and leaving 1,000 times ends where the last one said, with nothing left behind', async () => {
    const bus = memoryBus()
    const [near, far] = [await start(bus), await start(bus)]
    for (let round = 0; round < 1_000; round++) {
      far.relay.joinTopic('a')
      if (round % 3 === 0) await turn()
      far.relay.leaveTopic('a')
    }
    far.relay.leaveTopic('never joined')
    await turn()
    assert.equal(bus.audience?.(roomTopic('a')), 0)
    far.relay.joinTopic('a')
    far.relay.leaveTopic('a')
    far.relay.joinTopic('a')
    await turn()
    assert.equal(bus.audience?.(roomTopic('a')), 1)
    near.relay.publish(said('a', 'x'))
    await turn()
    assert.deepEqual(far.frames(), ['x'])
  })

  test('BR-05: a member of `*` hears nothing of other rooms', async () => {
    const bus = memoryBus()
    const [near, far] = [await start(bus), await start(bus)]
    for (const room of ['*', 'room:*', 'secre?', '[s]ecret', 'secret\r\n', 'secret:', '~0073ecret'])
      far.relay.joinTopic(room)
    await turn()
    near.relay.publish(said('secret', 'x'))
    near.relay.publish(said('*', 'for the star'))
    await turn()
    assert.deepEqual(far.frames(), ['for the star'])
  })

  test('a message of a room nobody else is in is not even encoded', async () => {
    const bus = memoryBus()
    const near = await start(bus)
    near.relay.joinTopic('a')
    await turn()
    let published = 0
    const { publish } = bus
    bus.publish = (topic, payload) => {
      published++
      return publish(topic, payload)
    }
    near.relay.publish(said('a', 'x'))
    assert.equal(published, 0)
    const far = await start(bus)
    far.relay.joinTopic('a')
    await turn()
    near.relay.publish(said('a', 'x'))
    assert.equal(published, 1)
  })

  test('publishing never throws: what cannot be sent is a failure of stage `publish`', async () => {
    const bus = memoryBus()
    const [near, far] = [await start(bus), await start(bus)]
    far.relay.joinTopic('a')
    await turn()
    near.relay.publish(said('a', 'x'.repeat(envelopeLimit)))
    assert.deepEqual(near.failures, [{ stage: 'publish', reason: `envelope larger than ${envelopeLimit} characters` }])
    bus.publish = () => {
      throw new Error('thrown')
    }
    near.relay.publish(said('a', 'x'))
    bus.publish = () => Promise.reject(new Error('rejected'))
    near.relay.publish(said('a', 'x'))
    await turn()
    assert.deepEqual(
      near.failures.slice(1).map(({ reason }) => reason),
      ['thrown', 'rejected'],
    )
    assert.deepEqual(far.heard, [])
  })

  test('a listener that throws is a failure of stage `delivery`, and hears the next one', async () => {
    const bus = memoryBus()
    const near = await start(bus)
    const frames: string[] = []
    const far = await start(bus, {
      onMessage(message) {
        if (message.kind !== 'room') return
        frames.push(message.frame)
        throw new Error('listener')
      },
    })
    far.relay.joinTopic('a')
    await turn()
    near.relay.publish(said('a', '1'))
    near.relay.publish(said('a', '2'))
    await turn()
    assert.deepEqual(frames, ['1', '2'])
    assert.deepEqual(
      far.failures.map(({ stage }) => stage),
      ['delivery', 'delivery'],
    )
  })
})

describe('envelopes that no node sent', () => {
  const now = 1_700_000_000_000
  const sealed = (
    message: Parameters<typeof sealEnvelope>[1]['message'],
    fields: object = {},
    topic = roomTopic('a'),
  ) => sealEnvelope(topic, { node: 'another', sequence: 1, at: now, message, ...fields }, undefined)
  const denial = denialOf('session', 's', now, now + 60_000)

  const attacks: Record<string, [topic: string, payloads: string[], reason: string]> = {
    'BR-03: noise': [roomTopic('a'), ['{"a":1}'], 'malformed'],
    'BR-03: another version': [roomTopic('a'), [sealed(said('a', 'x')).replace('sws1', 'sws9')], 'other version'],
    'X-9: from 31 s ago': [roomTopic('a'), [sealed(said('a', 'x'), { at: now - 31_000 })], 'stale'],
    'from 31 s ahead': [roomTopic('a'), [sealed(said('a', 'x'), { at: now + 31_000 })], 'stale'],
    'for a room, in another room': [roomTopic('a'), [sealed(said('b', 'x'))], 'other topic'],
    'for a room, in the control topic': ['control', [sealed(said('a', 'x'))], 'other topic'],
    'a revocation, in a room': [
      roomTopic('a'),
      [sealed({ kind: 'identity', verb: 'close', subjects: [denial] })],
      'other topic',
    ],
  }
  for (const [name, [topic, payloads, reason]] of Object.entries(attacks)) {
    test(`${name}: does nothing but say so`, async () => {
      const bus = memoryBus()
      const node = await start(bus, { now: () => now })
      node.relay.joinTopic('a')
      await turn()
      for (const payload of payloads) await bus.publish(topic, payload)
      await turn()
      assert.deepEqual(node.heard, [])
      assert.deepEqual([node.refused, node.failures], [[reason], []])
      assert.equal(node.relay.findDenial({ sessionId: 's' }), undefined)
    })
  }

  test('X-9: replayed, it is heard once', async () => {
    const bus = memoryBus()
    const node = await start(bus, { now: () => now })
    node.relay.joinTopic('a')
    await turn()
    for (let time = 0; time < 3; time++) await bus.publish(roomTopic('a'), sealed(said('a', 'x'), { at: now - 29_000 }))
    await turn()
    assert.deepEqual(node.frames(), ['x'])
    assert.deepEqual(node.refused, ['replayed', 'replayed'])
  })

  test('LG-03: a failure says nothing of what came over the wire', async () => {
    const bus = memoryBus()
    const node = await start(bus)
    node.relay.joinTopic('a')
    await turn()
    await bus.publish(roomTopic('a'), 'sws1..{"secret-of-the-wire"')
    await turn()
    assert.equal(node.refused.length, 1)
    assert.ok(!JSON.stringify(node.refused).includes('secret-of-the-wire'))
  })
})

describe('revocations', () => {
  const until = Date.now() + 600_000
  const denial = denialOf('session', 's1', Date.now(), until)

  test('CS-9: in force here before the call returns, and there as soon as it was told', async () => {
    const bus = memoryBus()
    const [near, far] = [await start(bus), await start(bus)]
    const stored = near.relay.deny(denial)
    assert.deepEqual(near.heard, [{ kind: 'identity', verb: 'close', subjects: [denial] }])
    assert.deepEqual(near.relay.findDenial({ sessionId: 's1' }), denial)
    assert.equal(await stored, true)
    await turn()
    assert.deepEqual(far.heard, near.heard)
    assert.deepEqual(far.relay.findDenial({ sessionId: 's1' }), denial)
    assert.equal(far.relay.findDenial({ sessionId: 's2' }), undefined)
  })

  test('SE-07: a node that comes later knows it before it is ready', async () => {
    const bus = memoryBus()
    const near = await start(bus)
    await near.relay.deny(denial)
    const far = listening(bus)
    open.push(far)
    assert.equal(far.relay.ready, false)
    await far.relay.start()
    assert.equal(far.relay.ready, true)
    assert.deepEqual(far.relay.findDenial({ sessionId: 's1' }), denial)
    assert.equal(far.caughtUp, 1)
  })

  test('told many times, it is heard once; extended, again', async () => {
    const bus = memoryBus()
    const [near, far] = [await start(bus), await start(bus)]
    await near.relay.deny(denial)
    await near.relay.deny(denial)
    await far.relay.deny(denial)
    await turn()
    assert.equal(far.heard.length, 1)
    await near.relay.deny({ ...denial, until: until + 1 })
    await turn()
    assert.equal(far.heard.length, 2)
  })

  test('what is over is not told', async () => {
    const node = await start(memoryBus())
    await node.relay.deny({ ...denial, until: Date.now() - 1 })
    assert.deepEqual(node.heard, [])
  })

  test('reauthorize is told to the others, and denies nothing', async () => {
    const bus = memoryBus()
    const [near, far] = [await start(bus), await start(bus)]
    near.relay.publish({ kind: 'identity', verb: 'reauthorize', subjects: [denial] })
    await turn()
    assert.deepEqual(far.heard, [{ kind: 'identity', verb: 'reauthorize', subjects: [denial] }])
    assert.equal(far.relay.findDenial({ sessionId: 's1' }), undefined)
  })

  test('a message that was lost is made up for by asking the store', async () => {
    const bus = memoryBus()
    const far = await start(bus, { catchUpEvery: 10 })
    await bus.stores?.denials.deny(denial)
    while (far.relay.findDenial({ sessionId: 's1' }) === undefined) await turn()
    assert.equal(far.heard.length, 1)
  })

  test('16.5.3: a store that fails makes the node unready until it answers, and gets what it missed', async () => {
    const bus = memoryBus()
    const far = await start(bus, { catchUpEvery: 10 })
    const store = bus.stores?.denials
    assert.ok(store)
    const { since, deny } = store
    store.since = () => Promise.reject(new Error('away'))
    store.deny = () => Promise.reject(new Error('away'))
    while (far.relay.ready) await turn()
    assert.equal(await far.relay.deny(denial), false)
    assert.deepEqual(far.relay.findDenial({ sessionId: 's1' }), denial)
    Object.assign(store, { since, deny })
    while (!far.relay.ready) await turn()
    assert.equal(await isDenied(store, { sessionId: 's1' }), true)
    assert.ok(far.failures.some(({ stage }) => stage === 'catch-up'))
  })

  test('a store that takes long to be read holds up no start: the node is not ready until it is read', async () => {
    const bus = memoryBus()
    const store = bus.stores?.denials
    assert.ok(store)
    await store.deny(denial)
    const { since } = store
    const read = Promise.withResolvers<void>()
    store.since = (cursor) => read.promise.then(() => since(cursor))
    // Fastify gives a plugin 10 s.
    const began = performance.now()
    const node = await start(bus)
    assert.ok(performance.now() - began < 8_000)
    assert.equal(node.relay.ready, false)
    read.resolve()
    while (!node.relay.ready) await turn()
    assert.deepEqual(node.relay.findDenial({ sessionId: 's1' }), denial)
  })

  test('a denial the store refused once is put there at the next look', async () => {
    const bus = memoryBus()
    const node = await start(bus, { catchUpEvery: 10 })
    const store = bus.stores?.denials
    assert.ok(store)
    const { deny } = store
    store.deny = () => Promise.reject(new Error('full'))
    assert.equal(await node.relay.deny(denial), false)
    store.deny = deny
    const patience = performance.now() + 5_000
    while (!(await isDenied(store, { sessionId: 's1' })) && performance.now() < patience) await turn()
    assert.equal(await isDenied(store, { sessionId: 's1' }), true)
  })
})

describe('the life of a relay', () => {
  test('closed, it hears and says nothing more', async () => {
    const bus = memoryBus()
    const [near, far] = [await start(bus), await start(bus)]
    far.relay.joinTopic('a')
    await turn()
    near.relay.publish(said('a', 'on its way'))
    await far.relay.close()
    await far.relay.close()
    await turn()
    assert.deepEqual(far.heard, [])
    assert.equal(far.relay.ready, false)
    assert.equal(bus.audience?.(roomTopic('a')), 0)
    far.relay.publish(said('a', 'x'))
    assert.deepEqual([near.heard, far.failures], [[], []])
  })

  test('a bus of two applications closes with the last one', async () => {
    const bus = memoryBus()
    let closed = 0
    const { close } = bus
    bus.close = () => {
      closed++
      return close()
    }
    const [near, far, third] = [await start(bus), await start(bus), await start(bus)]
    await near.relay.close()
    third.relay.joinTopic('a')
    await turn()
    far.relay.publish(said('a', 'still here'))
    await turn()
    assert.deepEqual(third.frames(), ['still here'])
    await far.relay.close()
    assert.equal(closed, 0)
    await third.relay.close()
    assert.equal(closed, 1)
  })

  test('never started, it closes nobody\u2019s bus', async () => {
    const bus = memoryBus()
    const far = await start(bus)
    await listening(bus).relay.close()
    far.relay.joinTopic('a')
    await turn()
    assert.equal(bus.audience?.(roomTopic('a')), 1)
  })

  test('a bus of three methods is enough', async () => {
    const { name, subscribe, publish, close } = memoryBus()
    const bus: Bus = { name, subscribe, publish, close }
    const [near, far] = [await start(bus), await start(bus)]
    far.relay.joinTopic('a')
    await turn()
    near.relay.publish(said('a', 'x'))
    // Told, and kept nowhere: a node that did not listen at this moment will never know.
    assert.equal(await near.relay.deny(denialOf('session', 's', 1, Date.now() + 1_000)), false)
    await turn()
    assert.deepEqual(far.frames(), ['x'])
    assert.ok(far.relay.findDenial({ sessionId: 's' }))
  })

  test('a subscription that failed is made later', async () => {
    const bus = memoryBus()
    const { subscribe } = bus
    const [near, far] = [await start(bus), await start(bus, { catchUpEvery: 10 })]
    bus.subscribe = () => Promise.reject(new Error('not now'))
    far.relay.joinTopic('a')
    await turn()
    assert.equal(far.failures[0]?.stage, 'subscribe')
    bus.subscribe = subscribe
    while (bus.audience?.(roomTopic('a')) === 0) await turn()
    near.relay.publish(said('a', 'x'))
    await turn()
    assert.deepEqual(far.frames(), ['x'])
  })
})
