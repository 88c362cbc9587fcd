import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import WebSocket from 'ws'
import type { SecureSocket } from '../../src/index.ts'
import { takeClocks } from '../harness/clocks.ts'
import { opcodes } from '../harness/frames.ts'
import { startServer, type TestServer } from '../harness/server.ts'
import { until } from '../harness/until.ts'

// C4: what waits behind a field for the sanitizer was counted by nobody, and lost without a word when the socket closed.

const sends = {
  posted: { schema: { type: 'object', properties: { body: { type: 'string', contentMediaType: 'text/html' } } } },
  said: { schema: { type: 'object', properties: { text: { type: 'string' } } } },
} as const

type Limits = Parameters<typeof startServer>[1]['limits']

/** A route with rich text, and the server's end of one socket on it. */
async function withRichText(
  t: TestContext,
  limits: Limits = {},
  /** Of the session, in ms from the handshake on; anonymous without. */
  life?: number,
): Promise<{
  server: TestServer
  open(): Promise<{ peer: Awaited<ReturnType<TestServer['connect']>>; socket: SecureSocket }>
}> {
  const opened: SecureSocket[] = []
  const authenticate =
    life === undefined ? false : () => ({ id: 'session', userId: 'ann', expiresAt: Date.now() + life })
  const server = await startServer(t, { limits, authenticate }, (app) => {
    app.get('/ws', { websocket: true, secureWs: { sends } }, (socket) => {
      opened.push(socket as SecureSocket)
      socket.join('room')
    })
  })
  return {
    server,
    async open() {
      const peer = await server.connect()
      const socket = opened.at(-1)
      assert.ok(socket)
      return { peer, socket }
    },
  }
}

/** Different each time: what the sanitizer has seen before does not wait. */
let posts = 0
const posted = () => ({ type: 'posted', body: `<b>post ${posts++}</b><script>x</script>` })
const said = (text: string) => ({ type: 'said', text })
const lost = ({ events }: TestServer) =>
  events.filter(({ type, code }) => type === 'output.refused' && code === 'SWS_CLOSED').map(({ reason }) => reason)

test('C4 what waits behind a field for the sanitizer is buffered, and counts against limits.outboundBytes', async (t) => {
  const { server, open } = await withRichText(t, { outboundBytes: 1_000_000 })
  const { peer, socket } = await open()
  const told: unknown[] = []
  socket.send(posted())
  assert.ok(socket.bufferedAmount > 30 && socket.bufferedAmount < 200, `${socket.bufferedAmount}`)
  for (let at = 0; at < 20; at++) socket.send(said('x'.repeat(100_000)), (error) => told.push(error))
  assert.equal(socket.readyState, WebSocket.CLOSING)
  assert.equal(await peer.closeCode(), 1013)
  await until(() => told.length === 20, 'every callback was called')
  assert.ok(told.every((error) => error instanceof Error))
  assert.match(
    String(server.events.find(({ type }) => type === 'socket.closed')?.reason),
    /^over 1000000 bytes waiting/,
  )
  assert.deepEqual(lost(server), ['10 accepted and not sent: the socket ended before their turn'])
})

test('C4 near miss: below the bound everything arrives in order, and nothing is buffered afterwards', async (t) => {
  const { server, open } = await withRichText(t, { outboundBytes: 1_000_000 })
  const { peer, socket } = await open()
  socket.send(posted())
  for (let at = 0; at < 9; at++) socket.send(said(`${at}`.repeat(100_000)))
  assert.ok(socket.bufferedAmount > 900_000)
  await until(() => peer.messages.length === 10, 'all came')
  assert.deepEqual(
    peer.messages.map((message) => Object(message).type),
    ['posted', ...Array<string>(9).fill('said')],
  )
  assert.deepEqual(
    peer.messages.slice(1).map((message) => Object(message).text[0]),
    [...'012345678'],
  )
  assert.equal(socket.bufferedAmount, 0)
  assert.deepEqual(lost(server), [])
})

