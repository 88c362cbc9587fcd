import assert from 'node:assert/strict'
import type { Duplex } from 'node:stream'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { takeClocks } from '../harness/clocks.ts'
import { close, frame, json, opcodes, ping, text } from '../harness/frames.ts'
import { startServer } from '../harness/server.ts'
import { until } from '../harness/until.ts'

const anything = { schema: { type: 'object', additionalProperties: true } } as const
const receives = { say: anything, fine: anything } as const
/** A listener's mistake, whatever its type says. */
type Mistake = () => unknown

/** An object that throws at whoever looks at it: at any member, at its prototype, at its keys. */
function trap(): object {
  const spring = () => {
    throw new RangeError('looked at')
  }
  return new Proxy(
    {},
    { get: spring, has: spring, ownKeys: spring, getPrototypeOf: spring, getOwnPropertyDescriptor: spring },
  )
}

/** An error with a member that cannot be read, which a log serializer walks into. */
function poisonedError(): Error {
  const error = new Error('poisoned')
  for (const member of ['code', 'detail']) {
    Object.defineProperty(error, member, {
      enumerable: true,
      get() {
        throw new RangeError('looked at')
      },
    })
  }
  return error
}

const faults: readonly (readonly [name: string, listener: Mistake])[] = [
  [
    'throws an error',
    () => {
      throw new Error('SECRET of the server')
    },
  ],
  ['rejects', () => Promise.reject(new Error('SECRET of the server'))],
  [
    'throws null',
    () => {
      throw null
    },
  ],
  [
    'throws undefined',
    () => {
      throw undefined
    },
  ],
  ['rejects with null', () => Promise.reject(null)],
  [
    'throws an object that throws when looked at',
    () => {
      throw trap()
    },
  ],
  ['rejects with an object that throws when looked at', () => Promise.reject(trap())],
  [
    'throws an error with a poisoned member',
    () => {
      throw poisonedError()
    },
  ],
  ['returns what JSON cannot hold', () => ({ circle: 1n })],
  [
    'returns an object whose toJSON throws',
    () => ({
      toJSON() {
        throw new Error('SECRET of the server')
      },
    }),
  ],
  ['returns an object that throws when looked at', () => trap()],
  // biome-ignore lint/suspicious/noThenProperty: a broken promise is what is tested.
  ['returns a thenable that throws', () => ({ then: () => assert.fail('SECRET of the server') })],
]

// A server that an application has put behind streams of its own: TLS in JavaScript, a tunnel, a recorder.
test('CS-25 a stream that throws when it is written to ends its own socket, and no other one', async (t) => {
  const streams: Duplex[] = []
  const server = await startServer(t, {}, (app) => {
    app.server.on('connection', (stream) => streams.push(stream))
    app.get('/ws', { websocket: true, secureWs: { receives } }, (socket) => {
      void socket.join('room:all')
      socket.on('fine', () => {
        app.secureWs.to('room:all').send({ type: 'news' })
        return 'ok'
      })
    })
  })
  const peer = await server.connect()
  const neighbour = await server.connect()
  Object.assign(streams[0] ?? assert.fail(), {
    _write() {
      throw new Error('of this stream')
    },
  })
  neighbour.write(json({ type: 'fine', id: 1 }))
  await until(() => neighbour.messages.length === 2, 'the neighbour was told and answered')
  assert.deepEqual(neighbour.messages, [{ type: 'news' }, { type: 'reply', id: 1, value: 'ok' }])
  await peer.whenGone()
  await until(() => server.events.some(({ type }) => type === 'socket.closed'), 'the end was told')
  assert.deepEqual(
    server.events.filter(({ type }) => type === 'message.failed' || type === 'socket.closed').map(({ type }) => type),
    ['message.failed', 'socket.closed'],
  )
  assert.ok(server.logged.some((line) => line.includes('of this stream')))
  neighbour.write(json({ type: 'fine', id: 2 }))
  await until(() => neighbour.messages.length === 4, 'the neighbour goes on')
  assert.equal(server.app.secureWs.stats().sockets, 1)
})

