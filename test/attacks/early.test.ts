import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { close, json, opcodes, ping, pong, text } from '../harness/frames.ts'
import { handshakeText, rawConnect } from '../harness/raw-client.ts'
import { startServer, wide } from '../harness/server.ts'
import { until } from '../harness/until.ts'

const receives = {
  count: { schema: { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] } },
} as const
const thousand = Array.from({ length: 1_000 }, (_, n) => n)

// MS-16: everything comes in the segment of the handshake, long before anybody listens.
test('X-4 MS-16 1,000 messages before an async raw handler listens all arrive, in order', async (t) => {
  const heard: string[] = []
  const server = await startServer(t, {}, (app) => {
    app.get('/ws', { websocket: true }, async (socket) => {
      await sleep(200)
      assert.equal(heard.length, 0)
      socket.on('message', (bytes) => heard.push(String(bytes)))
    })
  })
  await server.connect({ with: Buffer.concat(thousand.map((n) => text(String(n)))) })
  await until(() => heard.length === 1_000, 'all were heard')
  assert.deepEqual(heard, thousand.map(String))
})

test('MS-16 1,000 declared messages before an async handler listens all arrive, in order', async (t) => {
  const heard: number[] = []
  const server = await startServer(t, {}, (app) => {
    app.get('/ws', { websocket: true, secureWs: { receives } }, async (socket) => {
      await sleep(200)
      assert.equal(heard.length, 0)
      socket.on('count', ({ n }) => {
        heard.push(Number(n))
      })
    })
  })
  const peer = await server.connect({ with: Buffer.concat(thousand.map((n) => json({ type: 'count', n }))) })
  await until(() => heard.length === 1_000, 'all were heard')
  assert.deepEqual(heard, thousand)
  assert.deepEqual(peer.texts, [])
})

test('MS-16 a type whose listener comes later than another waits for it, and keeps the order', async (t) => {
  const heard: string[] = []
  const both = { a: { schema: { type: 'object' } }, b: { schema: { type: 'object' } } } as const
  const server = await startServer(t, {}, (app) => {
    app.get('/ws', { websocket: true, secureWs: { receives: both } }, async (socket) => {
      socket.on('a', () => void heard.push('a'))
      await sleep(50)
      socket.on('b', () => void heard.push('b'))
    })
  })
  await server.connect({ with: Buffer.concat([json({ type: 'b' }), json({ type: 'a' }), json({ type: 'b' })]) })
  await until(() => heard.length === 3, 'all were heard')
  assert.deepEqual(heard, ['b', 'a', 'b'])
})

test('MS-16 near miss: a declared type that the handler forgot is answered, not kept for ever', async (t) => {
  const server = await startServer(t, {}, (app) => {
    app.get('/ws', { websocket: true, secureWs: { receives } }, async () => {
      await sleep(20)
    })
  })
  const peer = await server.connect({ with: json({ type: 'count', n: 1 }) })
  await until(() => peer.messages.length === 1, 'it was answered')
  assert.deepEqual(peer.messages, [{ type: 'error', code: 'SWS_NO_LISTENER' }])
  assert.ok(server.logged.some((line) => line.includes('attached no listener')))
})

// RS-08: counted by a timer, a thousand frames of one turn would all pass.
test('RS-08 of 1,000 frames sent with the handshake a raw route hears the burst, and closes with 4429', async (t) => {
  let heard = 0
  const server = await startServer(t, { limits: { messages: { perSecond: 1, burst: 10 } } }, (app) => {
    app.get('/ws', { websocket: true }, (socket) => {
      socket.on('message', () => heard++)
    })
  })
  const peer = await server.connect({ with: Buffer.concat(thousand.map((n) => text(String(n)))) })
  assert.equal(await peer.closeCode(), 4429)
  assert.equal(heard, 10)
})

test('RS-08 a declared route refuses what is above the burst, and closes when refusals have run out', async (t) => {
  let heard = 0
  const limits = { messages: { perSecond: 1, burst: 10 }, refusals: { perMinute: 5 } }
  const server = await startServer(t, { limits }, (app) => {
    app.get('/ws', { websocket: true, secureWs: { receives } }, (socket) => {
      socket.on('count', () => {
        heard++
      })
    })
  })
  const peer = await server.connect({ with: Buffer.concat(thousand.map((n) => json({ type: 'count', n }))) })
  assert.equal(await peer.closeCode(), 4429)
  assert.equal(heard, 10)
  assert.ok(peer.texts.length <= 6)
})

// RS-07: whatever is sent while nobody has decided yet must wait at the client.
test('RS-07 64 MB sent during a slow authenticate wait at the client, and are not in this process', async (t) => {
  const { promise: decision, resolve: decide } = Promise.withResolvers<null>()
  let read = 0
  const server = await startServer(t, { authenticate: () => decision }, (app) => {
    app.server.on('connection', (socket) => {
      const clock = setInterval(() => {
        read = Math.max(read, socket.bytesRead)
      }, 5)
      socket.on('close', () => clearInterval(clock))
    })
    app.get('/ws', { websocket: true }, () => assert.fail('opened'))
  })
  const client = await rawConnect({ port: server.port })
  const host = `127.0.0.1:${server.port}`
  client.write(handshakeText({ headers: { Host: host, Origin: `http://${host}` } }))
  for (let megabyte = 0; megabyte < 64; megabyte++) client.write(Buffer.alloc(1_048_576))
  await sleep(200)
  assert.ok(read > 0 && read < 1_048_576, `${read} bytes were read`)
  decide(null)
  client.reset()
  await server.empty()
})

