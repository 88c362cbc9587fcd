import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { execFile } from 'node:child_process'
import { type TestContext, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { fastifyRequestContext, requestContext } from '@fastify/request-context'
import { context, createContextKey, ROOT_CONTEXT } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { fromRequest } from '../../src/index.ts'
import { frame, json, opcodes, text } from '../harness/frames.ts'
import { environmentOf } from '../harness/run-node.ts'
import { startServer } from '../harness/server.ts'
import { until } from '../harness/until.ts'

// Who is signed in, which tenant, which span: applications keep it in an AsyncLocalStorage. What one message enters there must
// not be read by the next one, nor by another socket.

const any = { schema: { type: 'object', properties: { name: { type: 'string' }, ms: { type: 'number' } } } } as const

/** A route that enters the name of each message, waits, and says what it found before and after. */
async function entering(t: TestContext, storage: { enter(name: string): void; read(): string | undefined }) {
  const server = await startServer(t, {}, (app) => {
    app.get('/ws', { websocket: true, secureWs: { receives: { say: any } } }, (socket) => {
      socket.on('say', async ({ name = '', ms }) => {
        const before = storage.read() ?? 'nobody'
        storage.enter(name)
        if (ms !== undefined) await wait(ms)
        return [before, storage.read() ?? 'nobody']
      })
    })
    app.get('/sync', { websocket: true, secureWs: { receives: { say: any } } }, (socket) => {
      socket.on('say', ({ name = '' }) => {
        const before = storage.read() ?? 'nobody'
        storage.enter(name)
        return [before, storage.read() ?? 'nobody']
      })
    })
    app.get('/raw', { websocket: true }, (socket) => {
      const heard: string[] = []
      const note = (name: string) => {
        heard.push(storage.read() ?? 'nobody')
        storage.enter(name)
      }
      for (const event of ['ping', 'pong', 'close'] as const) socket.on(event, () => note(event))
      socket.on('message', (bytes: Buffer) => {
        note(bytes.toString())
        if (heard.length === 6) socket.send(heard)
      })
    })
  })
  return server
}

const found = (messages: readonly unknown[]) => messages.map((message) => Reflect.get(Object(message), 'value'))

const als = new AsyncLocalStorage<string>()
const plain = { enter: (name: string) => als.enterWith(name), read: () => als.getStore() }

for (const [path, ms] of [
  ['/ws', undefined],
  ['/ws', 20],
  ['/sync', undefined],
] as const) {
  test(`C7 what a message enters is not there for the next one (${path}, ${ms ?? 'no'} ms)`, async (t) => {
    const server = await entering(t, plain)
    const peers = [await server.connect({ path }), await server.connect({ path })]
    for (const [number, peer] of peers.entries()) {
      // In one write, so that they queue up behind each other.
      const names = ['a', 'b', 'c', 'd'].map((letter) => `${letter}${number}`)
      peer.write(...names.map((name, id) => json({ type: 'say', id, name, ...(ms !== undefined && { ms }) })))
    }
    await until(() => peers.every(({ texts }) => texts.length === 4), 'all were answered')
    for (const [number, peer] of peers.entries()) {
      assert.deepEqual(
        found(peer.messages),
        ['a', 'b', 'c', 'd'].map((letter) => ['nobody', `${letter}${number}`]),
      )
    }
  })
}

// A full queue stops the reader, and whoever makes it go on again hands its own context to what is read then.
test("C7 a message that is read after a pause is in nobody's context", async (t) => {
  const server = await startServer(t, { limits: { inboundQueue: 2 } }, (app) => {
    app.get('/ws', { websocket: true, secureWs: { receives: { say: any } } }, (socket) => {
      socket.on('say', async ({ name = '' }) => {
        const before = als.getStore() ?? 'nobody'
        als.enterWith(name)
        await wait(1)
        return before
      })
    })
  })
  const peer = await server.connect()
  const message = (id: number) => json({ type: 'say', id, name: `message ${id} ${'x'.repeat(10_000)}` })
  peer.write(...Array.from({ length: 60 }, (_, id) => message(id)))
  await until(() => peer.texts.length === 60, 'all were answered')
  assert.deepEqual(new Set(found(peer.messages)), new Set(['nobody']))
})

test('C7 pings, pongs and raw messages of one read are in contexts of their own', async (t) => {
  const server = await entering(t, plain)
  const peer = await server.connect({ path: '/raw' })
  const ping = frame({ opcode: opcodes.ping })
  const pong = frame({ opcode: opcodes.pong })
  peer.write(text('a'), ping, text('b'), pong, ping, text('c'))
  await until(() => peer.texts.length === 1, 'it was answered')
  assert.deepEqual(peer.messages, [Array(6).fill('nobody')])
})

test('C7 a callback of send runs in the context it was handed over in', async (t) => {
  const seen: [string, string | undefined][] = []
  const server = await startServer(t, {}, (app) => {
    app.get('/ws', { websocket: true }, (socket) => void socket.join('room'))
    app.get('/ping', { websocket: true }, (socket) => void socket.join('room'))
  })
  const peers = [await server.connect(), await server.connect(), await server.connect({ path: '/ping' })]
  let number = 0
  // In one turn, so that one write of one socket may end up calling back for others.
  for (const socket of server.app.websocketServer.clients) {
    const name = `socket ${number++}`
    als.run(name, () => {
      socket.send('text', () => seen.push([name, als.getStore()]))
      socket.send(Buffer.from('bytes'), () => {
        seen.push([name, als.getStore()])
        als.enterWith('leaked')
      })
      socket.ping('', false, () => seen.push([name, als.getStore()]))
    })
  }
  await until(() => seen.length === 9, 'all were called back')
  assert.deepEqual(
    seen.filter(([name, store]) => name !== store),
    [],
  )
  for (const peer of peers) await until(() => peer.texts.length === 1, 'it came')
})

test('C7 a request context of the handshake is that of its handler, and no message of another socket sees it', async (t) => {
  const server = await startServer(t, {}, (app) => {
    app.register(fastifyRequestContext, { hook: 'onRequest' })
    app.addHook('onRequest', async (request) => {
      Reflect.apply(requestContext.set, requestContext, ['user', new URL(request.url, 'http://x').search])
    })
    const user = () => Reflect.apply(requestContext.get, requestContext, ['user']) ?? 'nobody'
    app.get('/ws', { websocket: true, secureWs: { receives: { say: any } } }, (socket) => {
      socket.send({ handler: user() })
      socket.on('say', async () => {
        await wait(1)
        return user()
      })
    })
  })
  const peers = [await server.connect({ path: '/ws?ann' }), await server.connect({ path: '/ws?bob' })]
  for (const peer of peers) peer.write(...[1, 2, 3].map((id) => json({ type: 'say', id })))
  await until(() => peers.every(({ texts }) => texts.length === 4), 'all were answered')
  assert.deepEqual(
    peers.map(({ messages }) => [messages[0], ...found(messages.slice(1))]),
    [
      [{ handler: '?ann' }, 'nobody', 'nobody', 'nobody'],
      [{ handler: '?bob' }, 'nobody', 'nobody', 'nobody'],
    ],
  )
})

test("C7 OpenTelemetry's active context of a message is its own", async (t) => {
  const manager = new AsyncLocalStorageContextManager().enable()
  context.setGlobalContextManager(manager)
  t.after(() => context.disable())
  const key = createContextKey('message')
  const server = await startServer(t, {}, (app) => {
    app.get('/ws', { websocket: true, secureWs: { receives: { say: any } } }, (socket) => {
      socket.on('say', ({ name = '' }) => {
        const before = context.active() === ROOT_CONTEXT
        return context.with(context.active().setValue(key, name), async () => {
          await wait(2)
          return [before, context.active().getValue(key)]
        })
      })
    })
  })
  const peers = [await server.connect(), await server.connect()]
  for (const peer of peers) peer.write(...['a', 'b', 'c'].map((name) => json({ type: 'say', id: name, name })))
  await until(() => peers.every(({ texts }) => texts.length === 3), 'all were answered')
  for (const peer of peers)
    assert.deepEqual(
      found(peer.messages),
      ['a', 'b', 'c'].map((name) => [true, name]),
    )
})

test('C7 the questions of the sweep are in the context of no request', async (t) => {
  const asked: (string | undefined)[] = []
  const server = await startServer(
    t,
    {
      authenticate: fromRequest(() => ({ id: 's' }), {
        ambient: false,
        revalidate: async () => {
          asked.push(als.getStore())
          als.enterWith('a question')
          return true
        },
      }),
      session: { revalidateEvery: 1_000 },
    },
    (app) => {
      app.addHook('onRequest', (request, _reply, done) => als.run(request.url, done))
      app.get('/ws', { websocket: true }, () => {})
    },
  )
  for (let count = 0; count < 3; count++) await server.connect()
  await until(() => asked.length >= 3, 'each was asked about')
  assert.deepEqual(new Set(asked), new Set([undefined]))
})

// Node 22 keeps contexts in another way, which newer ones still have behind a flag.
test('C7 all of it with the contexts of Node 22', { timeout: 250_000 }, async (t) => {
  if (process.execArgv.includes('--no-async-context-frame') || Number(process.versions.node.split('.')[0]) < 24) return
  const file = fileURLToPath(import.meta.url)
  const run = promisify(execFile)(process.execPath, ['--no-async-context-frame', '--test-reporter=tap', file], {
    env: environmentOf(),
    signal: t.signal,
  })
  assert.match((await run).stdout, /^# fail 0$/m)
})