for (const [name, listener] of faults) {
  test(`CS-25 MS-15 a listener that ${name} is answered with an error and harms nobody`, async (t) => {
    const server = await startServer(t, {}, (app) => {
      app.get('/ws', { websocket: true, secureWs: { receives } }, (socket) => {
        socket.on('say', listener)
        socket.on('fine', () => 'ok')
      })
    })
    const [peer, neighbour] = [await server.connect(), await server.connect()]
    peer.write(json({ type: 'say', id: 1 }), json({ type: 'fine', id: 2 }))
    await until(() => peer.messages.length === 2, 'both were answered')
    assert.deepEqual(peer.messages, [
      { type: 'error', code: 'SWS_INTERNAL', id: 1 },
      { type: 'reply', id: 2, value: 'ok' },
    ])
    neighbour.write(json({ type: 'fine', id: 3 }))
    await until(() => neighbour.messages.length === 1, 'the neighbour was answered')
    assert.equal(server.events.filter(({ type }) => type === 'message.failed').length, 1)
    // The log may have the stack. The client and the audit trail have not.
    assert.ok(!JSON.stringify([server.events, peer.texts]).includes('SECRET'))
    assert.ok(server.logged.some((line) => line.includes('a listener threw')))
  })
}

test('MS-15 five faults within a minute close with 1011, four do not', async (t) => {
  const server = await startServer(t, {}, (app) => {
    app.get('/ws', { websocket: true, secureWs: { receives } }, (socket) => {
      socket.on('say', () => {
        throw new Error('again')
      })
      socket.on('fine', () => 'ok')
    })
  })
  const [four, five] = [await server.connect(), await server.connect()]
  const fault = json({ type: 'say' })
  four.write(fault, fault, fault, fault, json({ type: 'fine', id: 1 }))
  five.write(fault, fault, fault, fault, fault, json({ type: 'fine', id: 1 }))
  assert.equal(await five.closeCode(), 1011)
  assert.equal(five.closed?.reason, 'internal error')
  await until(() => four.messages.length === 5, 'all were answered')
  assert.deepEqual(four.messages.at(-1), { type: 'reply', id: 1, value: 'ok' })
  assert.ok(!five.texts.join().includes('ok'))
})

test('MS-15 a raw listener that throws or rejects is contained, and closes with 1011 when it keeps failing', async (t) => {
  let calls = 0
  const server = await startServer(t, {}, (app) => {
    app.get('/ws', { websocket: true }, (socket) => {
      socket.on('message', () => {
        if (++calls % 2 === 0) throw trap()
        return Promise.reject(trap())
      })
    })
  })
  const peer = await server.connect()
  peer.write(...Array<Buffer>(10).fill(text('x')))
  assert.equal(await peer.closeCode(), 1011)
  await server.empty()
})

test('MS-15 a listener that never settles holds its own socket only, and a bounded number of messages', async (t) => {
  let calls = 0
  const limits = { inboundQueue: 4, messageBytes: 1_000 }
  const server = await startServer(t, { limits }, (app) => {
    app.get('/ws', { websocket: true, secureWs: { receives } }, (socket) => {
      socket.on('say', () => {
        calls++
        return new Promise(() => {})
      })
      socket.on('fine', () => 'ok')
    })
  })
  const [peer, neighbour] = [await server.connect(), await server.connect()]
  const message = json({ type: 'say', filler: 'x'.repeat(900) })
  // 20 MB: more than two kernels hold. Were it read, it would be in this process.
  const before = process.memoryUsage().arrayBuffers
  for (let round = 0; round < 20; round++) peer.write(...Array<Buffer>(1_000).fill(message))
  neighbour.write(json({ type: 'fine', id: 1 }))
  await until(() => neighbour.messages.length === 1, 'the neighbour was answered')
  await sleep(100)
  assert.equal(calls, 1)
  assert.ok(peer.socket.writableLength > 5_000_000, 'the rest waits at the client')
  // The client's own 20 MB are here as well; the server's part is one read of the kernel per socket.
  assert.ok(process.memoryUsage().arrayBuffers - before < 30_000_000)
  peer.reset()
})

