import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createArrivals } from '../../src/relay/arrival.ts'
import { sealEnvelope } from '../../src/relay/envelope.ts'
import { createOwnWords } from '../../src/relay/own-words.ts'
import { denialOf } from '../../src/session/denials.ts'
import fc from '../harness/fast-check.ts'

const now = 1_800_000_000_000
const clockSkew = 5_000
const message = { kind: 'room', room: 'room:a', frame: '{}' } as const

function arrivals() {
  const judge = createArrivals({ own: createOwnWords('here'), clockSkew, keys: () => undefined })
  return {
    at(envelope: string, time: number, uptime: number): string {
      const arrival = judge('topic', 'room:a', envelope, time, uptime)
      return 'message' in arrival ? 'taken' : 'refused' in arrival ? arrival.refused : 'echo'
    },
  }
}

function envelope(node: string, sequence: number, at: number): string {
  return sealEnvelope('topic', { node, sequence, at, message }, undefined)
}

test('X-9: an envelope is taken once, though the clock was set ahead and back', () => {
  const node = arrivals()
  const captured = envelope('there', 1, now)
  const hour = 3_600_000
  assert.equal(node.at(captured, now, 0), 'taken')
  // Another node, in the wrong hour: now is when the silent ones would be forgotten.
  assert.equal(node.at(envelope('third', 1, now + hour), now + hour, 1_000), 'taken')
  assert.equal(node.at(captured, now + 2_000, 2_000), 'replayed')
  // Near miss: the next one of the same node.
  assert.equal(node.at(envelope('there', 2, now + 2_000), now + 2_000, 2_000), 'taken')
})

test('X-9: no envelope is taken twice while it can be told, however the clock jumps', () => {
  const step = fc.record({
    passed: fc.nat(1_000),
    jump: fc.oneof(fc.constant(0), fc.integer({ min: -20 * clockSkew, max: 20 * clockSkew })),
    node: fc.constantFrom('there', 'third'),
    sequence: fc.nat(5),
  })
  fc.assert(
    // Eleven seconds of silence and a node is forgotten: so many steps last no longer.
    fc.property(fc.array(step, { minLength: 2, maxLength: 10 }), (steps) => {
      const judge = arrivals()
      const taken = new Set<string>()
      let uptime = 0
      let clock = now
      for (const { passed, jump, node, sequence } of steps) {
        uptime += passed
        clock += passed + jump
        const name = `${node} ${sequence}`
        // The attacker has the key of nobody, but an envelope of every moment.
        const said = judge.at(envelope(node, sequence, clock), clock, uptime)
        assert.equal(said, taken.has(name) ? 'replayed' : 'taken')
        taken.add(name)
      }
    }),
  )
})

test('an end of sessions is heard under a number that was heard before, of a copy of its node; a repeated word is not', () => {
  const judge = createArrivals({ own: createOwnWords('here'), clockSkew, keys: () => undefined })
  const close = (name: string) =>
    sealEnvelope(
      'control',
      {
        node: 'there',
        sequence: 1,
        at: now,
        message: { kind: 'identity', verb: 'close', subjects: [denialOf('session', name, now, now + 1)] },
      },
      undefined,
    )
  const first = judge('control', undefined, close('ann'), now, 0)
  const second = judge('control', undefined, close('bob'), now, 0)
  assert.deepEqual('message' in first && [first.isRepeated, first.isTwin], [false, false])
  assert.deepEqual('message' in second && [second.isRepeated, second.message], [
    true,
    { kind: 'identity', verb: 'close', subjects: [denialOf('session', 'bob', now, now + 1)] },
  ])
  const room = sealEnvelope('topic', { node: 'there', sequence: 1, at: now, message }, undefined)
  assert.deepEqual(judge('topic', 'room:a', room, now, 0), { refused: 'replayed' })
})
