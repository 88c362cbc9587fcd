import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { json } from '../harness/frames.ts'
import { startServer } from '../harness/server.ts'
import { until } from '../harness/until.ts'

// A listener that awaits what never comes (a lock, a query without a deadline) must not mute its socket.

const any = { schema: { type: 'object', properties: {} } } as const
const never = () => new Promise<never>(() => {})
const failures = (events: readonly { type: string; code?: string | number; messageType?: string }[]) =>
  events.filter(({ type }) => type === 'message.failed').map(({ code, messageType }) => `${code} ${messageType}`)

test('C8 a listener that does not settle costs its own message and no other', async (t) => {
  let reject: (error: Error) => void = () => {}
  const server = await startServer(t, { limits: { listener: 500 } }, (app) => {
    app.get('/ws', { websocket: true, secureWs: { receives: { hang: any, say: any, slow: any } } }, (socket) => {
      socket.on(
        'hang',
        () =>
          new Promise<never>((_resolve, fail) => {
            reject = fail
          }),
      )
      socket.on('say', () => 'said')
      socket.on('slow', async () => {
        await wait(60)
        return 'slow, and in time'
      })
    })
  })
  const peer = await server.connect()
  peer.write(
    json({ type: 'slow', id: 0 }),
    json({ type: 'hang', id: 1 }),
    json({ type: 'say', id: 2 }),
    json({ type: 'hang' }),
    json({ type: 'say', id: 3 }),
  )
  await until(() => peer.texts.length === 5, 'all were answered')
  assert.deepEqual(peer.messages, [
    { type: 'reply', id: 0, value: 'slow, and in time' },
    { type: 'error', code: 'SWS_TIMEOUT', id: 1 },
    { type: 'reply', id: 2, value: 'said' },
    { type: 'error', code: 'SWS_TIMEOUT' },
    { type: 'reply', id: 3, value: 'said' },
  ])
  assert.deepEqual(failures(server.events), ['SWS_TIMEOUT hang', 'SWS_TIMEOUT hang'])
  // What it throws in the end is a fault that is logged: not an answer, and not the end of the process.
  reject(new Error('the lock is gone'))
  await until(() => server.logged.some((line) => line.includes('the lock is gone')), 'it was logged')
  assert.equal(peer.texts.length, 5)
})

test('C8 the listeners of binary frames have the same time', async (t) => {
  const png = Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex')
  const limits = { listener: 300 }
  const server = await startServer(t, { limits }, (app) => {
    const secureWs = { receives: { say: any }, binary: ['image/png'] }
    app.get('/ws', { websocket: true, secureWs }, (socket) => {
      socket.on('binary', never)
      socket.on('say', () => 'said')
    })
  })
  const peer = await server.connect()
  peer.write(Buffer.concat([Buffer.from([0x82, 0x80 | png.length, 0, 0, 0, 0]), png]), json({ type: 'say', id: 1 }))
  await until(() => peer.texts.length === 1, 'the next one was answered')
  assert.deepEqual(failures(server.events), ['SWS_TIMEOUT binary'])
})

test('C8 an `authorize` of a message that never answers lets nothing through and mutes nobody', async (t) => {
  const heard: string[] = []
  const server = await startServer(t, { limits: { lookup: 100 } }, (app) => {
    const receives = { pay: { ...any, authorize: never }, say: any }
    app.get('/ws', { websocket: true, secureWs: { receives } }, (socket) => {
      socket.on('pay', () => heard.push('pay'))
      socket.on('say', () => 'said')
    })
  })
  const peer = await server.connect()
  peer.write(json({ type: 'pay', id: 1 }), json({ type: 'say', id: 2 }))
  await until(() => peer.texts.length === 2, 'both were answered')
  assert.deepEqual(peer.messages, [
    { type: 'error', code: 'SWS_INTERNAL', id: 1 },
    { type: 'reply', id: 2, value: 'said' },
  ])
  assert.deepEqual(heard, [])
})

test('C8 a handler without an end keeps a message it never listens to for the time of a handshake', async (t) => {
  const server = await startServer(t, { limits: { handshake: 500 } }, (app) => {
    app.get('/ws', { websocket: true, secureWs: { receives: { forgotten: any, say: any } } }, async (socket) => {
      socket.on('say', () => 'said')
      await never()
    })
  })
  const peer = await server.connect()
  peer.write(json({ type: 'forgotten', id: 1 }), json({ type: 'say', id: 2 }))
  await until(() => peer.texts.length === 2, 'both were answered')
  assert.deepEqual(peer.messages, [
    { type: 'error', code: 'SWS_NO_LISTENER', id: 1 },
    { type: 'reply', id: 2, value: 'said' },
  ])
})

// ws's own methods, called on a socket of ours, close it as well: its messages must not go on being heard.
for (const [name, close] of [
  ["ws's own close()", (socket: object) => WebSocket.prototype.close.call(socket as WebSocket, 4000)],
  ['close()', (socket: object) => (socket as WebSocket).close(4000)],
] as const) {
  test(`SE-05 after ${name} no listener is called, with messages in flight`, async (t) => {
    const heard: string[] = []
    const server = await startServer(t, {}, (app) => {
      app.get('/ws', { websocket: true, secureWs: { receives: { say: any } } }, (socket) => {
        socket.on('say', async () => {
          heard.push('first')
          await wait(5)
          if (heard.length > 2) close(socket)
        })
        socket.on('say', () => heard.push('second'))
      })
    })
    const peer = await server.connect()
    peer.write(...Array.from({ length: 10 }, () => json({ type: 'say' })))
    assert.equal(await peer.closeCode(), 4000)
    await server.empty()
    assert.deepEqual(heard, ['first', 'second', 'first'])
    assert.equal(server.events.filter(({ type }) => type === 'socket.closed').length, 1)
  })
}

test('a close reason of bytes is text like any other', async (t) => {
  const server = await startServer(t, {}, (app) => {
    app.get('/ws', { websocket: true }, (socket) => socket.close(4000, Buffer.from('too late & gone')))
  })
  const peer = await server.connect()
  assert.equal(await peer.closeCode(), 4000)
  assert.equal(peer.closed?.reason, 'too late &amp; gone')
})

// A paused reader does not read the close frame either: the socket stayed until its time to close was over.
test('whoever has paused a socket and closes it still hears the answer of the other side', async (t) => {
  const server = await startServer(t, { limits: { writeTimeout: 60_000 } }, (app) => {
    app.get('/ws', { websocket: true }, (socket) => {
      socket.on('message', () => {
        socket.pause()
        socket.close(4000)
        socket.pause()
      })
    })
  })
  const peer = await server.connect()
  peer.write(json('go'))
  await until(() => peer.closed !== undefined, 'the close frame came')
  const began = process.hrtime.bigint()
  peer.write(Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x0f, 0xa0]))
  await peer.whenGone()
  assert.ok(process.hrtime.bigint() - began < 20_000_000_000n)
})
