import { type Duplex, duplexPair } from 'node:stream'
import { WebSocket } from 'ws'
import { SecureWsError } from '../errors.ts'
import { lazyLoad } from '../loading/lazy-load.ts'
import { createTurn } from './coalescer.ts'
import { ofWs, setSocket, stateInWs, type WsSender, type WsSocket } from './internals.ts'
import { WebSocketWire } from './ws-port.ts'

const installedWs = lazyLoad<{ readonly version: string }>('ws/package.json')

/** The ws that this package was last tested with. */
export const testedWs = '8.23.0'

/** Milliseconds: it takes about ten. */
const patience = 5_000

let known: Promise<void> | undefined

/**
 * Makes sure, once per process, that ws is inside what this package takes it for: some of what it calls private is used, and a
 * release that renames it would lose messages or limits without a word.
 *
 * @throws SecureWsError `SWS_UNSUPPORTED_WS` with both versions
 */
export function requireKnownWs(): Promise<void> {
  known ??= probe()
  return known
}

async function probe(): Promise<void> {
  const progress = { step: 'opening' }
  try {
    await rehearse(progress)
  } catch (cause) {
    const { version } = installedWs()
    throw new SecureWsError(
      'SWS_UNSUPPORTED_WS',
      `fastify-secure-ws: ws ${version} works otherwise inside than ws ${testedWs}, which this version was made for (${progress.step}). Install ws@${testedWs}, or a newer fastify-secure-ws.`,
      { cause },
    )
  }
}

/** A socket on an in-memory pair, taken through every state that is read or used. */
async function rehearse(progress: { step: string }): Promise<void> {
  const [near, far] = duplexPair()
  const stream = near as Duplex
  try {
    const written: Buffer[] = []
    far.on('data', (chunk: Buffer) => written.push(chunk))
    // What came since the last look, as bytes.
    const left = async () => {
      await turn()
      return Buffer.concat(written.splice(0)).toString('latin1')
    }

    const socket = Reflect.construct(WebSocket, [
      null,
      undefined,
      { autoPong: false, closeTimeout: patience },
    ]) as WsSocket
    const heard: unknown[] = []
    socket.on('message', (bytes, isBinary) => heard.push(String(bytes), isBinary))
    socket.on('close', (code) => heard.push(code))
    setSocket.call(socket, stream, Buffer.alloc(0), { maxPayload: 1_000 })
    const { _sender: sender, _receiver: receiver } = socket
    expect(stateInWs(socket), WebSocket.OPEN)
    expect(socket._socket, stream)
    if (sender === null || receiver === null) throw new Error('there is no sender or receiver')
    const senderOfWs: WsSender = Object.getPrototypeOf(sender)
    const wire = new WebSocketWire(socket, stream, createTurn(), 1_000)
    let begun = 0
    wire.owner = { begun: () => void begun++, gate: () => {}, failed: () => {} }
    // In the place of the encoder.
    socket.send = (payload: unknown) => heard.push(payload)

    progress.step = 'a frame that comes in pieces'
    expect(wire.midMessage, false)
    far.write(Buffer.from([0x81]))
    await turn()
    expect([wire.midMessage, receiver._bufferedBytes, begun], [true, 1, 1])
    far.write(Buffer.from([0x81, 0, 0, 0, 0]))
    await turn()
    expect([wire.midMessage, receiver._state !== 0, receiver._bufferedBytes], [true, true, 0])
    far.write('x')
    await turn()
    expect(heard.splice(0), ['x', false])
    expect([wire.midMessage, receiver._bufferedBytes, begun], [false, 0, 2])

    progress.step = 'a message in fragments'
    far.write(Buffer.from([0x01, 0x81, 0, 0, 0, 0, 0x61]))
    await turn()
    expect([wire.midMessage, receiver._fragmented !== 0], [true, true])
    far.write(Buffer.from([0x80, 0x81, 0, 0, 0, 0, 0x62]))
    await turn()
    expect(heard.splice(0), ['ab', false])
    expect(wire.midMessage, false)

    progress.step = 'a pause'
    wire.block('queue')
    expect([wire.reading, stream.isPaused()], [false, true])
    wire.unblock('queue')
    expect([wire.reading, stream.isPaused()], [true, false])

    progress.step = 'what leaves'
    const text = { payload: 'a', binary: false }
    wire.send(text, undefined, undefined)
    wire.ping('b')
    wire.send(text, { fin: false }, undefined)
    wire.pong('c')
    wire.send(text, { fin: true }, undefined)
    wire.send({ payload: Buffer.from('d'), binary: true }, undefined, undefined)
    wire.send(text, undefined, undefined)
    // All of it waits for the end of the turn, whoever has framed it, and stands in this order.
    expect([wire.waiting, written.length], [21, 0])
    expect(await left(), '\x81\x01a\x89\x01b\x01\x01a\x8a\x01c\x80\x01a\x82\x01d\x81\x01a')
    expect([wire.waiting, written.length], [0, 0])

    progress.step = 'what does not come from the encoder'
    ofWs.send.call(socket, '<1>', {}, undefined)
    sender.send('<2>', { fin: true }, undefined)
    expect(heard.splice(0), ['<1>', '<2>'])
    ofWs.ping.call(socket, '<', false)
    ofWs.pong.call(socket, '<', false)
    expect(await left(), '\x89\x04&lt;\x8a\x04&lt;')

    progress.step = 'a Blob'
    senderOfWs.send.call(sender, new Blob(['e']), { binary: true, fin: true, compress: false, mask: false }, undefined)
    expect(sender._state !== 0, true)
    wire.send(text, undefined, undefined)
    expect(sender._queue.length, 1)
    await until(() => sender._queue.length === 0)
    expect(await left(), '\x82\x01e\x81\x01a')
    expect(sender._state, 0)

    progress.step = 'the end'
    wire.send(text, undefined, undefined)
    ofWs.close.call(socket, 1000, '<')
    expect(await left(), '\x81\x01a\x88\x06\x03\xe8&lt;')
    expect([stateInWs(socket), socket._closeFrameReceived], [WebSocket.CLOSING, false])
    far.write(Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]))
    far.end()
    await until(() => heard.length > 0)
    expect([heard[0], socket._closeFrameReceived], [1000, true])
  } finally {
    near.destroy()
    far.destroy()
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
}

async function until(condition: () => boolean): Promise<void> {
  const end = performance.now() + patience
  while (!condition()) {
    if (performance.now() > end) throw new Error('it did not go on')
    await turn()
  }
}

function expect(seen: unknown, wanted: unknown): void {
  if (seen === wanted) return
  if (Array.isArray(seen) && Array.isArray(wanted) && seen.length === wanted.length) {
    if (seen.every((each, index) => each === wanted[index])) return
  }
  throw new Error(`${show(seen)} where ${show(wanted)} was expected`)
}

function show(value: unknown): string {
  return typeof value === 'object' && !Array.isArray(value) ? typeof value : JSON.stringify(value)
}
