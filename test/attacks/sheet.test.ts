import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { deflateRawSync } from 'node:zlib'
import { WebSocket } from 'ws'
import { fragments, frame, opcodes, text } from '../harness/frames.ts'
import { startServer } from '../harness/server.ts'
import { until } from '../harness/until.ts'

// What the OWASP cheat sheet asks for that no other file is about: defaults, and what nobody switched on.

const listening = (heard: number[]) => (app: Parameters<Parameters<typeof startServer>[2]>[0]) => {
  app.get('/ws', { websocket: true }, (socket) => {
    socket.on('message', (bytes: Buffer) => heard.push(bytes.length))
  })
}

// One byte more than 64 KiB, whichever way it is cut up.
for (const [name, attack] of [
  ['as text', text('x'.repeat(65_537))],
  ['as binary', frame({ opcode: opcodes.binary, payload: 'x'.repeat(65_537) })],
  ['in 100 fragments', fragments([...Array<string>(99).fill('x'.repeat(655)), 'x'.repeat(692)])],
] as const) {
  test(`CS-14 65,537 bytes ${name} close with 1009 by default, and nobody hears of it`, async (t) => {
    const heard: number[] = []
    const server = await startServer(t, {}, listening(heard))
    const peer = await server.connect()
    peer.write(attack)
    assert.equal(await peer.closeCode(), 1009)
    assert.deepEqual(heard, [])
  })
}

test('CS-14 near miss: 65,536 bytes arrive, whole or in fragments', async (t) => {
  const heard: number[] = []
  const server = await startServer(t, {}, listening(heard))
  const peer = await server.connect()
  peer.write(text('x'.repeat(65_536)), fragments(Array<string>(64).fill('x'.repeat(1_024))))
  await until(() => heard.length === 2, 'both were heard')
  assert.deepEqual(heard, [65_536, 65_536])
})

function hostAndOrigin(port: number, origin = `http://127.0.0.1:${port}`) {
  return [
    ['Host', `127.0.0.1:${port}`],
    ['Origin', origin],
  ] as const
}

const offer = [['Sec-WebSocket-Extensions', 'permessage-deflate; client_max_window_bits']] as const

test('CS-3 who offers compression does not get it', async (t) => {
  const server = await startServer(t, {}, listening([]))
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}/ws`, { origin: `http://127.0.0.1:${server.port}` })
  t.after(() => socket.terminate())
  await once(socket, 'open')
  assert.equal(socket.extensions, '')
})

// A megabyte of zeros is a kilobyte on the wire.
test('CS-3 a bomb closes with 1009 where compression was asked for', async (t) => {
  const heard: number[] = []
  const server = await startServer(t, { websocket: { options: { perMessageDeflate: true } } }, listening(heard))
  const peer = await server.connect({ headers: [...hostAndOrigin(server.port), ...offer] })
  assert.match(peer.answer.head, /permessage-deflate/i)
  const bomb = deflateRawSync(Buffer.alloc(1_000_000))
  assert.ok(bomb.length < 2_000)
  peer.write(frame({ rsv: 4, opcode: opcodes.binary, payload: bomb }))
  assert.equal(await peer.closeCode(), 1009)
  assert.deepEqual(heard, [])
})

test('CS-23 opening, refusing and closing leave one event each, with who and where', async (t) => {
  const server = await startServer(t, { authenticate: () => ({ id: 'session', userId: 'ada' }) }, listening([]))
  const peer = await server.connect()
  await assert.rejects(server.connect({ headers: hostAndOrigin(server.port, 'https://evil.example') }))
  peer.reset()
  await server.empty()
  // The start has events of its own: the function that signs in is never asked again.
  const events = server.events.filter(({ type }) => type !== 'options.loosened')
  assert.deepEqual(
    events.map(({ type, code }) => [type, code]),
    [
      ['handshake.accepted', undefined],
      ['handshake.refused', 'SWS_ORIGIN_REFUSED'],
      ['socket.closed', 1006],
    ],
  )
  const [accepted, refused, closed] = events
  assert.deepEqual([accepted?.user, accepted?.address, accepted?.route], ['ada', '127.0.0.1', '/ws'])
  assert.equal(refused?.origin, 'https://evil.example')
  assert.deepEqual([closed?.user, closed?.socket], ['ada', accepted?.socket])
})

// Below these versions: a crash by reset, memory by fragments and pongs, mutation XSS.
test('CS-26 dependencies are of the versions from which on they are safe', () => {
  const floors = { ws: [8, 23, 0], '@fastify/websocket': [11, 3, 6], dompurify: [3, 4, 18], jsdom: [31, 0, 1] }
  const read = (path: string): { version: string; dependencies: Record<string, string> } =>
    JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8'))
  const { dependencies } = read('../../package.json')
  for (const [name, floor] of Object.entries(floors)) {
    const installed = read(`../../node_modules/${name}/package.json`).version
    for (const version of [installed, dependencies[name] ?? ''])
      assert.ok(isAtLeast(version, floor), `${name} ${version}`)
  }
})

function isAtLeast(version: string, floor: readonly number[]): boolean {
  const parts = version.replace(/^\D+/, '').split('.').map(Number)
  const different = floor.findIndex((least, index) => parts[index] !== least)
  return different === -1 || (parts[different] ?? 0) > (floor[different] ?? 0)
}
