import assert from 'node:assert/strict'
import { test } from 'node:test'
import { controlTopic, isTopic, roomTopic } from '../../src/relay/bus.ts'
import fc from '../harness/fast-check.ts'

const anyUnits = fc
  .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 12 })
  .map((units) => String.fromCharCode(...units))

test('BR-05: whatever a room is called, its topic is a plain name below `room:`', () => {
  fc.assert(
    fc.property(anyUnits, (room) => {
      assert.ok(isTopic(roomTopic(room)))
      assert.match(roomTopic(room), /^room:[A-Za-z0-9._~-]*$/)
    }),
  )
})

test('BR-05: two rooms never share a topic', () => {
  fc.assert(fc.property(anyUnits, anyUnits, (one, two) => (one === two) === (roomTopic(one) === roomTopic(two))))
  // Near misses: names that an encoder over UTF-8, or one that forgets its own escape character, would join.
  for (const [one, two] of [
    ['\ud800', '\ud801'],
    ['\ud800', '\ufffd'],
    ['a*', 'a~002a'],
    ['\u00e4', 'a\u0308'],
    ['a', 'a '],
    ['a', 'A'],
  ] as const) {
    assert.notEqual(roomTopic(one), roomTopic(two))
  }
})

test('no room is the control topic', () => {
  for (const room of ['', 'control', '../control', ':control']) assert.notEqual(roomTopic(room), controlTopic)
})

test('a topic is bounded', () => {
  assert.equal(isTopic('a'.repeat(2_048)), true)
  assert.equal(isTopic('a'.repeat(2_049)), false)
  assert.equal(isTopic('a\n'), false)
  assert.equal(isTopic(''), false)
})
