import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createReplayWindow } from '../../src/relay/replay-window.ts'
import fc from '../harness/fast-check.ts'

test('X-9: an envelope is admitted once', () => {
  const window = createReplayWindow(1_000)
  assert.equal(window.admit('n', 1, 0), true)
  assert.equal(window.admit('n', 1, 0), false)
  assert.equal(window.admit('n', 2, 0), true)
  assert.equal(window.admit('n', 1, 0), false)
  assert.equal(window.admit('other', 1, 0), true)
})

test('late ones are admitted while they can be told from replays', () => {
  const window = createReplayWindow(1_000)
  assert.equal(window.admit('n', 10_000, 0), true)
  assert.equal(window.admit('n', 10_000 - 4_095, 0), true)
  assert.equal(window.admit('n', 10_000 - 4_095, 0), false)
  assert.equal(window.admit('n', 10_000 - 4_096, 0), false)
})

test('a number is never admitted twice, in whatever order numbers come', () => {
  const jumps = fc.array(fc.oneof(fc.nat(50), fc.nat(20_000)), { minLength: 1, maxLength: 300 })
  fc.assert(
    fc.property(jumps, (numbers) => {
      const window = createReplayWindow(1_000)
      const admitted = new Set<number>()
      let highest = -1
      for (const number of numbers) {
        const fresh = !admitted.has(number) && number > highest - 4_096
        assert.equal(window.admit('n', number, 0), fresh)
        if (fresh) admitted.add(number)
        highest = Math.max(highest, number)
      }
    }),
  )
})

test('nodes that fell silent are forgotten, those that speak are not', () => {
  const window = createReplayWindow(1_000)
  window.admit('silent', 1, 10_000)
  window.admit('speaks', 1, 10_000)
  window.admit('speaks', 2, 10_900)
  window.admit('third', 1, 11_200)
  assert.equal(window.admit('speaks', 1, 11_200), false)
  // Its old envelopes are stale by now; only its being forgotten shows here.
  assert.equal(window.admit('silent', 1, 11_200), true)
})
