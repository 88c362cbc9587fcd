import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createWebSocketStream, WebSocket } from 'ws'
import { dangerouslyTrustHtml, memoryBus } from '../../src/index.ts'
import { json, opcodes } from '../harness/frames.ts'
import { rawHandshake } from '../harness/raw-client.ts'
import { startServer, type TestServer } from '../harness/server.ts'
import { until } from '../harness/until.ts'

// Markup that must not leave the server as markup, sent on every way out that there is: whatever arrives is looked at as
// bytes, whichever kind of frame it is in.
const canary = '<img src=x onerror="alert(1)">'
const encoded = '&lt;img src=x onerror=&quot;alert(1)&quot;&gt;'

type Socket = WebSocket & {
  join(room: string): void
  to(room: string): { send(message: unknown, options?: object): void }
}
type Exit = (socket: Socket, server: TestServer) => void

const anything = { schema: { type: 'object', additionalProperties: true } } as const
const room = (server: TestServer) => server.app.secureWs.to('room')

/** Each writes one text frame with the canary in it. */
const texts: Record<string, Exit> = {
  send: (socket) => socket.send(canary),
  'send, of an object': (socket) => socket.send({ type: 'x', [canary]: [canary, { deep: canary }] } as never),
  'send, of what toJSON makes': (socket) => socket.send({ toJSON: () => canary } as never),
  'send, of text in a box': (socket) => socket.send(Object(canary) as never),
  'send, of an error': (socket) => socket.send(Object.assign(new Error('x'), { type: 'x', text: canary }) as never),
  'send, of bytes as text': (socket) => socket.send(Buffer.from(canary), { binary: false }),
  'send, of a Blob as text': (socket) => socket.send(new Blob([canary]) as never, { binary: false }),
  'send, with ws options': (socket) => socket.send(canary, { compress: true, mask: true, fin: true }),
  'send, of what looks encoded': (socket) =>
    socket.send({ context: 'html', toString: () => canary, text: canary } as never),
  'send, of ws': (socket) => WebSocket.prototype.send.call(socket, canary, {}, () => {}),
  'the stream of ws': (socket) =>
    void createWebSocketStream(socket, { encoding: 'utf8', decodeStrings: false }).write(canary),
  'the list of clients': (_socket, { app }) => {
    for (const client of app.websocketServer.clients) client.send(canary)
  },
  'a broadcast': (_socket, server) => room(server).send({ type: 'x', text: canary }),
  'a broadcast of text': (_socket, server) => room(server).send(canary),
  'a broadcast of bytes as JSON has them': (_socket, server) => room(server).send({ type: 'x', [canary]: 1 }),
  'a broadcast to each alone': (_socket, server) =>
    room(server).send({ type: 'x' }, { perMember: () => ({ type: 'x', text: canary }) }),
}

/** Each writes the canary where only plain text may stand. */
const others: Record<string, readonly [opcode: number, exit: Exit]> = {
  'a ping': [opcodes.ping, (socket) => socket.ping(canary)],
  'a ping of bytes': [opcodes.ping, (socket) => socket.ping(Buffer.from(canary))],
  'a pong': [opcodes.pong, (socket) => socket.pong(canary)],
  'a ping, of ws': [opcodes.ping, (socket) => WebSocket.prototype.ping.call(socket, canary)],
  'a pong of bytes, of ws': [opcodes.pong, (socket) => WebSocket.prototype.pong.call(socket, Buffer.from(canary))],
  'a close reason, of ws': [opcodes.close, (socket) => WebSocket.prototype.close.call(socket, 4000, canary)],
  'a close reason': [opcodes.close, (socket) => socket.close(4000, canary)],
  'a close reason of bytes': [opcodes.close, (socket) => socket.close(4000, Buffer.from(canary))],
}

const exits = [
  ...Object.entries(texts).map(([name, exit]) => ({ name, exit, opcode: opcodes.text })),
  ...Object.entries(others).map(([name, [opcode, exit]]) => ({ name, exit, opcode })),
]

for (const { name, exit, opcode } of exits) {
  test(`OU-05 X-5 markup does not leave by ${name}`, async (t) => {
    const server = await startServer(t, {}, (app) => {
      app.get('/ws', { websocket: true }, (socket) => {
        socket.join('room')
        exit(socket as object as Socket, server)
      })
    })
    const peer = await server.connect()
    await until(() => peer.frames.some((frame) => frame.opcode === opcode), 'it came')
    const sent = Buffer.concat(peer.frames.map(({ payload }) => payload)).toString()
    assert.doesNotMatch(sent, /[<>]/)
    // It did leave, and once encoded: twice would show its entities to the reader.
    assert.ok(sent.includes(encoded), sent)
  })
}

