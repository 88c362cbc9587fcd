import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { Writable } from 'node:stream'
import { type TestContext, test } from 'node:test'
import { WebSocket } from 'ws'
import { createTurn } from '../../src/ws/coalescer.ts'
import type { WsSocket } from '../../src/ws/internals.ts'
import { WebSocketWire } from '../../src/ws/ws-port.ts'
import { frame, text } from '../harness/frames.ts'
import { until } from '../harness/until.ts'

// `ws/internals.ts` declares what is used of ws's private parts. When ws renames any of it, this fails, before a limit silently
// stops to hold: each is looked at in the state that it is read for, not only for being there. A user's own ws is looked at in
// the same way before the start, by `ws/known-ws.ts`.

interface Internals {
  readonly _receiver: Writable & { _state: number; _bufferedBytes: number; _fragmented: number; _binaryType: string }
  readonly _sender: {
    _state: number
    _firstFragment: boolean
    _queue: unknown[]
    send(payload: unknown, options: object, callback?: () => void): void
  }
  readonly _socket: Socket
  setSocket(stream: Socket, head: Buffer, options: object): void
}

async function open(t: { after(release: () => void): void }) {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  const client = connect(address.port, '127.0.0.1')
  const [stream] = (await once(server, 'connection')) as [Socket]
  t.after(() => {
    client.destroy()
    stream.destroy()
    server.close()
  })
  const socket: WebSocket & Internals = Reflect.construct(WebSocket, [
    null,
    undefined,
    { autoPong: true, closeTimeout: 100 },
  ])
  socket.setSocket(stream, Buffer.alloc(0), { maxPayload: 1_000 })
  socket.on('error', () => {})
  return { socket, client, stream }
}

test('setSocket opens the socket on a stream, and _socket is that stream', async (t) => {
  const { socket, stream } = await open(t)
  assert.equal(socket.readyState, WebSocket.OPEN)
  assert.equal(socket._socket, stream)
  assert.equal(typeof socket._socket.bytesWritten, 'number')
  assert.equal(typeof socket._socket.writableLength, 'number')
})

test('the receiver between messages is in state 0, with nothing buffered and no fragment', async (t) => {
  const { socket, client } = await open(t)
  const atRest = () => [socket._receiver._state, socket._receiver._bufferedBytes, socket._receiver._fragmented]
  assert.deepEqual(atRest(), [0, 0, 0])
  client.write(text('x'))
  await once(socket, 'message')
  await new Promise(setImmediate)
  assert.deepEqual(atRest(), [0, 0, 0])
})

test('one byte of a header is buffered, a header without its body is a state, a fragment is a flag', async (t) => {
  const half = await open(t)
  half.client.write(Buffer.from([0x81]))
  await until(() => half.socket._receiver._bufferedBytes === 1, '_bufferedBytes counted the byte')

  const header = await open(t)
  header.client.write(text('x').subarray(0, 6))
  await until(() => header.socket._receiver._state !== 0, '_state was that of a body')

  const fragment = await open(t)
  fragment.client.write(frame({ fin: false, payload: 'x' }))
  await until(() => fragment.socket._receiver._fragmented === 1, '_fragmented was the opcode')
  assert.deepEqual([fragment.socket._receiver._state, fragment.socket._receiver._bufferedBytes], [0, 0])
})

test('binaryType is handed to the receiver, which is why ours does not', async (t) => {
  const { socket } = await open(t)
  assert.equal(socket._receiver._binaryType, 'nodebuffer')
  socket.binaryType = 'arraybuffer'
  assert.equal(socket._receiver._binaryType, 'arraybuffer')
})

test('the sender says when something is in front of a frame that is written beside it', async (t) => {
  const { socket } = await open(t)
  const free = () => [socket._sender._state, socket._sender._firstFragment, socket._sender._queue.length]
  assert.deepEqual(free(), [0, true, 0])
  socket.send('x')
  assert.deepEqual(free(), [0, true, 0])
  // A Blob is read first, and what is sent meanwhile queues behind it.
  socket.send(new Blob(['x']))
  socket.send('behind')
  assert.notEqual(socket._sender._state, 0)
  assert.equal(socket._sender._queue.length, 1)
  await until(() => socket._sender._queue.length === 0, 'the queue was empty')
  socket.send('half', { fin: false })
  assert.equal(socket._sender._firstFragment, false)
})

test('each message of ws goes through the send of its sender', async (t) => {
  const { socket } = await open(t)
  const seen: unknown[] = []
  socket._sender.send = (payload) => void seen.push(payload)
  socket.send('text')
  WebSocket.prototype.send.call(socket, 'prototype', {}, () => {})
  assert.deepEqual(seen, ['text', 'prototype'])
})

// What leaves past these would overtake what waits for the end of the turn.
test('every frame of ws, control frames too, leaves through `write` of the stream below its sender', async (t) => {
  const { socket } = await open(t)
  const written: Buffer[] = []
  const stream = {
    destroyed: false,
    cork() {},
    uncork() {},
    write: (piece: Buffer | string) => written.push(Buffer.from(piece)),
  }
  Reflect.set(socket._sender, '_socket', stream)
  socket.send('text')
  socket.send(Buffer.from('bytes'))
  socket.ping()
  socket.pong()
  socket.close(1000)
  const bytes = Buffer.concat(written).toString('latin1')
  assert.equal(bytes, '\x81\x04text\x82\x05bytes\x89\x00\x8a\x00\x88\x02\x03\xe8')
})

// The error costs more than anything else of a socket, and nobody hears of it.
test('Node makes an error for a receiver that is ended twice, as ws ends it; one of ours is ended once', async (t) => {
  const bare = await ended(t, () => {})
  assert.equal(bare.code, 'ERR_STREAM_ALREADY_FINISHED')
  assert.ok(bare.ends > 2, `${bare.ends}`)
  const ours = await ended(t, ({ socket, stream }) => {
    new WebSocketWire(socket as WebSocket as WsSocket, stream, createTurn(), 1_000)
  })
  assert.deepEqual(ours, { code: undefined, ends: 1 })
})

type Opened = Awaited<ReturnType<typeof open>>

/** Ends a receiver as ws does, and then once more: what that is answered with, and how often Node has ended it. */
async function ended(t: TestContext, prepare: (opened: Opened) => void) {
  const opened = await open(t)
  const { mock } = t.mock.method(Writable.prototype, 'end')
  prepare(opened)
  const { socket, client } = opened
  client.end()
  await once(socket, 'close')
  const { _receiver: receiver } = socket
  assert.equal(receiver.writableFinished, true)
  let code: string | undefined
  receiver.end((error?: NodeJS.ErrnoException) => {
    code = error?.code
  })
  await new Promise((resolve) => setImmediate(resolve))
  const ends = mock.calls.filter((call) => call.this === receiver).length
  mock.restore()
  return { code, ends }
}
