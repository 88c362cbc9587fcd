import assert from 'node:assert/strict'
import { test } from 'node:test'
import { frame, opcodes } from '../harness/frames.ts'
import { startServer } from '../harness/server.ts'
import { until } from '../harness/until.ts'

// Text goes to the stream beside ws. A frame that overtook one of ws, or stood in the middle of a fragmented message, would
// make every client fail the connection.

test('text behind a fragment continues the message, for a broadcast too', async (t) => {
  const server = await startServer(t, {}, (app) => {
    app.get('/ws', { websocket: true }, (socket) => {
      socket.join('room')
      socket.send('a', { fin: false })
      socket.send('b')
    })
  })
  const peer = await server.connect()
  await until(() => peer.frames.length === 2, 'both came')
  assert.deepEqual(
    peer.frames.map(({ opcode, fin, payload }) => [opcode, fin, String(payload)]),
    [
      [opcodes.text, false, 'a'],
      [opcodes.continuation, true, 'b'],
    ],
  )
})

test('text and a broadcast wait behind a Blob that is still being read', async (t) => {
  const server = await startServer(t, {}, (app) => {
    app.get('/ws', { websocket: true }, (socket) => {
      socket.join('room')
      socket.send(new Blob(['first']))
      socket.send('second')
      app.secureWs.to('room').send('third')
    })
  })
  const peer = await server.connect()
  await until(() => peer.frames.length === 3, 'all came')
  assert.deepEqual(
    peer.frames.map(({ payload }) => String(payload)),
    ['first', 'second', 'third'],
  )
})

test('where compression was agreed on, text is compressed', async (t) => {
  const server = await startServer(t, { websocket: { options: { perMessageDeflate: { threshold: 10 } } } }, (app) => {
    app.get('/ws', { websocket: true }, (socket) => socket.send('x'.repeat(1_000)))
  })
  const host = `127.0.0.1:${server.port}`
  const peer = await server.connect({
    headers: { Host: host, Origin: `http://${host}`, 'Sec-WebSocket-Extensions': 'permessage-deflate' },
  })
  await until(() => peer.frames.length === 1, 'it came')
  assert.equal(peer.frames[0]?.rsv, 4)
  assert.ok((peer.frames[0]?.payload.length ?? 1_000) < 100)
})

test("an error listener that the application attached on ws's `connection` stays", async (t) => {
  const errors: unknown[] = []
  const server = await startServer(t, {}, (app) => {
    app.websocketServer.on('connection', (socket) => socket.on('error', (error) => errors.push(error)))
    app.get('/ws', { websocket: true }, (socket) => socket.on('message', () => {}))
  })
  const peer = await server.connect()
  peer.write(frame({ rsv: 7 }))
  assert.equal(await peer.closeCode(), 1002)
  assert.equal(errors.length, 1)
})