// A client writes the markup itself, and hopes that the answer repeats it.
test('OU-05 X-5 no answer repeats the markup of a question', async (t) => {
  const server = await startServer(t, {}, (app) => {
    app.get(
      '/ws',
      { websocket: true, secureWs: { receives: { echo: anything, fail: anything, lost: anything } } },
      (socket) => {
        socket.on('echo', (message) => message)
        socket.on('fail', () => {
          throw new Error(canary)
        })
      },
    )
  })
  const peer = await server.connect()
  const questions = [
    { type: 'echo', id: 1, text: canary, [canary]: canary },
    { type: 'fail', id: 1 },
    { type: 'lost', id: 1 },
    { type: canary, id: 1 },
    { type: [canary], id: 1 },
    // An id that would be encoded on its way back is another id for its client: it is refused.
    { type: 'echo', id: canary },
    { [canary]: canary },
  ]
  peer.write(...questions.map((question) => json(question)))
  await until(() => peer.texts.length === questions.length, 'all were answered')
  assert.doesNotMatch(peer.texts.join(), /[<>]/)
  assert.deepEqual(peer.messages[0], { type: 'reply', id: 1, value: { text: encoded, [encoded]: encoded } })
})

test('OU-05 X-5 a message that comes from another node is encoded where it goes out', async (t) => {
  const bus = memoryBus()
  const there = await startServer(t, { bus }, () => {})
  const here = await startServer(t, { bus }, (app) => {
    app.get('/html', { websocket: true }, (socket) => socket.join('room'))
    app.get('/json', { websocket: true, secureWs: { encode: 'json' } }, (socket) => socket.join('room'))
  })
  const [html, jsonPeer] = await Promise.all([here.connect({ path: '/html' }), here.connect({ path: '/json' })])
  room(there).send({ type: 'x', text: canary })
  await until(() => html.texts.length === 1 && jsonPeer.texts.length === 1, 'both had it')
  assert.deepEqual(html.messages, [{ type: 'x', text: encoded }])
  assert.doesNotMatch(jsonPeer.texts.join(), /[<>]/)
  assert.deepEqual(jsonPeer.messages, [{ type: 'x', text: canary }])
})

// The address and the headers of a refused handshake are the attacker's as well.
test('OU-05 X-5 no refusal repeats the markup of a request', async (t) => {
  const server = await startServer(t, {}, (app) => {
    app.get('/ws', { websocket: true }, () => assert.fail('opened'))
  })
  const line = (target: string, host: string, origin: string) =>
    `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nOrigin: ${origin}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
    `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: ${canary}\r\n\r\n`
  const own = `localhost:${server.port}`
  for (const bytes of [
    line(`/${canary.replaceAll(' ', '')}`, own, `http://${own}`),
    line('/ws', own, canary),
    line('/ws', canary, `http://${own}`),
    line('/ws', own, `http://${own}`),
  ]) {
    const { status, text } = await rawHandshake({ port: server.port, bytes })
    assert.ok(status >= 400, String(status))
    assert.doesNotMatch(text, /[<>]/)
  }
})

// The near miss: what the server itself calls markup is markup, on the same ways out.
test('markup of the server arrives as markup', async (t) => {
  const server = await startServer(t, {}, (app) => {
    app.get('/ws', { websocket: true }, (socket) => {
      socket.join('room')
      socket.send(dangerouslyTrustHtml('<b>x</b>'))
      app.secureWs.to('room').send({ type: 'x', text: dangerouslyTrustHtml('<i>y</i>') })
    })
  })
  const peer = await server.connect()
  await until(() => peer.texts.length === 2, 'both came')
  assert.deepEqual(peer.texts, ['<b>x</b>', '{"type":"x","text":"<i>y</i>"}'])
})

// `socket.connection.wire.closeFrame(1000, '<script>')` passed the encoder of reasons, from within any handler.
test('OU-05 nothing within reach of a handler leads past the encoder', async (t) => {
  const found: string[] = []
  const server = await startServer(t, {}, (app) => {
    app.get('/ws', { websocket: true }, (socket) => {
      const names = new Set<string | symbol>()
      for (let of: object | null = socket; of !== null; of = Object.getPrototypeOf(of)) {
        for (const name of [...Object.getOwnPropertyNames(of), ...Object.getOwnPropertySymbols(of)]) names.add(name)
      }
      for (const name of names) {
        const value: unknown = Reflect.get(socket, name)
        if (typeof value !== 'object' || value === null) continue
        if (['closeFrame', 'wire', 'gate', 'deliver'].some((way) => way in value)) found.push(String(name))
      }
      socket.send('done')
    })
  })
  const peer = await server.connect()
  await until(() => peer.texts.length === 1, 'it looked')
  assert.deepEqual(found, [])
})
