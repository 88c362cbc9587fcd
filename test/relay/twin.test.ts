import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { type Bus, roomTopic } from '../../src/relay/bus.ts'
import { sealEnvelope } from '../../src/relay/envelope.ts'
import { memoryBus } from '../../src/relay/memory-bus.ts'
import { createOwnWords } from '../../src/relay/own-words.ts'
import { denialOf } from '../../src/session/denials.ts'
import fc from '../harness/fast-check.ts'
import { type Listening, listening } from './two-nodes.ts'

// One image of a process, started twice (the snapshot of a virtual machine): both have the name of the one, and its numbers.
const said = (frame: string) => ({ kind: 'room', room: 'a', frame }) as const
const open: Listening[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map(({ relay }) => relay.close()))
})

async function start(bus: Bus, nodeId?: string): Promise<Listening> {
  const node = listening(bus, nodeId === undefined ? {} : { nodeId })
  open.push(node)
  await node.relay.start()
  node.relay.joinTopic('a')
  await turn()
  return node
}

async function twins(): Promise<readonly [one: Listening, other: Listening, third: Listening]> {
  const bus = memoryBus()
  return [await start(bus, 'image'), await start(bus, 'image'), await start(bus)]
}

const revoked = (name: string) => denialOf('session', name, Date.now(), Date.now() + 600_000)
const knows = ({ relay }: Listening, name: string) => relay.findDenial({ sessionId: name }) !== undefined

describe('two processes of one name', () => {
  test('a revocation of the one is heard by the other, whose echo it is by its name; and by a third', async () => {
    const [one, other, third] = await twins()
    await one.relay.deny(revoked('ann'))
    await turn()
    assert.deepEqual(
      [one, other, third].map((node) => knows(node, 'ann')),
      [true, true, true],
    )
  })

  test('a third node hears both, though it has heard the number before', async () => {
    const [one, other, third] = await twins()
    // Neither has heard of the other yet.
    await Promise.all([one.relay.deny(revoked('ann')), other.relay.deny(revoked('bob'))])
    await turn()
    for (const node of [one, other, third]) assert.deepEqual([knows(node, 'ann'), knows(node, 'bob')], [true, true])
    assert.ok(third.refused.includes('replayed'))
  })

  test('they part, and say so once: from then on everybody hears every word of theirs, once', async () => {
    const [one, other, third] = await twins()
    await one.relay.publish(said('first'))
    await other.relay.publish(said('second'))
    await turn()
    const names = new Set([one, other, third].map(({ relay }) => relay.nodeId))
    assert.equal(names.size, 3)
    for (const frame of ['third', 'fourth', 'fifth']) {
      await one.relay.publish(said(`one ${frame}`))
      await other.relay.publish(said(`other ${frame}`))
    }
    await turn()
    assert.deepEqual(third.frames().slice(-6).sort(), [
      'one fifth',
      'one fourth',
      'one third',
      'other fifth',
      'other fourth',
      'other third',
    ])
    // Nobody hears itself, also of what was under way while it took another name.
    assert.deepEqual(one.frames().slice(-3), ['other third', 'other fourth', 'other fifth'])
    assert.ok(!one.frames().some((frame) => frame === 'first' || frame.startsWith('one')))
    assert.deepEqual(other.frames(), ['first', 'one third', 'one fourth', 'one fifth'])
    const events = [one, other, third].flatMap(({ failures }) => failures.map(({ reason }) => reason))
    assert.ok(events.length >= 1 && events.length <= 2, String(events))
    assert.match(events[0] ?? '', /^a copy of this process speaks under its name/)
  })

  test('the near miss: a node that hears itself is no twin, and hears nothing', async () => {
    const bus = memoryBus()
    const node = await start(bus)
    const { nodeId } = node.relay
    for (let number = 0; number < 100; number++) await node.relay.publish(said(String(number)))
    await node.relay.deny(revoked('ann'))
    await turn()
    assert.deepEqual([node.frames(), node.failures, node.refused, node.relay.nodeId], [[], [], [], nodeId])
  })

  test('BR-03: nor is one that hears its own words again and again', async () => {
    const bus = memoryBus()
    const payloads: string[] = []
    await bus.subscribe(roomTopic('a'), (payload) => payloads.push(payload))
    const node = await start(bus)
    await node.relay.publish(said('x'))
    await turn()
    for (let time = 0; time < 3; time++) await bus.publish(roomTopic('a'), payloads[0] ?? '')
    await turn()
    assert.deepEqual([node.frames(), node.failures, node.refused], [[], [], []])
  })
})

describe('whose words they are', () => {
  const sealed = (node: string, sequence: number, at: number, frame: string) =>
    [{ node, sequence, at }, sealEnvelope('topic', { node, sequence, at, message: said(frame) }, undefined)] as const

  test('at random: what this process said is its own, what its copy said is not, whatever each has said before', () => {
    const step = fc.record({ by: fc.constantFrom('one', 'other'), passed: fc.nat(2), renames: fc.nat(9) })
    fc.assert(
      fc.property(fc.nat(5), fc.array(step, { maxLength: 60 }), (before, steps) => {
        const own = createOwnWords('image')
        const copy = createOwnWords('image')
        let at = 1_000
        const sent: [by: string, ...ReturnType<typeof sealed>][] = []
        const say = (by: string, words: typeof own) => {
          const sequence = words.next()
          const [envelope, payload] = sealed(words.name, sequence, at, `by ${by}`)
          words.note(sequence, at, payload)
          return [by, envelope, payload] as const
        }
        for (let number = 0; number < before; number++) {
          const [, { sequence }, payload] = say('both', own)
          assert.equal(copy.next(), sequence)
          copy.note(sequence, at, payload)
        }
        let names = 0
        for (const { by, passed, renames } of steps) {
          at += passed
          if (renames === 0 && names < 3) own.rename(`renamed ${names++}`)
          sent.push([...say(by, by === 'one' ? own : copy)])
        }
        for (const [by, envelope, payload] of sent)
          assert.equal(own.speaker(envelope, payload), by === 'one' ? 'own' : 'twin')
        assert.equal(own.speaker(...sealed('stranger', 1, at, 'x')), 'other')
      }),
    )
  })

  test('a copy that speaks seldom is told by the time, when its numbers are long past', () => {
    const own = createOwnWords('image')
    const first = sealed('image', own.next(), 1_000, 'first')
    own.note(1, 1_000, first[1])
    for (let time = 1_001; time < 40_000; time++) own.note(own.next(), time, '')
    assert.equal(own.speaker(...first), 'own')
    assert.equal(own.speaker(...sealed('image', 2, 40_000, 'of the copy')), 'twin')
  })
})
