import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import type { SecureWsOptions } from '../../src/index.ts'
import { takeClocks } from '../harness/clocks.ts'
import { frame, json, opcodes, ping, pong, text } from '../harness/frames.ts'
import { collectGarbage } from '../harness/garbage.ts'
import type { RawPeer } from '../harness/raw-peer.ts'
import { startServer } from '../harness/server.ts'
import { until } from '../harness/until.ts'

type Limits = NonNullable<SecureWsOptions['limits']>

/** A raw route that answers, under the limits of one test. The sweep comes every quarter of the shortest of them. */
function start(t: TestContext, limits: Limits, options: Partial<SecureWsOptions> = {}) {
  return startServer(t, { limits, ...options }, (app) => {
    app.get('/ws', { websocket: true }, (socket) => {
      socket.on('message', () => socket.send('heard'))
    })
  })
}

/** Answers pings as a client does, until the connection ends. */
function answerPings(peer: RawPeer, payloadOf: (payload: Buffer) => Uint8Array | undefined): void {
  let answered = 0
  peer.socket.on('data', () => {
    const pings = peer.frames.filter(({ opcode }) => opcode === opcodes.ping)
    for (const { payload } of pings.slice(answered)) {
      const answer = payloadOf(payload)
      if (answer !== undefined) peer.write(pong(answer))
    }
    answered = pings.length
  })
}

const pings = (peer: RawPeer) => peer.frames.filter(({ opcode }) => opcode === opcodes.ping).length
const endOf = (events: readonly { type: string; code?: string | number; reason?: string }[]) =>
  events.filter(({ type }) => type === 'socket.closed').map(({ code, reason }) => `${code} ${reason}`)

const heartbeat = { every: 100, timeout: 80 }

test('CS-21 RS-03 a client that does not answer pings is cut, without a close frame that nobody would read', async (t) => {
  const server = await start(t, { heartbeat })
  const peer = await server.connect()
  await peer.whenGone()
  assert.equal(pings(peer), 1)
  assert.equal(peer.closed, undefined)
  await server.empty()
  assert.deepEqual(endOf(server.events), ['3008 no pong within 80 ms (limits.heartbeat)'])
})

test('RS-03 near miss: a client that answers stays', async (t) => {
  const server = await start(t, { heartbeat })
  const peer = await server.connect()
  answerPings(peer, (payload) => payload)
  await until(() => pings(peer) >= 4, 'four pings had come')
  assert.equal(peer.gone, false)
})

// RS-02: pongs that answer no ping of ours keep a connection alive that nobody attends to.
const wrongPongs: readonly (readonly [name: string, answer: (payload: Buffer) => Uint8Array])[] = [
  ['empty', () => Buffer.alloc(0)],
  ['of another payload', (payload) => Buffer.from(`${payload}x`)],
  [
    'that guess the next payload',
    (payload) => Buffer.from(payload.map((byte, at) => (at === payload.length - 1 ? byte + 1 : byte))),
  ],
]
for (const [name, answer] of wrongPongs) {
  test(`RS-02 pongs ${name} do not count as an answer`, async (t) => {
    const server = await start(t, { heartbeat })
    const peer = await server.connect()
    answerPings(peer, answer)
    await peer.whenGone()
    assert.deepEqual(endOf(server.events), ['3008 no pong within 80 ms (limits.heartbeat)'])
  })
}

test('RS-02 neither pongs nor messages in between put the heartbeat off', async (t) => {
  const server = await start(t, { heartbeat })
  const peer = await server.connect()
  const noise = setInterval(() => peer.write(pong('x'), text('x'), ping('x')), 10)
  t.after(() => clearInterval(noise))
  await peer.whenGone()
  assert.deepEqual(endOf(server.events), ['3008 no pong within 80 ms (limits.heartbeat)'])
})

