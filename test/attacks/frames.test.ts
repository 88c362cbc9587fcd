import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { close, fragments, frame, opcodes, ping, text } from '../harness/frames.ts'
import { startServer } from '../harness/server.ts'
import { until } from '../harness/until.ts'

const limits = { messageBytes: 1_000, refusals: { perMinute: 100 } }

/** A raw route that remembers what reached its listener, and a neighbour that must not notice anything. */
async function start(t: TestContext) {
  const seen: string[] = []
  const server = await startServer(t, { limits }, (app) => {
    app.get('/ws', { websocket: true }, (socket) => {
      socket.on('message', (bytes) => {
        seen.push(String(bytes))
        socket.send('heard')
      })
    })
  })
  const neighbour = await server.connect()
  return { ...server, seen, neighbour }
}

/** Writes the bytes of an attack and a good message behind them; what comes back is a close code, and no listener hears a thing. */
async function outcome(t: TestContext, ...attack: readonly Uint8Array[]) {
  const server = await start(t)
  const { neighbour, seen, events } = server
  const peer = await server.connect()
  peer.write(...attack, text('SECRET-CANARY'))
  const code = await peer.closeCode()
  assert.deepEqual(seen, [], 'no listener was called')
  await until(() => server.app.secureWs.stats().sockets === 1, 'the attacker had gone')
  const ends = events.filter(({ type }) => type === 'socket.closed')
  assert.equal(ends.length, 1, 'one audit event says how it ended')
  assert.equal(ends[0]?.code, code)
  assert.ok(!JSON.stringify([events, server.logged]).includes('CANARY'), 'no event or log line quotes a payload')
  neighbour.write(text('still here'))
  await until(() => neighbour.texts.includes('heard'), 'the neighbour was heard')
  assert.deepEqual(seen, ['still here'])
  return code
}

const cases: readonly (readonly [name: string, code: number, ...attack: readonly Uint8Array[]])[] = [
  ['FR-01 an unmasked frame', 1002, frame({ masked: false, payload: 'x' })],
  ['FR-02 RSV1 where compression is off', 1002, frame({ rsv: 4, payload: 'x' })],
  ['FR-03 RSV2', 1002, frame({ rsv: 2, payload: 'x' })],
  ['FR-03 RSV3', 1002, frame({ rsv: 1, payload: 'x' })],
  ['FR-03 all three on a continuation', 1002, frame({ fin: false, payload: 'x' }), frame({ opcode: 0, rsv: 7 })],
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode) => [`FR-04 opcode ${opcode}`, 1002, frame({ opcode })] as const),
  ['FR-05 half a ping', 1002, frame({ opcode: opcodes.ping, fin: false })],
  ['FR-05 half a close', 1002, frame({ opcode: opcodes.close, fin: false })],
  ['FR-05 a ping of 126 bytes', 1002, ping('x'.repeat(126))],
  ['FR-05 a pong of 65,536 bytes', 1002, frame({ opcode: opcodes.pong, payload: Buffer.alloc(65_536) })],
  ['FR-06 a continuation of nothing', 1002, frame({ opcode: opcodes.continuation, payload: 'x' })],
  ['FR-06 new text inside a message', 1002, frame({ fin: false, payload: 'a' }), text('b')],
  ['FR-06 binary inside a text message', 1002, frame({ fin: false, payload: 'a' }), frame({ opcode: 2, payload: 'b' })],
  ['FR-07 a byte that is no UTF-8', 1007, text(Buffer.from([0x61, 0xff]))],
  ['FR-07 an overlong slash', 1007, text(Buffer.from([0xc0, 0xaf]))],
  ['FR-07 an encoded surrogate', 1007, text(Buffer.from([0xed, 0xa0, 0x80]))],
  ['FR-07 beyond U+10FFFF', 1007, text(Buffer.from([0xf4, 0x90, 0x80, 0x80]))],
  ['FR-07 a character without its end', 1007, text(Buffer.from([0xe2, 0x82]))],
  ['FR-07 a bad second half', 1007, fragments([Buffer.from([0xe2, 0x82]), Buffer.from([0x41])])],
  ['FR-08 one byte too many', 1009, text('x'.repeat(1_001))],
  ['FR-08 one byte too many in 100 fragments', 1009, fragments([...Array(99).fill('x'.repeat(10)), 'x'.repeat(11)])],
  [
    'FR-08 the second fragment declares too much',
    1009,
    frame({ fin: false, payload: 'x'.repeat(900) }),
    frame({ opcode: 0, payload: 'x'.repeat(101) }),
  ],
  ['FR-08 2^53 bytes declared and none sent', 1009, frame({ declaredLength: 2n ** 53n })],
  ['FR-08 2^62 bytes declared and none sent', 1009, frame({ declaredLength: 2n ** 62n })],
  ['FR-08 the top bit of the length', 1009, frame({ declaredLength: 2n ** 63n })],
  ['FR-09 17,000 fragments of no byte', 1008, ...emptyFragments(17_000)],
  ['FR-10 a close with half a code', 1002, frame({ opcode: opcodes.close, payload: Buffer.from([3]) })],
  ...[0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535].map(
    (code) => [`FR-10 close code ${code}`, 1002, close(code)] as const,
  ),
  ['FR-10 a close reason that is no UTF-8', 1007, close(1000, Buffer.from([0xff]))],
]

