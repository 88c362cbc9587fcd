import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Inbox } from '../../src/connection/inbox.ts'

function inbox(bounds: { inboundQueue?: number; messageBytes?: number } = {}) {
  const box = new Inbox({ inboundQueue: 3, messageBytes: 100, ...bounds })
  return { box, push: (text: string) => box.push({ bytes: Buffer.from(text), isBinary: false }) }
}

test('MS-14 frames wait in the order in which they came', () => {
  const { box, push } = inbox()
  for (const text of ['a', 'b', 'c']) push(text)
  const taken = Array.from({ length: 4 }, () => box.shift()?.bytes.toString())
  assert.deepEqual(taken, ['a', 'b', 'c', undefined])
})

test('MS-15 it is full at the bound of frames, and at the bound of bytes', () => {
  const frames = inbox()
  assert.deepEqual(['a', 'b', 'c', 'd'].map(frames.push), ['kept', 'kept', 'full', 'full'])
  const bytes = inbox({ inboundQueue: 1_000 })
  assert.deepEqual(['b'.repeat(99), 'c'].map(bytes.push), ['kept', 'full'])
})

// What was read before the pause, and inflated.
test('C3 more than any stream can bring without compression is not kept', () => {
  const { box, push } = inbox({ inboundQueue: 1_000 })
  const most = 4 * 65_536
  assert.deepEqual([push('x'.repeat(most - 1)), push('xx'), push('x'), push('x')], ['full', 'over', 'full', 'over'])
  assert.equal(box.bytes, most)
})

test('SE-05 what was cleared does not come back', () => {
  const { box, push } = inbox()
  for (const text of ['a', 'b', 'c', 'd']) push(text)
  box.clear()
  assert.deepEqual([box.shift(), box.bytes], [undefined, 0])
})

test('bytes are those that wait', () => {
  const { box, push } = inbox()
  for (const text of ['a', 'bc', 'def']) push(text)
  assert.equal(box.bytes, 6)
  box.shift()
  assert.equal(box.bytes, 5)
})