test('a client whose pong waits behind a slow listener is not cut for our slowness', async (t) => {
  const limits = { heartbeat, partialMessage: 100, inboundQueue: 2 }
  const { promise: enough, resolve: goOn } = Promise.withResolvers<void>()
  const server = await startServer(t, { limits }, (app) => {
    const receives = { slow: { schema: { type: 'object' } }, fine: { schema: { type: 'object' } } } as const
    app.get('/ws', { websocket: true, secureWs: { receives } }, (socket) => {
      socket.on('slow', () => enough)
      socket.on('fine', () => 'ok')
    })
  })
  const peer = await server.connect()
  answerPings(peer, (payload) => payload)
  // The last message comes in two halves: while nobody reads, its second half cannot arrive.
  const last = json({ type: 'fine', id: 'last' })
  const messages = Array<Buffer>(5).fill(json({ type: 'fine' }))
  peer.write(json({ type: 'slow' }), ...messages, last.subarray(0, 3))
  await sleep(30)
  peer.write(last.subarray(3))
  await until(() => pings(peer) === 1, 'a ping had come')
  await sleep(400)
  assert.equal(peer.gone, false)
  goOn()
  await until(() => peer.texts.length === 1, 'the last message was answered')
  await until(() => pings(peer) >= 2, 'the heart went on beating')
  assert.equal(peer.gone, false)
})

test('CS-21 a silent socket is closed when idle, and pings are no activity', async (t) => {
  const server = await start(t, { idle: 200 })
  const [silent, pinging, talking] = [await server.connect(), await server.connect(), await server.connect()]
  const noise = setInterval(() => {
    pinging.write(ping('x'))
    talking.write(text('x'))
  }, 40)
  t.after(() => clearInterval(noise))
  assert.equal(await silent.closeCode(), 3008)
  assert.equal(await pinging.closeCode(), 3008)
  assert.equal(talking.gone, false)
  assert.equal(talking.closed, undefined)
})

test('what the server sends is activity as well', async (t) => {
  const server = await startServer(t, { limits: { idle: 200 } }, (app) => {
    app.get('/ws', { websocket: true }, (socket) => {
      socket.on('message', () => {})
      const news = setInterval(() => socket.send('news'), 40)
      socket.on('close', () => clearInterval(news))
    })
  })
  const [listening, other] = [await server.connect(), await start(t, { idle: 200 })]
  assert.equal(await (await other.connect()).closeCode(), 3008)
  await until(() => listening.texts.length >= 10, 'news had come for twice that long')
  assert.equal(listening.closed, undefined)
})

test('a lifetime ends however busy the socket is', async (t) => {
  const server = await start(t, { lifetime: 200 })
  const peer = await server.connect()
  const noise = setInterval(() => peer.write(text('x')), 20)
  t.after(() => clearInterval(noise))
  assert.equal(await peer.closeCode(), 3008)
  assert.deepEqual(endOf(server.events), ['3008 open for 200 ms (limits.lifetime)'])
})

// RS-14: Node has no time limit of its own on an upgraded connection.
const halves: readonly (readonly [name: string, ...bytes: readonly Uint8Array[]])[] = [
  ['half a header', Buffer.from([0x81])],
  ['a header without its mask', text('x').subarray(0, 4)],
  ['a message without its last byte', text('xyz').subarray(0, -1)],
  ['a fragment without an end', frame({ fin: false, payload: 'x' })],
  ['a fragment, and a whole ping inside', frame({ fin: false, payload: 'x' }), ping('x')],
]
for (const [name, ...bytes] of halves) {
  test(`RS-14 ${name}, and silence: 3008`, async (t) => {
    const server = await start(t, { partialMessage: 150 })
    const [peer, neighbour] = [await server.connect(), await server.connect()]
    peer.write(...bytes)
    assert.equal(await peer.closeCode(), 3008)
    assert.deepEqual(endOf(server.events), ['3008 half a message for 150 ms'])
    neighbour.write(text('x'))
    await until(() => neighbour.texts.length === 1, 'the neighbour was heard')
  })
}