function emptyFragments(count: number): Uint8Array[] {
  return [frame({ fin: false }), ...Array<Buffer>(count).fill(frame({ opcode: opcodes.continuation, fin: false }))]
}

for (const [name, code, ...attack] of cases) {
  test(`${name}: ${code}, and nobody hears of it`, async (t) => {
    assert.equal(await outcome(t, ...attack), code)
  })
}

test('FR-09 17,000 fragments of one byte end with 1008, far below the size limit', async (t) => {
  const server = await startServer(t, { limits: { messageBytes: 65_536 } }, (app) => {
    app.get('/ws', { websocket: true }, (socket) => {
      socket.on('message', () => assert.fail('delivered'))
    })
  })
  const peer = await server.connect()
  peer.write(fragments(Array<string>(17_000).fill('x')))
  assert.equal(await peer.closeCode(), 1008)
})

// The near misses: as close to each rule as may be, and right.
const good: readonly (readonly [name: string, heard: string, ...frames: readonly Uint8Array[]])[] = [
  ['a masked frame', 'x', text('x')],
  ['exactly the limit', 'x'.repeat(1_000), text('x'.repeat(1_000))],
  ['exactly the limit in 100 fragments', 'x'.repeat(1_000), fragments(Array<string>(100).fill('x'.repeat(10)))],
  ['a length in eight bytes that would fit in one', 'x', frame({ payload: 'x', declaredLength: 1n })],
  ['a character cut between two fragments', '\u20ac', fragments([Buffer.from([0xe2, 0x82]), Buffer.from([0xac])])],
  [
    'a ping of 125 bytes inside a message',
    'ab',
    frame({ fin: false, payload: 'a' }),
    ping('x'.repeat(125)),
    frame({ opcode: 0, payload: 'b' }),
  ],
  ['an empty message', '', text('')],
  ['the last code point there is', '\u{10ffff}', text('\u{10ffff}')],
]

for (const [name, heard, ...frames] of good) {
  test(`near miss: ${name} is heard`, async (t) => {
    const server = await start(t)
    const peer = await server.connect()
    peer.write(...frames)
    await until(() => peer.texts.length === 1, 'it was answered')
    assert.deepEqual(server.seen, [heard])
    assert.equal(peer.closed, undefined)
  })
}

test('a frame that comes byte by byte is heard once it is whole', async (t) => {
  const server = await start(t)
  const peer = await server.connect()
  for (const byte of text('slow')) {
    peer.write(Buffer.from([byte]))
    await new Promise(setImmediate)
  }
  await until(() => peer.texts.length === 1, 'it was answered')
  assert.deepEqual(server.seen, ['slow'])
})

for (const code of [1000, 1001, 1013, 3000, 3003, 4999]) {
  test(`FR-11 close code ${code} of a client is echoed, without its text, and means nothing else`, async (t) => {
    const server = await start(t)
    const peer = await server.connect()
    peer.write(close(code, '<script>alert(1)</script>'))
    assert.equal(await peer.closeCode(), code)
    assert.equal(peer.closed?.reason, '')
    await until(() => server.app.secureWs.stats().sockets === 1, 'only the neighbour was left')
    const end = server.events.find(({ type }) => type === 'socket.closed')
    assert.equal(end?.code, code)
    assert.ok(!JSON.stringify(server.events).includes('script'))
    // 3000 and 3003 are words of ours; said by a client they revoke nobody.
    assert.ok(!server.events.some(({ type }) => type === 'session.revoked'))
  })
}

test('FR-10 a close without a code is answered without one', async (t) => {
  const server = await start(t)
  const peer = await server.connect()
  peer.write(close())
  assert.equal(await peer.closeCode(), 1005)
})

test('FR-12 frames behind the close frame of the client are ignored', async (t) => {
  const server = await start(t)
  const peer = await server.connect()
  peer.write(text('before'), close(1000), text('after'), ping(), frame({ rsv: 7 }), Buffer.alloc(10_000, 0xff))
  assert.equal(await peer.closeCode(), 1000)
  assert.deepEqual(server.seen, ['before'])
})

test('server frames are whole, unmasked and without extension bits, whatever their length', async (t) => {
  const server = await startServer(t, {}, (app) => {
    app.get('/ws', { websocket: true }, (socket) => {
      for (const length of [0, 1, 125, 126, 65_535, 65_536]) socket.send('x'.repeat(length))
    })
  })
  const peer = await server.connect()
  await until(() => peer.frames.length === 6, 'all had come')
  assert.deepEqual(
    peer.texts.map(({ length }) => length),
    [0, 1, 125, 126, 65_535, 65_536],
  )
  assert.ok(peer.frames.every(({ fin, rsv, masked }) => fin && rsv === 0 && !masked))
})

test('compression that a client offers is not taken', async (t) => {
  const server = await start(t)
  const host = `127.0.0.1:${server.port}`
  const peer = await server.connect({
    headers: {
      Host: host,
      Origin: `http://${host}`,
      'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits',
    },
  })
  assert.equal(peer.answer.headers['sec-websocket-extensions'], undefined)
})
