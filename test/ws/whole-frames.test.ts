import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Writable } from 'node:stream'
import { test } from 'node:test'
import * as ws from 'ws'
import { guardReceiver } from '../../src/ws/guarded-receiver.ts'
import type { WsReceiver } from '../../src/ws/internals.ts'
import { takeWholeFrames } from '../../src/ws/whole-frames.ts'
import fc from '../harness/fast-check.ts'
import { frame, opcodes, text } from '../harness/frames.ts'

const messageBytes = 1_000

/** Takes what it can of a piece: the messages, and how many bytes are left. */
function take(piece: Buffer) {
  const messages: unknown[] = []
  const taken = takeWholeFrames(piece, {
    messageBytes,
    took: (payload, isBinary) => void messages.push([String(payload), isBinary]),
  })
  return { messages, left: piece.length - taken }
}

// An attacker chooses every byte of a frame, and where it is cut. What is wrong with it is for ws to say: a second opinion
// about the protocol would be a second protocol.
test('a frame that is not a message, whole and as it should be, is left as it came', () => {
  const wrong: Record<string, Buffer> = {
    'without a mask': frame({ payload: 'x', masked: false }),
    'with RSV1': frame({ payload: 'x', rsv: 4 }),
    'with RSV3': frame({ payload: 'x', rsv: 1 }),
    'a first fragment': frame({ payload: 'x', fin: false }),
    'a last fragment': frame({ payload: 'x', opcode: opcodes.continuation }),
    'of an unknown kind': frame({ payload: 'x', opcode: 3 }),
    'a ping': frame({ payload: 'x', opcode: opcodes.ping }),
    'a close': frame({ payload: Buffer.from([0x03, 0xe8]), opcode: opcodes.close }),
    'not UTF-8': text(Buffer.from([0x61, 0xc3, 0x28, 0x61, 0x61])),
    'one byte too long': text('x'.repeat(messageBytes + 1)),
    'with its length in eight bytes': frame({ payload: 'x', declaredLength: 1n }),
  }
  for (const [what, bytes] of Object.entries(wrong)) {
    const piece = Buffer.from(bytes)
    assert.deepEqual(take(piece), { messages: [], left: bytes.length }, what)
    assert.deepEqual(piece, bytes, `${what}: masked as it was`)
    const behind = Buffer.concat([text('first'), bytes, text('behind')])
    const left = bytes.length + text('behind').length
    assert.deepEqual(take(behind), { messages: [['first', false]], left }, `${what}, between two`)
  }
  for (const whole of [text('hello'), text('x'.repeat(200))]) {
    for (let cut = 0; cut < whole.length; cut++) {
      assert.deepEqual(take(Buffer.from(whole.subarray(0, cut))), { messages: [], left: cut }, `cut after ${cut}`)
    }
  }
})

test('its near miss: messages, whole and as they should be, are taken, and none is left', () => {
  const long = 'x'.repeat(messageBytes)
  const bytes = frame({ payload: Buffer.from([1, 2, 3]), opcode: opcodes.binary })
  const piece = Buffer.concat([text('a'), text(''), text('\u00e9\u{1f600}'), bytes, text(long), text('y'.repeat(126))])
  const messages = [
    ['a', false],
    ['', false],
    ['\u00e9\u{1f600}', false],
    ['\u0001\u0002\u0003', true],
    [long, false],
    ['y'.repeat(126), false],
  ]
  assert.deepEqual(take(piece), { messages, left: 0 })
})

/** All that a receiver tells about these pieces. */
async function heardOf(pieces: readonly Buffer[], guard: boolean): Promise<readonly unknown[]> {
  const receiver: Writable & WsReceiver = Reflect.construct(Reflect.get(ws, 'Receiver'), [
    { isServer: true, maxPayload: messageBytes },
  ])
  const heard: unknown[] = []
  const message = (payload: Buffer, isBinary: boolean) => void heard.push(['message', String(payload), isBinary])
  receiver.on('message', message)
  for (const event of ['ping', 'pong'] as const)
    receiver.on(event, (payload: Buffer) => void heard.push([event, String(payload)]))
  receiver.on('conclude', (code: number, reason: Buffer) => void heard.push(['conclude', code, String(reason)]))
  receiver.on('error', ({ message }) => void heard.push(['error', message]))
  const told = { messageBytes, took: message, gather() {}, gathered() {}, tookIn() {} }
  if (guard) guardReceiver(receiver, told)
  // As ws does: whoever has failed or concluded is given nothing any more.
  for (const piece of pieces) {
    if (heard.some((entry) => Array.isArray(entry) && /^(?:error|conclude)$/.test(entry[0]))) break
    receiver.write(Buffer.from(piece))
    await new Promise(setImmediate)
  }
  if (!receiver.destroyed && !receiver.writableEnded) receiver.end()
  if (!receiver.closed) await once(receiver, 'close')
  return heard
}

const anyFrame = fc
  .record({
    fin: fc.boolean(),
    rsv: fc.constantFrom(0, 0, 0, 0, 0, 0, 0, 0, 0, 4),
    opcode: fc.constantFrom(0, 1, 1, 2, 8, 9, 10),
    masked: fc.constantFrom(true, true, true, true, true, true, true, true, false),
    payload: fc.oneof(fc.string({ unit: 'grapheme' }), fc.uint8Array({ maxLength: 130 })),
  })
  .map(frame)
const message = fc.string({ unit: 'grapheme', maxLength: 300 }).map(text)
const stream = fc.record({
  frames: fc.array(fc.oneof({ weight: 4, arbitrary: message }, anyFrame), { maxLength: 8 }),
  cuts: fc.array(fc.nat(600), { maxLength: 4 }),
})

test('whatever comes, and however it is cut, is heard as ws alone hears it', async () => {
  await fc.assert(
    fc.asyncProperty(stream, async ({ frames, cuts }) => {
      const bytes = Buffer.concat(frames)
      const ends = [...cuts.filter((cut) => cut < bytes.length).toSorted((a, b) => a - b), bytes.length]
      const pieces = ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end))
      assert.deepEqual(await heardOf(pieces, true), await heardOf(pieces, false))
    }),
    { numRuns: 300 },
  )
})