test('RS-05 an authenticate that never answers is 503 after the deadline, and its place is free again', async (t) => {
  const server = await startServer(
    t,
    { authenticate: () => new Promise(() => {}), limits: { handshake: 100 } },
    (app) => {
      app.get('/ws', { websocket: true }, () => assert.fail('opened'))
    },
  )
  await assert.rejects(server.connect(), /503.*SWS_UNAVAILABLE/)
  await server.empty()
})

test('a handler that only sends still sees its client close', async (t) => {
  const server = await startServer(t, { limits: { ...wide, handshake: 500 } }, (app) => {
    app.get('/ws', { websocket: true }, (socket) => socket.send('news'))
  })
  const peer = await server.connect()
  await until(() => peer.texts.length === 1, 'the news had come')
  peer.socket.end()
  await server.empty()
})

// RS-01: ws answers each ping with a pong, which waits in memory if the client does not read.
test('RS-01 5,000 pings in one write are not answered 5,000 times', async (t) => {
  const server = await startServer(t, { limits: { messages: { perSecond: 20, burst: 100 } } }, (app) => {
    app.get('/ws', { websocket: true }, (socket) => {
      socket.on('message', () => socket.send('heard'))
    })
  })
  const [peer, neighbour] = [await server.connect(), await server.connect()]
  peer.write(Buffer.concat(Array<Buffer>(5_000).fill(ping('x'.repeat(125)))))
  await peer.whenGone()
  assert.ok(peer.frames.length < 150, `${peer.frames.length} frames came back`)
  neighbour.write(ping('near miss'), text('x'))
  await until(() => neighbour.frames.length === 2, 'the neighbour was answered')
  assert.equal(neighbour.frames[0]?.payload.toString(), 'near miss')
})

test('RS-01 RS-02 pings and pongs cost a message each, and are refused without an answer', async (t) => {
  const limits = { messages: { perSecond: 1, burst: 40 }, refusals: { perMinute: 10 } }
  const server = await startServer(t, { limits }, (app) => {
    app.get('/ws', { websocket: true }, (socket) => {
      socket.on('message', () => {})
    })
  })
  for (const flood of [ping('x'), pong('x')]) {
    const [within, beyond] = [await server.connect(), await server.connect()]
    within.write(Buffer.concat(Array<Buffer>(40).fill(flood)))
    beyond.write(Buffer.concat(Array<Buffer>(60).fill(flood)))
    assert.equal(await beyond.closeCode(), 4429)
    assert.equal(within.closed, undefined)
    within.reset()
  }
})

// A feed that only sends is the commonest raw handler, and ran on for the whole time of a handshake after its client had gone.
test('a raw handler that listens to no message sees its client go, and its pings are answered', async (t) => {
  let gone = 0
  const server = await startServer(t, { limits: { handshake: 600_000 } }, (app) => {
    app.get('/ws', { websocket: true }, (socket) => {
      const feed = setInterval(() => socket.send('news'), 5)
      socket.on('close', () => {
        clearInterval(feed)
        gone++
      })
    })
  })
  const polite = await server.connect()
  polite.write(ping('there?'))
  await until(() => polite.frames.some(({ opcode }) => opcode === opcodes.pong), 'the ping was answered')
  polite.write(close(1000))
  await polite.whenGone()
  const rude = await server.connect()
  rude.reset()
  await until(() => gone === 2, 'both were seen to go')
  await server.empty()
})

test('X-4 MS-16 1,000 messages before a listener that comes after the handler has returned all arrive, in order', async (t) => {
  const heard: string[] = []
  const server = await startServer(t, { limits: { handshake: 600_000 } }, (app) => {
    app.get('/ws', { websocket: true }, (socket) => {
      setTimeout(() => socket.on('close', () => {}), 50)
      setTimeout(() => socket.on('message', (bytes) => heard.push(String(bytes))), 200)
    })
  })
  const peer = await server.connect({ with: Buffer.concat(thousand.map((n) => text(String(n)))) })
  await until(() => heard.length === 1_000, 'all were heard')
  assert.deepEqual(heard, thousand.map(String))
  peer.write(text('one more'))
  await until(() => heard.length === 1_001, 'it goes on')
})

test('what nobody listens to in the time of a handshake is read and dropped, as ws does', async (t) => {
  const heard: string[] = []
  const late = Promise.withResolvers<() => void>()
  const server = await startServer(t, { limits: { handshake: 500 } }, (app) => {
    app.get('/ws', { websocket: true }, (socket) => {
      late.resolve(() => socket.on('message', (bytes) => heard.push(String(bytes))))
    })
  })
  const peer = await server.connect({ with: Buffer.concat(thousand.map((n) => text(String(n)))) })
  const listen = await late.promise
  peer.write(ping('behind them'))
  await until(() => peer.frames.some(({ opcode }) => opcode === opcodes.pong), 'all were read')
  listen()
  peer.write(text('heard'))
  await until(() => heard.length > 0, 'it was heard')
  assert.deepEqual(heard, ['heard'])
})