test('C4 a message to a room waits for its field on each member, and counts on each', async (t) => {
  const { server, open } = await withRichText(t, { outboundBytes: 1_000_000 })
  const { peer, socket } = await open()
  const other = await open()
  server.app.secureWs.to('room').send(posted())
  for (let at = 0; at < 9; at++) server.app.secureWs.to('room').send(said('x'.repeat(100_000)))
  assert.ok(socket.bufferedAmount > 900_000 && other.socket.bufferedAmount > 900_000)
  await until(() => peer.messages.length === 10 && other.peer.messages.length === 10, 'all came')
  assert.equal(socket.bufferedAmount, 0)
})

test('C4 a field that is refused ends nothing, whether somebody still waits for its message or not', async (t) => {
  const { server, open } = await withRichText(t, { outboundBytes: 60_000 })
  const { peer, socket } = await open()
  const told: unknown[] = []
  const refused = () => {
    const blob = new Blob(['x'.repeat(40_000)])
    const reading = async () => {
      await sleep(20)
      throw new Error('the file is gone')
    }
    return Object.defineProperty(blob, 'arrayBuffer', { value: reading })
  }
  socket.send(refused(), (error) => told.push(error))
  // Does not fit behind it.
  socket.send(refused(), (error) => told.push(error))
  assert.equal(await peer.closeCode(), 1013)
  await until(() => told.length === 2, 'both callbacks were called')
  await server.empty()
  await sleep(50)
})

test('C4 what was sent before close() leaves before it, in order, and nothing that was sent after', async (t) => {
  const { server, open } = await withRichText(t)
  const { peer, socket } = await open()
  const told: unknown[] = []
  socket.send(posted(), (error) => told.push(error))
  socket.send(said('last words'), (error) => told.push(error))
  socket.close(4000, 'done')
  assert.equal(socket.readyState, WebSocket.CLOSING)
  socket.send(said('too late'), (error) => told.push(error))
  server.app.secureWs.to('room').send(said('too late as well'))
  assert.equal(await peer.closeCode(), 4000)
  assert.equal(peer.closed?.reason, 'done')
  assert.deepEqual(
    peer.messages.map((message) => Object(message).type),
    ['posted', 'said'],
  )
  assert.deepEqual(
    told.map((error) => (error instanceof Error ? Object(error).code : 'sent')),
    ['SWS_CLOSED', 'sent', 'sent'],
  )
  assert.deepEqual(lost(server), [])
})

test('C4 the close frame waits for what was sent before it no longer than limits.writeTimeout', async (t) => {
  const { server, open } = await withRichText(t, { writeTimeout: 100 })
  const { peer, socket } = await open()
  const told: unknown[] = []
  // A Blob whose bytes never come, in the place of a sanitizer that hangs.
  const hanging = new Blob(['x'])
  Object.defineProperty(hanging, 'arrayBuffer', { value: () => new Promise(() => {}) })
  socket.send(hanging, (error) => told.push(error))
  socket.close(4000)
  const started = performance.now()
  assert.equal(await peer.closeCode(), 4000)
  assert.ok(performance.now() - started < 5_000, 'and not the ten seconds of the default')
  assert.deepEqual(
    told.map((error) => Object(error).code),
    ['SWS_CLOSED'],
  )
  assert.deepEqual(lost(server), ['1 accepted and not sent: the socket ended before their turn'])
})

// SE-05: the right to send is gone, whatever the application had asked for before.
test('C4 SE-05 a revocation does not wait for what was sent before close()', async (t) => {
  const { server, open } = await withRichText(t, {}, 60_000)
  const { peer, socket } = await open()
  const told: unknown[] = []
  for (let at = 0; at < 3; at++) socket.send(posted(), (error) => told.push(error))
  socket.close(4000)
  await server.app.secureWs.revoke({ userId: 'ann' })
  assert.equal(await peer.closeCode(), 4000)
  assert.deepEqual(peer.messages, [])
  assert.equal(told.length, 3)
  assert.equal(lost(server).length, 1)
})