test('MS-15 throws in listeners of close, ping, pong and error are contained', async (t) => {
  let closes = 0
  const server = await startServer(t, {}, (app) => {
    app.get('/ws', { websocket: true }, (socket) => {
      socket.on('message', () => socket.send('heard'))
      socket.on('ping', () => {
        throw trap()
      })
      socket.on('error', () => {
        throw new Error('in error')
      })
      socket.on('close', () => {
        closes++
        throw new Error('in close')
      })
      socket.once('close', () => Promise.reject(trap()))
      socket.on('close', () => {
        closes++
      })
    })
  })
  const polite = await server.connect()
  polite.write(ping(), text('x'))
  await until(() => polite.texts.length === 1, 'it was answered')
  polite.write(close(1000))
  assert.equal(await polite.closeCode(), 1000)
  const broken = await server.connect()
  broken.write(frame({ rsv: 7 }))
  assert.equal(await broken.closeCode(), 1002)
  const reset = await server.connect()
  reset.reset()
  await server.empty()
  await until(() => closes === 6, 'every close listener was called, the one behind the failing one as well')
})

test('MS-15 a handler that throws or rejects closes with 1011', async (t) => {
  const server = await startServer(t, {}, (app) => {
    app.get('/throws', { websocket: true }, () => {
      throw new Error('SECRET')
    })
    app.get('/rejects', { websocket: true }, async () => {
      await sleep(5)
      throw null
    })
  })
  for (const path of ['/throws', '/rejects']) {
    const peer = await server.connect({ path })
    assert.equal(await peer.closeCode(), 1011, path)
    assert.equal(peer.closed?.reason, 'internal error')
  }
  await server.empty()
})

test('MS-15 the application says first what becomes of a handler that failed', async (t) => {
  const server = await startServer(
    t,
    {
      websocket: {
        errorHandler(error, socket, request) {
          assert.equal(error.message, 'SECRET')
          if (request.url === '/told') socket.send('sorry')
          else if (request.url === '/cut') socket.terminate()
          else socket.close(4000, 'mine')
        },
      },
    },
    (app) => {
      for (const path of ['/told', '/cut', '/closed']) {
        app.get(path, { websocket: true }, async () => {
          throw new Error('SECRET')
        })
      }
    },
  )
  const told = await server.connect({ path: '/told' })
  assert.equal(await told.closeCode(), 1011)
  assert.deepEqual(told.texts, ['sorry'])
  const cut = await server.connect({ path: '/cut' })
  await cut.whenGone()
  assert.equal(cut.closed, undefined)
  const closed = await server.connect({ path: '/closed' })
  assert.equal(await closed.closeCode(), 4000)
  assert.equal(server.events.filter(({ type }) => type === 'message.failed').length, 3)
  await server.empty()
})

test('MS-15 an authorize that throws an object that throws when looked at refuses the message', async (t) => {
  const server = await startServer(t, {}, (app) => {
    const authorize = () => {
      throw trap()
    }
    app.get('/ws', { websocket: true, secureWs: { receives: { say: { ...anything, authorize } } } }, (socket) => {
      socket.on('say', () => assert.fail('delivered'))
    })
  })
  const peer = await server.connect()
  peer.write(json({ type: 'say', id: 1 }))
  await until(() => peer.messages.length === 1, 'it was answered')
  assert.deepEqual(peer.messages, [{ type: 'error', code: 'SWS_INTERNAL', id: 1 }])
})

