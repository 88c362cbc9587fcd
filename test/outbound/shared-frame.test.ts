import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as ws from 'ws'
import { SharedFrame, textFrameOf } from '../../src/outbound/shared-frame.ts'
import fc from '../harness/fast-check.ts'

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

const onTheWire = (frame: string | Buffer) => (typeof frame === 'string' ? Buffer.from(frame, 'latin1') : frame)

// As Latin-1 a text that is not ASCII would be other text, and no length in its header would be true.
test('the frame of one text for one socket has the same bytes, whatever stands in it', () => {
  const lengths = [0, 1, 125, 126, 127, 256, 257, 21_845, 65_535, 65_536, 65_537]
  const ends = ['', '\u007f', '\u0080', '\u00ff', '\u20ac', '\ud83d\ude00', '\ud800']
  for (const text of lengths.flatMap((length) => ends.map((end) => 'x'.repeat(length) + end))) {
    for (const length of [undefined, Buffer.byteLength(text)]) {
      const frame = onTheWire(textFrameOf(text, 1, length))
      assert.ok(frame.equals(frameOfWs(Buffer.from(text), 1)), `${text.length} and its end, ${length} counted`)
    }
  }
  const text = fc.oneof(fc.string({ maxLength: 600 }), fc.string({ unit: 'binary', maxLength: 600 }))
  fc.assert(fc.property(text, (said) => onTheWire(textFrameOf(said, 1)).equals(frameOfWs(Buffer.from(said), 1))))
})

test('ASCII makes no buffer', () => {
  for (const length of [0, 125, 126, 65_535]) assert.equal(typeof textFrameOf('x'.repeat(length), 1), 'string')
})