test('RS-14 a message of which a byte comes now and then is not put off by its bytes', async (t) => {
  const server = await start(t, { partialMessage: 150 })
  const peer = await server.connect()
  peer.write(frame({ fin: false, payload: 'x' }))
  const drip = setInterval(() => peer.write(frame({ opcode: opcodes.continuation, fin: false, payload: 'x' })), 20)
  t.after(() => clearInterval(drip))
  assert.equal(await peer.closeCode(), 3008)
})

test('RS-14 near miss: many messages, each in two halves, for longer than one may take', async (t) => {
  const server = await start(t, { partialMessage: 150 })
  const peer = await server.connect()
  const bytes = text('x')
  peer.write(bytes.subarray(0, 3))
  for (let round = 0; round < 10; round++) {
    await sleep(30)
    // The end of one and the beginning of the next: the receiver is never at rest.
    peer.write(bytes.subarray(3), bytes.subarray(0, 3))
  }
  await until(() => peer.texts.length === 10, 'all were heard')
  assert.equal(peer.closed, undefined)
})

test('RS-14 a heartbeat shorter than the sweep does not keep the other questions from being asked', async (t) => {
  const server = await startServer(t, {}, (app) => {
    const secureWs = { limits: { heartbeat: { every: 1, timeout: 1 }, partialMessage: 1 } }
    app.get('/ws', { websocket: true, secureWs }, (socket) => {
      socket.on('message', () => {})
    })
  })
  const peer = await server.connect()
  answerPings(peer, (payload) => payload)
  peer.write(Buffer.from([0x81]))
  // The pong of a client that is in the middle of a frame cannot be told from the frame: either clock may be first, and so
  // may ws, for a frame that is none. What ws ends is reported when TCP has gone, which the client may see before.
  await peer.closeCode()
  await until(() => endOf(server.events).length > 0, 'the end was reported')
  assert.equal(endOf(server.events).length, 1)
})

/** Bytes of buffers that somebody still refers to. */
async function held(): Promise<number> {
  await collectGarbage()
  return process.memoryUsage().arrayBuffers
}

const messageOf = (bytes: number) => 'x'.repeat(bytes)

/** A room of listeners, one of which never reads. The others count bytes and keep none of them. */
async function roomWithSlowReader(t: TestContext, limits: Limits, slowReader: 'close' | 'drop') {
  const server = await startServer(t, { limits, slowReader }, (app: FastifyInstance) => {
    app.get('/ws', { websocket: true }, (socket) => {
      socket.join('room')
      socket.on('message', () => {})
    })
  })
  const [deaf, ...others] = await Promise.all(Array.from({ length: 5 }, () => server.connect({ deaf: true })))
  assert.ok(deaf)
  const heads = new Map(others.map(({ socket }) => [socket, socket.bytesRead]))
  for (const { socket } of others) socket.on('data', () => {}).resume()
  await until(() => server.app.secureWs.stats().sockets === 5, 'all were in')
  /** Waits until each of the others has so many frames of this payload, which takes a header of ten bytes. */
  const theyHave = (frames: number, payload: string) =>
    until(
      () =>
        others.every(({ socket }) => socket.bytesRead - (heads.get(socket) ?? 0) === frames * (payload.length + 10)),
      'the room had it',
    )
  return { server, deaf, theyHave }
}

// RS-09, BR-01: a client that never reads makes ws hold whatever is sent to it: 100 MB here, if nobody counts.
test('CS-22 RS-09 BR-01 100 MB for a client that never reads: it is closed, the room gets all, memory stays', async (t) => {
  const { server, theyHave } = await roomWithSlowReader(t, { outboundBytes: 4_000_000 }, 'close')
  const before = await held()
  const payload = messageOf(100_000)
  let mostWaiting = 0
  let mostHeld = 0
  for (let round = 0; round < 1_000; round++) {
    server.app.secureWs.to('room').send(payload)
    for (const { bufferedAmount } of server.app.websocketServer.clients) {
      mostWaiting = Math.max(mostWaiting, bufferedAmount)
    }
    if (round % 10 !== 9) continue
    await theyHave(round + 1, payload)
    if (round % 100 === 99) mostHeld = Math.max(mostHeld, (await held()) - before)
  }
  await until(() => endOf(server.events).length === 1, 'the slow reader was closed')
  assert.match(endOf(server.events)[0] ?? '', /^1013 over 4000000 bytes waiting/)
  assert.ok(mostWaiting > 3_000_000 && mostWaiting <= 4_000_000, `${mostWaiting} bytes waited`)
  assert.ok(mostHeld < 30_000_000, `${mostHeld} bytes more were held`)
  await until(() => server.app.secureWs.stats().sockets === 4, 'its place was free')
})