test('MS-14 messages are heard one after the other, whatever their listeners wait for', async (t) => {
  const order: string[] = []
  const server = await startServer(t, {}, (app) => {
    app.get('/ws', { websocket: true, secureWs: { receives } }, (socket) => {
      socket.on('say', async () => {
        order.push('say begins')
        await sleep(30)
        order.push('say ends')
      })
      socket.on('fine', () => void order.push('fine'))
    })
  })
  const peer = await server.connect()
  peer.write(json({ type: 'say' }), json({ type: 'fine' }), json({ type: 'say' }))
  await until(() => order.length === 5, 'all were heard')
  assert.deepEqual(order, ['say begins', 'say ends', 'fine', 'say begins', 'say ends'])
})

// After the application has closed the socket, ws alone goes on delivering for up to 30 seconds.
for (const how of ['close', 'terminate'] as const) {
  for (const raw of [true, false]) {
    test(`no listener is called after ${how}(), with 20 ${raw ? 'raw frames' : 'messages'} in the same segment`, async (t) => {
      let calls = 0
      const server = await startServer(t, {}, (app) => {
        if (raw) {
          app.get('/ws', { websocket: true }, (socket) => {
            socket.on('message', () => {
              calls++
              socket[how]()
              socket.send('too late')
            })
          })
        } else {
          app.get('/ws', { websocket: true, secureWs: { receives } }, (socket) => {
            socket.on('say', () => {
              calls++
              socket[how]()
              return 'too late'
            })
          })
        }
      })
      const peer = await server.connect()
      peer.write(...Array<Buffer>(21).fill(json({ type: 'say', id: 1 })))
      assert.equal(await peer.closeCode(), how === 'close' ? 1005 : 1006)
      assert.equal(calls, 1)
      assert.deepEqual(peer.texts, [])
      await server.empty()
      assert.equal(server.events.filter(({ type }) => type === 'socket.closed').length, 1)
    })
  }
}

test('a second listener of the same message is not called once the first has closed the socket', async (t) => {
  const called: string[] = []
  const server = await startServer(t, {}, (app) => {
    app.get('/ws', { websocket: true, secureWs: { receives } }, (socket) => {
      socket.on('say', async () => {
        called.push('first')
        await sleep(5)
        socket.close(4000)
      })
      socket.on('say', () => void called.push('second'))
    })
  })
  const peer = await server.connect()
  peer.write(json({ type: 'say' }))
  assert.equal(await peer.closeCode(), 4000)
  await server.empty()
  assert.deepEqual(called, ['first'])
})

// SE-04, SE-05: the right is gone, however much was on its way when it went.
test('SE-05 after revoke() no listener is called and nothing is sent, with 20 messages in flight', async (t) => {
  const { promise: asked, resolve: ask } = Promise.withResolvers<void>()
  const { promise: revoked, resolve: goOn } = Promise.withResolvers<void>()
  let calls = 0
  const authenticate = () => ({ id: 'session', userId: 'user' })
  const server = await startServer(t, { authenticate }, (app) => {
    app.get('/ws', { websocket: true, secureWs: { receives } }, (socket) => {
      socket.on('say', async () => {
        calls++
        ask()
        await revoked
        socket.send({ type: 'secret' })
        return 'secret'
      })
    })
  })
  const peer = await server.connect()
  peer.write(...Array<Buffer>(20).fill(json({ type: 'say', id: 1 })))
  await asked
  await server.app.secureWs.revoke({ userId: 'user' })
  peer.write(...Array<Buffer>(20).fill(json({ type: 'say', id: 1 })))
  goOn()
  assert.equal(await peer.closeCode(), 3000)
  await server.empty()
  assert.equal(calls, 1)
  assert.deepEqual(peer.texts, [])
})

test('SE-04 a reply that was waited for does not leave after the session has expired', async (t) => {
  // The sweep comes once a second here: what is refused is refused by the gate itself.
  const clocks = takeClocks(t)
  const authenticate = () => ({ id: 'session', expiresAt: Date.now() + 60_000 })
  const server = await startServer(t, { authenticate }, (app) => {
    app.get('/ws', { websocket: true, secureWs: { receives } }, (socket) => {
      socket.on('say', async () => {
        await sleep(5)
        clocks.moveDate(60_000)
        return 'secret'
      })
    })
  })
  const peer = await server.connect()
  peer.write(json({ type: 'say', id: 1 }))
  assert.equal(await peer.closeCode(), 3000)
  assert.deepEqual(peer.texts, [])
})