test('C4 a session that expires while a field is cleaned gets nothing of it', async (t) => {
  const clocks = takeClocks(t)
  const { server, open } = await withRichText(t, {}, 60_000)
  const { peer, socket } = await open()
  const told: unknown[] = []
  socket.send(posted(), (error) => told.push(error))
  // A sweep comes once a second, and the clean field before it, in most runs.
  clocks.moveDate(60_000)
  assert.equal(await peer.closeCode(), 3000)
  assert.deepEqual(peer.messages, [])
  assert.equal(told.length, 1)
  assert.equal(lost(server).length, 1)
})

for (const end of ['terminate', 'reset'] as const) {
  test(`C4 nobody is left untold when the connection goes: ${end}`, async (t) => {
    const { server, open } = await withRichText(t)
    const { peer, socket } = await open()
    const told: unknown[] = []
    for (let at = 0; at < 3; at++) socket.send(posted(), (error) => told.push(error))
    if (end === 'terminate') socket.terminate()
    else peer.reset()
    await server.empty()
    await until(() => told.length === 3, 'every callback was called')
    if (end === 'terminate') assert.equal(lost(server).length, 1)
  })
}

test('a broadcast between two fragments of a message comes after it, and does not continue it', async (t) => {
  const server = await startServer(t, {}, (app) => {
    app.get('/ws', { websocket: true }, (socket) => {
      socket.join('room')
      socket.send('a', { fin: false })
      app.secureWs.to('room').send('broadcast')
      app.secureWs.to('room').send('another')
      socket.send('b', { fin: false })
      socket.send('c')
      socket.send('d')
    })
  })
  const peer = await server.connect()
  await until(() => peer.frames.length === 6, 'all came')
  assert.deepEqual(
    peer.frames.map(({ opcode, fin, payload }) => [opcode, fin, String(payload)]),
    [
      [opcodes.text, false, 'a'],
      [opcodes.continuation, false, 'b'],
      [opcodes.continuation, true, 'c'],
      [opcodes.text, true, 'broadcast'],
      [opcodes.text, true, 'another'],
      [opcodes.text, true, 'd'],
    ],
  )
})

test('a broadcast behind a message that is never finished counts, and holds up neither pings nor the close frame', async (t) => {
  let socket: SecureSocket | undefined
  const server = await startServer(t, {}, (app) => {
    app.get('/ws', { websocket: true }, (opened) => {
      socket = opened
      opened.join('room')
      opened.send('a', { fin: false })
      app.secureWs.to('room').send('x'.repeat(1_000))
      opened.ping('alive')
    })
  })
  const peer = await server.connect()
  await until(() => peer.frames.length === 2, 'the fragment and the ping came')
  assert.equal(socket?.bufferedAmount, 1_004)
  socket.close(1000)
  assert.equal(await peer.closeCode(), 1000)
  assert.deepEqual(
    peer.frames.map(({ opcode }) => opcode),
    [opcodes.text, opcodes.ping, opcodes.close],
  )
  assert.deepEqual(lost(server), ['1 accepted and not sent: the socket ended before their turn'])
})

test('a Blob that cannot be read is refused, and what was sent behind it arrives', async (t) => {
  const told: unknown[] = []
  const server = await startServer(t, {}, (app) => {
    app.get('/ws', { websocket: true }, (socket) => {
      const gone = new Blob(['x'])
      Object.defineProperty(gone, 'arrayBuffer', { value: async () => Promise.reject(new Error('the file is gone')) })
      socket.send(gone, (error) => told.push(error))
      socket.send('behind it')
    })
  })
  const peer = await server.connect()
  await until(() => peer.texts.length === 1, 'it came')
  assert.deepEqual(peer.texts, ['behind it'])
  assert.match(String(told), /the file is gone/)
  assert.equal(server.events.filter(({ type }) => type === 'output.refused').length, 1)
})