test('RS-09 with slowReader "drop" the slow reader misses messages and stays', async (t) => {
  const { server, deaf, theyHave } = await roomWithSlowReader(t, { outboundBytes: 500_000 }, 'drop')
  const payload = messageOf(100_000)
  for (let round = 0; round < 200; round++) {
    server.app.secureWs.to('room').send(payload)
    if (round % 4 === 3) await theyHave(round + 1, payload)
  }
  assert.equal(server.app.secureWs.stats().sockets, 5)
  const dropped = server.events.filter(({ code }) => code === 'SWS_SLOW_READER').length
  assert.ok(dropped > 0 && dropped < 200)
  // It wakes up: what it gets is whole, and what it missed is exactly what was dropped.
  deaf.socket.on('data', () => {})
  deaf.socket.resume()
  await until(() => deaf.socket.bytesRead > (200 - dropped) * payload.length, 'the rest had come')
})

test('RS-09 what waits longer than the write timeout closes, though it is below the bound', async (t) => {
  const server = await startServer(t, { limits: { outboundBytes: 50_000_000, writeTimeout: 200 } }, (app) => {
    app.get('/ws', { websocket: true }, (socket) => {
      socket.on('message', () => {})
      socket.send(messageOf(20_000_000))
    })
  })
  await server.connect({ deaf: true })
  await server.empty()
  assert.deepEqual(endOf(server.events), ['1013 not drained within 200 ms (limits.writeTimeout)'])
})

// The close frame waits behind what is not read, and the peer's FIN stops ws's own closing clock from ever starting.
test('RS-09 RS-10 a client that says FIN and never reads loses its place', async (t) => {
  const server = await startServer(t, { limits: { outboundBytes: 50_000_000, writeTimeout: 200 } }, (app) => {
    app.get('/ws', { websocket: true }, (socket) => {
      socket.on('message', () => {})
      socket.send(messageOf(20_000_000))
    })
  })
  const peer = await server.connect({ deaf: true })
  peer.socket.end()
  await server.empty()
  assert.equal(endOf(server.events).length, 1)
})

const receives = { say: { schema: { type: 'object' } } } as const

const stubborn: readonly (readonly [name: string, options: Partial<SecureWsOptions>])[] = [
  // Known to ws, and not to its types.
  [
    'ws has waited for its answer',
    { websocket: { options: Object.assign({ clientTracking: true }, { closeTimeout: 100 }) } },
  ],
  ['the deadline of the drain has come', { limits: { drain: { deadline: 100 } } }],
]
for (const [name, options] of stubborn) {
  test(`X-6 RS-10 app.close() ends with 100 clients that ignore the close frame, once ${name}`, async (t) => {
    const server = await startServer(t, options, (app) => {
      app.get('/ws', { websocket: true, secureWs: { receives } }, (socket) => {
        // Half of them hold a listener that never settles, with messages queued behind it.
        socket.on('say', () => new Promise(() => {}))
      })
    })
    const peers = await Promise.all(Array.from({ length: 100 }, () => server.connect()))
    for (const peer of peers.slice(50)) peer.write(...Array<Buffer>(100).fill(json({ type: 'say' })))
    await server.app.close()
    assert.equal(server.app.secureWs.stats().sockets, 0)
    await until(() => peers.every(({ gone }) => gone), 'all were cut')
    assert.ok(peers.every(({ closed }) => closed?.code === 1012 && /retry after \d+ ms/.test(closed.reason)))
    assert.deepEqual([...new Set(endOf(server.events))], ['1012 draining'])
  })
}