test('a close code that may not be sent throws at its caller, and the socket stays as it was', async (t) => {
  const thrown: unknown[] = []
  const server = await startServer(t, {}, (app) => {
    app.get('/ws', { websocket: true }, (socket) => {
      socket.on('message', () => {
        for (const code of [0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 1000.5, Number.NaN]) {
          assert.throws(() => socket.close(code, 'text'), TypeError)
          assert.throws(() => socket.close(code), TypeError)
          thrown.push(code)
        }
        socket.send('still open')
      })
    })
  })
  const peer = await server.connect()
  peer.write(text('x'))
  await until(() => peer.texts.length === 1, 'it was answered')
  assert.equal(thrown.length, 10)
})

// OU-05: the ways to a frame that are not `socket.send`.
const canary = '<script>alert(1)</script>'
const safe = '&lt;script&gt;alert(1)&lt;/script&gt;'

test('OU-05 no way to a message passes the encoder by', async (t) => {
  const { WebSocket, createWebSocketStream } = await import('ws')
  interface Sender {
    send(payload: unknown, options: object, callback?: () => void): void
  }
  const exits: Record<string, (socket: WebSocketOf) => void> = {
    'the method of ws itself': (socket) => WebSocket.prototype.send.call(socket, canary, {}, () => {}),
    'the same, as text made of bytes': (socket) =>
      WebSocket.prototype.send.call(socket, Buffer.from(canary), { binary: false }, () => {}),
    'the sender of ws': (socket) => (Reflect.get(socket, '_sender') as Sender).send(canary, { fin: true }),
    'bytes that are said to be text': (socket) => socket.send(Buffer.from(canary), { binary: false }),
    'the stream of ws, in text': (socket) =>
      void createWebSocketStream(socket, { encoding: 'utf8', decodeStrings: false }).write(canary),
    'the list of clients of @fastify/websocket': (_socket) => {
      for (const client of server.app.websocketServer.clients) client.send(canary)
    },
  }
  type WebSocketOf = InstanceType<typeof WebSocket>
  const server = await startServer(t, {}, (app) => {
    for (const [at, exit] of Object.values(exits).entries()) {
      app.get(`/${at}`, { websocket: true }, (socket) => {
        // Typed as what ws takes, because that is what code that knows nothing of us does.
        exit(socket as object as WebSocketOf)
      })
    }
  })
  for (const [at, name] of Object.keys(exits).entries()) {
    const peer = await server.connect({ path: `/${at}` })
    await until(() => peer.frames.length === 1, `${name} had sent`)
    assert.equal(peer.frames[0]?.opcode, opcodes.text, name)
    assert.equal(peer.texts[0], safe, name)
    peer.reset()
    await server.empty()
  }
})

test('OU-05 the stream of ws sends what is written as bytes, and bytes are binary', async (t) => {
  const { createWebSocketStream } = await import('ws')
  const server = await startServer(t, {}, (app) => {
    app.get('/ws', { websocket: true }, (socket) => void createWebSocketStream(socket).write(canary))
  })
  const peer = await server.connect()
  await until(() => peer.frames.length === 1, 'it was sent')
  assert.equal(peer.frames[0]?.opcode, opcodes.binary)
})

test('OU-05 injectWS is refused: it has no peer, no transport and no raw headers to be judged by', async (t) => {
  const server = await startServer(t, {}, (app) => {
    app.get('/ws', { websocket: true }, () => assert.fail('opened'))
  })
  const headers = { host: 'localhost', origin: 'http://localhost' }
  await assert.rejects(server.app.injectWS('/ws', { headers }), /Unexpected server response: 4\d\d/)
})

