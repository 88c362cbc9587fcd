import assert from 'node:assert/strict'
import { test } from 'node:test'
import { frame, json, opcodes } from '../harness/frames.ts'
import { startServer } from '../harness/server.ts'
import { until } from '../harness/until.ts'

// Between a frame and a listener there are checks of ours and functions of the application. Whatever one of them throws, where
// nobody expected it to, ends neither the process nor another socket.

const any = { schema: { type: 'object', properties: {} } } as const

// V8 has no stack for this pattern on five megabytes: it throws out of the schema's own check.
test('C2 a schema that throws is SWS_INTERNAL with the id, a fault, and nothing else', async (t) => {
  const heard: number[] = []
  const many = { type: 'object', properties: { text: { type: 'string', pattern: '^([A-Za-z]|-)*$' } } } as const
  const server = await startServer(t, { limits: { messageBytes: 32 << 20 } }, (app) => {
    app.get('/ws', { websocket: true, secureWs: { receives: { say: { schema: many } } } }, (socket) => {
      socket.on('say', ({ text }) => {
        heard.push(text?.length ?? 0)
        return 'heard'
      })
    })
  })
  const [attacker, other] = [await server.connect(), await server.connect()]
  attacker.write(json({ type: 'say', text: 'a'.repeat(5 << 20), id: 1 }), json({ type: 'say', text: 'a', id: 2 }))
  await until(() => attacker.texts.length === 2, 'both were answered')
  assert.deepEqual(attacker.messages, [
    { type: 'error', code: 'SWS_INTERNAL', id: 1 },
    { type: 'reply', id: 2, value: 'heard' },
  ])
  assert.deepEqual(heard, [1])
  const failed = server.events.filter(({ type }) => type === 'message.failed')
  assert.deepEqual(
    failed.map(({ reason, messageType }) => [reason, messageType]),
    [['RangeError', 'say']],
  )
  // Five in a minute are no accident: that socket is closed, and the other one is not.
  for (let id = 3; id < 7; id++) attacker.write(json({ type: 'say', text: 'a'.repeat(5 << 20), id }))
  assert.equal(await attacker.closeCode(), 1011)
  other.write(json({ type: 'say', text: 'b', id: 9 }))
  await until(() => other.texts.length === 1, 'the other one is served')
})

// A session is the application's own object: what it does when it is looked at is anybody's guess.
test('C2 a session that throws when looked at refuses what asks about it', async (t) => {
  const session = {
    id: 's',
    armed: false,
    get authenticatedAt() {
      if (this.armed) throw new Error('the row is gone')
      return Date.now()
    },
  }
  const server = await startServer(t, { authenticate: () => session }, (app) => {
    const receives = { pay: { ...any, freshAuth: 60_000 }, say: any }
    app.get('/ws', { websocket: true, secureWs: { receives } }, (socket) => {
      socket.on('pay', () => 'paid')
      socket.on('say', () => 'said')
    })
  })
  const peer = await server.connect()
  peer.write(json({ type: 'pay', id: 1 }))
  await until(() => peer.texts.length === 1, 'the first one was answered')
  session.armed = true
  peer.write(json({ type: 'pay', id: 2 }), json({ type: 'say', id: 3 }))
  await until(() => peer.texts.length === 3, 'the others were answered')
  assert.deepEqual(peer.messages, [
    { type: 'reply', id: 1, value: 'paid' },
    { type: 'error', code: 'SWS_INTERNAL', id: 2 },
    { type: 'reply', id: 3, value: 'said' },
  ])
})

test('C2 whatever a listener returns or a binary type makes, the next message is read', async (t) => {
  const strange = () => {
    throw new Error('looked at')
  }
  const returned: readonly (() => unknown)[] = [
    () => Object.defineProperty({}, 'then', { get: strange }),
    () => ({ toJSON: strange }),
    () => new Proxy({}, { get: strange, ownKeys: strange, getPrototypeOf: strange }),
    () => {
      throw new Proxy({}, { get: strange, getPrototypeOf: strange })
    },
    () => 10n,
  ]
  const server = await startServer(t, {}, (app) => {
    app.get('/ws', { websocket: true, secureWs: { receives: { say: any, fine: any } } }, (socket) => {
      let number = 0
      socket.on('say', () => returned[number++ % returned.length]?.())
      socket.on('fine', () => 'fine')
    })
  })
  for (let first = 0; first < returned.length; first++) {
    const peer = await server.connect()
    for (let before = 0; before < first; before++) peer.write(json({ type: 'say' }))
    peer.write(json({ type: 'say', id: 1 }), json({ type: 'fine', id: 2 }))
    await until(() => peer.texts.some((text) => text.includes('"id":2')) || peer.closed !== undefined, 'it went on')
    const answers = peer.messages.filter((message) => Reflect.get(Object(message), 'id') === 1)
    if (peer.closed === undefined)
      assert.deepEqual(answers, [{ type: 'error', code: 'SWS_INTERNAL', id: 1 }], `${first}`)
  }
})

// `loggerInstance` may be anybody's: one that throws took the process with it, in the middle of a refusal.
test('C2 a logger that throws costs the socket it was asked to speak of, and no other', async (t) => {
  const server = await startServer(t, {}, (app) => {
    let logs = 0
    app.addHook('onRequest', async (request) => {
      if (request.url !== '/broken') return
      const broken = () => {
        logs++
        throw new Error('disk full')
      }
      Object.assign(request.log, { warn: broken, error: broken, info: () => {} })
    })
    for (const path of ['/broken', '/ws']) {
      app.get(path, { websocket: true, secureWs: { receives: { say: any } } }, (socket) => {
        socket.on('say', () => logs)
      })
    }
  })
  const [broken, fine] = [await server.connect({ path: '/broken' }), await server.connect()]
  broken.write(json({ type: 'unknown' }))
  broken.write(frame({ opcode: opcodes.ping }))
  await broken.whenGone()
  fine.write(json({ type: 'say', id: 1 }))
  await until(() => fine.texts.length === 1, 'the other one is served')
  assert.ok(Number(Reflect.get(Object(fine.messages[0]), 'value')) > 0)
})