test('a drain closes in batches, admits nobody, and is over when the last has answered', async (t) => {
  const server = await start(t, { drain: { batch: 2, every: 50, deadline: 10_000 } })
  const peers = await Promise.all(Array.from({ length: 5 }, () => server.connect()))
  const drained = server.app.secureWs.drain()
  await until(() => peers.some(({ closed }) => closed !== undefined), 'the first batch was told')
  await assert.rejects(server.connect(), /503/)
  assert.deepEqual(await Promise.all(peers.map((peer) => peer.closeCode())), Array(5).fill(1012))
  await drained
  await server.empty()
})

test('the close answer of a client is read though a listener never settles', async (t) => {
  const server = await startServer(t, { limits: { inboundQueue: 1 } }, (app) => {
    app.get('/ws', { websocket: true, secureWs: { receives } }, (socket) => {
      socket.on('say', () => new Promise(() => {}))
    })
  })
  const peer = await server.connect()
  peer.write(...Array<Buffer>(5).fill(json({ type: 'say' })))
  await sleep(50)
  const order: string[] = []
  // Were the answer not read, ws's clock of five seconds would end the socket, behind this one.
  const clock = setTimeout(() => order.push('clock'), 2_500)
  t.after(() => clearTimeout(clock))
  const drained = server.app.secureWs.drain().then(() => order.push('drained'))
  await until(() => peer.closed !== undefined, 'it was told')
  peer.write(frame({ opcode: opcodes.close, payload: Buffer.from([0x03, 0xf4]) }))
  await drained
  assert.deepEqual(order, ['drained'])
})

test('SE-04 a session that expires closes a socket that says nothing', async (t) => {
  const clocks = takeClocks(t)
  const authenticate = () => ({ id: 'session', expiresAt: Date.now() + 60_000 })
  const server = await start(t, { heartbeat: { every: 200, timeout: 200 } }, { authenticate })
  const peer = await server.connect()
  answerPings(peer, (payload) => payload)
  clocks.moveDate(60_000)
  assert.equal(await peer.closeCode(), 3000)
  assert.equal(peer.closed?.reason, 'unauthorized')
})

test('SE-04 a session expires at once for whoever still talks, not at the next sweep', async (t) => {
  const clocks = takeClocks(t)
  const authenticate = () => ({ id: 'session', expiresAt: Date.now() + 60_000 })
  const server = await start(t, {}, { authenticate })
  const peer = await server.connect()
  peer.write(text('x'))
  await until(() => peer.texts.length === 1, 'it was heard before')
  clocks.moveDate(60_000)
  peer.write(text('x'))
  assert.equal(await peer.closeCode(), 3000)
  assert.equal(peer.texts.length, 1)
})

// A timer of more than 2^31 ms rings at once.
for (const days of [30, 400]) {
  test(`SE-04 a session of ${days} days does not end today`, async (t) => {
    const authenticate = () => ({ id: 'session', expiresAt: Date.now() + days * 86_400_000 })
    const server = await start(t, { heartbeat: { every: 80, timeout: 80 } }, { authenticate })
    const peer = await server.connect()
    answerPings(peer, (payload) => payload)
    await until(() => pings(peer) >= 3, 'three sweeps and more were over')
    peer.write(text('x'))
    await until(() => peer.texts.length === 1, 'it was heard')
  })
}

test('SE-06 a session that is revoked before the handler runs never opens for its client', async (t) => {
  const server = await startServer(t, { authenticate: () => ({ id: 'session' }) }, (app) => {
    // Between the guard and the handler.
    app.addHook('preHandler', async () => app.secureWs.revoke({ sessionId: 'session' }))
    app.get('/ws', { websocket: true }, (socket) => {
      socket.send('secret')
      socket.on('message', () => socket.send('secret'))
    })
  })
  await assert.rejects(server.connect({ with: text('x') }), /no 101 but 401/)
  await server.empty()
})
