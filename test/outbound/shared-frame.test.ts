import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as ws from 'ws'
import { SharedFrame } from '../../src/outbound/shared-frame.ts'

// Not in its types, and not for applications; here it says what a frame is.
const Sender: object = Reflect.get(ws, 'Sender')

/** What ws itself writes for the same payload. */
function frameOfWs(payload: Uint8Array, opcode: number): Buffer {
  const options = { fin: true, rsv1: false, opcode, mask: false, readOnly: true }
  return Buffer.concat(Reflect.apply(Reflect.get(Sender, 'frame'), Sender, [payload, options]) as Buffer[])
}

// One length written in the wrong one of three ways, and every member reads the rest of the stream as something else.
test('a frame has the same bytes as one of ws, around every border of its length', () => {
  for (const length of [0, 1, 125, 126, 127, 65_535, 65_536, 65_537]) {
    const bytes = Buffer.alloc(length, 'x')
    const text = new SharedFrame({ payload: bytes.toString(), binary: false })
    assert.ok(text.bytes.equals(frameOfWs(bytes, 1)), `${length} as text`)
    const binary = new SharedFrame({ payload: bytes, binary: true })
    assert.ok(binary.bytes.equals(frameOfWs(bytes, 2)), `${length} as bytes`)
    assert.equal(binary.payload, bytes)
    assert.equal(binary.binary, true)
  }
})

test('text is counted in bytes, and a view is its own part of the buffer', () => {
  const text = new SharedFrame({ payload: '\u20ac'.repeat(50), binary: false })
  assert.ok(text.bytes.equals(frameOfWs(Buffer.from('\u20ac'.repeat(50)), 1)))
  const whole = Uint8Array.from([1, 2, 3, 4, 5])
  const part = new SharedFrame({ payload: whole.subarray(1, 3), binary: true })
  assert.ok(part.bytes.equals(frameOfWs(Buffer.from([2, 3]), 2)))
  const wide = new SharedFrame({ payload: Uint16Array.of(0x0102), binary: true })
  assert.equal(wide.bytes.length, 4)
  const buffer = new SharedFrame({ payload: whole.buffer, binary: true })
  assert.ok(buffer.bytes.equals(frameOfWs(Buffer.from(whole), 2)))
})

test('a frame is made once', () => {
  const frame = new SharedFrame({ payload: 'x', binary: false })
  assert.equal(frame.bytes, frame.bytes)
})
