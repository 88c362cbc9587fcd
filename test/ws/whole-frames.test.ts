import assert from 'node:assert/strict'
import type { Writable } from 'node:stream'
import { test } from 'node:test'
import { constants, deflateRawSync } from 'node:zlib'
import * as ws from 'ws'
import { guardReceiver } from '../../src/ws/guarded-receiver.ts'
import type { WsReceiver } from '../../src/ws/internals.ts'
import { takeWholeFrames } from '../../src/ws/whole-frames.ts'
import fc from '../harness/fast-check.ts'
import { carrying, frame, opcodes, text } from '../harness/frames.ts'

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

/** All that a receiver tells about these pieces, which come `apart`, or before it is done with the one before. */
async function heardOf(
  pieces: readonly Buffer[],
  { allowSynchronousEvents = true, apart = true }: { allowSynchronousEvents?: boolean; apart?: boolean },
  guard: boolean,
): Promise<readonly unknown[]> {
  const receiver: Writable & WsReceiver = Reflect.construct(Reflect.get(ws, 'Receiver'), [
    {
      isServer: true,
      maxPayload: messageBytes,
      allowSynchronousEvents,
      extensions: { 'permessage-deflate': inflater() },
    },
  ])
  const heard: unknown[] = []
  const message = (payload: Buffer, isBinary: boolean) => {
    heard.push(['message', String(payload), isBinary])
    // What a listener awaits goes on before or after the next message, by the option.
    queueMicrotask(() => heard.push('awaited'))
  }
  receiver.on('message', message)
  for (const event of ['ping', 'pong'] as const)
    receiver.on(event, (payload: Buffer) => void heard.push([event, String(payload)]))
  receiver.on('conclude', (code: number, reason: Buffer) => void heard.push(['conclude', code, String(reason)]))
  receiver.on('error', ({ message }) => void heard.push(['error', message]))
  const told = { messageBytes, took: message, tookIn() {} }
  if (guard) guardReceiver(receiver, told)
  // As ws does: a receiver that has failed or concluded is given nothing any more.
  for (const piece of pieces) {
    if (heard.some((entry) => Array.isArray(entry) && /^(?:error|conclude)$/.test(entry[0]))) break
    receiver.write(Buffer.from(piece))
    // For each message that ws puts off.
    if (apart) for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
  }
  if (!receiver.destroyed && !receiver.writableEnded) receiver.end()
  // Not `once` of Node, which rejects for an error on the way.
  if (!receiver.closed) await new Promise((closed) => receiver.on('close', closed))
  return heard
}

function inflater(): object {
  const extension: { accept(offers: readonly object[]): unknown } = Reflect.construct(
    Reflect.get(ws, 'PerMessageDeflate'),
    [{ isServer: true, maxPayload: messageBytes }],
  )
  extension.accept([{}])
  return extension
}

function compressed(payload: string): Buffer {
  return frame({ rsv: 4, payload: deflateRawSync(payload, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4) })
}

// What an attacker sends in two reads, so that the second one begins with a frame where none may begin.
const evil = text('evil')
const emptyInside = Buffer.from([0x81, 0x81, 0x80, 0, 0, 0, 0xff])
const smuggled: Record<string, readonly Buffer[]> = {
  'behind a first fragment': [frame({ payload: 'a', fin: false }), evil],
  'in a payload, behind its header': [carrying(evil).subarray(0, 6), carrying(evil).subarray(6)],
  'in a payload, behind some of it': [carrying(Buffer.concat([evil, evil])).subarray(0, 16), evil],
  'in a header': [emptyInside.subarray(0, 1), emptyInside.subarray(1)],
  'behind a close frame': [frame({ opcode: opcodes.close, payload: Buffer.from([0x03, 0xe8]) }), evil],
  'behind a header that is wrong': [Buffer.from([0x83, 0]), evil],
}
for (const [where, pieces] of Object.entries(smuggled)) {
  for (const apart of [true, false]) {
    test(`a message ${where} is none, ${apart ? 'in a read of its own' : 'in the same turn'}`, async () => {
      const heard = await heardOf(pieces, { apart }, true)
      assert.deepEqual(heard, await heardOf(pieces, { apart }, false))
      assert.ok(!JSON.stringify(heard).includes('["message","evil",false]'))
      assert.ok(!JSON.stringify(heard).includes('["message","",false]'))
    })
  }
}

test('a message does not overtake one that is being inflated', async () => {
  const pieces = [compressed('first'), text('second'), compressed('third'), text('fourth')]
  const heard = await heardOf(pieces, { apart: false }, true)
  const names = heard.filter(Array.isArray).map(([, name]) => name)
  assert.deepEqual(names, ['first', 'second', 'third', 'fourth'])
})

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
const carried = message.map(carrying)
const stream = fc.record({
  frames: fc.array(fc.oneof({ weight: 4, arbitrary: message }, carried, anyFrame), { maxLength: 8 }),
  // Close to where a frame begins, or behind its header.
  cuts: fc.array(fc.record({ of: fc.nat(7), at: fc.oneof(fc.nat(8), fc.nat(300)) }), { maxLength: 4 }),
  allowSynchronousEvents: fc.boolean(),
})

test('whatever comes, and however it is cut, is heard as ws alone hears it', async () => {
  await fc.assert(
    fc.asyncProperty(stream, async ({ frames, cuts, allowSynchronousEvents }) => {
      const bytes = Buffer.concat(frames)
      const starts = frames.map((_, index) => Buffer.concat(frames.slice(0, index)).length)
      const places = cuts.map(({ of, at }) => (starts[of] ?? 0) + at).filter((place) => place < bytes.length)
      const ends = [...places.toSorted((a, b) => a - b), bytes.length]
      const pieces = ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end))
      const [guarded, bare] = [true, false].map((guard) => heardOf(pieces, { allowSynchronousEvents }, guard))
      assert.deepEqual(await guarded, await bare)
    }),
    { numRuns: 300 },
  )
})