test('OU-06 close reasons and pings carry text that is encoded and cut, never markup', async (t) => {
  const server = await startServer(t, {}, (app) => {
    app.get('/reason', { websocket: true }, (socket) => socket.close(4000, canary))
    app.get('/long', { websocket: true }, (socket) => socket.close(4000, '\u20ac'.repeat(100)))
    app.get('/bytes', { websocket: true }, (socket) => socket.close(4000, Buffer.from(canary)))
    app.get('/ping', { websocket: true }, (socket) => {
      socket.ping(canary)
      socket.ping(Buffer.from(canary))
      socket.ping('\u{1f600}'.repeat(100))
      socket.pong(canary)
    })
    app.get('/reply', { websocket: true, secureWs: { receives } }, (socket) => {
      socket.on('say', () => ({ [canary]: [canary] }))
      socket.on('fine', () => {
        throw new Error(canary)
      })
    })
  })
  const reason = await server.connect({ path: '/reason' })
  assert.equal(await reason.closeCode(), 4000)
  assert.equal(reason.closed?.reason, safe)

  const long = await server.connect({ path: '/long' })
  await long.closeCode()
  // 123 bytes hold 41 euro signs of three bytes each.
  assert.equal(long.closed?.reason, '\u20ac'.repeat(41))

  const bytes = await server.connect({ path: '/bytes' })
  await bytes.closeCode()
  assert.equal(bytes.closed?.reason, safe)

  const pinged = await server.connect({ path: '/ping' })
  await until(() => pinged.frames.length === 4, 'all had come')
  assert.deepEqual(
    pinged.frames.map(({ opcode, payload }) => [opcode, payload.toString()]),
    [
      [opcodes.ping, safe],
      [opcodes.ping, safe],
      [opcodes.ping, '\u{1f600}'.repeat(31)],
      [opcodes.pong, safe],
    ],
  )

  const reply = await server.connect({ path: '/reply' })
  // An id comes back as it was sent, so one that would be encoded is refused; nothing else that the client names is quoted.
  reply.write(json({ type: 'say', id: 'a' }), json({ type: 'fine', id: 'a' }), json({ type: canary, id: canary }))
  await until(() => reply.texts.length === 3, 'all were answered')
  assert.ok(!reply.texts.join().includes('<'))
  assert.deepEqual(reply.messages[0], { type: 'reply', id: 'a', value: { [safe]: [safe] } })
  assert.deepEqual(reply.messages[1], { type: 'error', code: 'SWS_INTERNAL', id: 'a' })
  assert.deepEqual(reply.messages[2], { type: 'error', code: 'SWS_BAD_MESSAGE' })
})

test('the byte rate counts binary frames whatever form the application asked for', async (t) => {
  const heard: unknown[] = []
  const limits = { bytes: { perSecond: 1, burst: 1_000 }, messageBytes: 1_000 }
  for (const binaryType of ['nodebuffer', 'arraybuffer', 'fragments', 'blob'] as const) {
    await t.test(binaryType, async (t) => {
      heard.length = 0
      const server = await startServer(t, { limits }, (app) => {
        app.get('/ws', { websocket: true }, (socket) => {
          Object.assign(socket, { binaryType })
          socket.on('message', (bytes) => heard.push(bytes))
        })
      })
      const peer = await server.connect()
      const half = frame({ opcode: opcodes.binary, payload: Buffer.alloc(450, 7) })
      peer.write(half, half, half)
      assert.equal(await peer.closeCode(), 4429)
      assert.equal(heard.length, 2)
      const [first] = heard
      const bytes = first instanceof Blob ? await first.arrayBuffer() : Array.isArray(first) ? first[0] : first
      assert.equal(Buffer.from(bytes as ArrayBuffer).compare(Buffer.alloc(450, 7)), 0)
      const forms = { nodebuffer: Buffer, arraybuffer: ArrayBuffer, fragments: Array, blob: Blob }
      assert.ok(first instanceof forms[binaryType])
    })
  }
})
