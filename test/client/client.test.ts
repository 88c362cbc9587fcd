import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { ClientError } from '../../src/client/client.ts'
import { type MessagesOf, socketRoute } from '../../src/index.ts'
import { startServer } from '../harness/server.ts'
import { until } from '../harness/until.ts'
import { watch } from './harness.ts'

const text = { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] } as const
const chat = socketRoute({
  receives: {
    say: { schema: text },
    add: {
      schema: {
        type: 'object',
        properties: { left: { type: 'number' }, right: { type: 'number' } },
        required: ['left', 'right'],
      },
      reply: { type: 'number' },
    },
    never: { schema: { type: 'object' } },
    slow: { schema: { type: 'object' }, rate: { perSecond: 1, burst: 1 } },
  },
  sends: { said: { schema: text } },
})
type Chat = MessagesOf<typeof chat>

const routes = (app: FastifyInstance) =>
  app.get('/ws', { websocket: true, secureWs: chat }, (socket) => {
    socket.send({ type: 'said', text: 'welcome' })
    socket.on('say', ({ text }) => socket.send({ type: 'said', text }))
    socket.on('add', ({ left, right }) => left + right)
    socket.on('never', () => new Promise<never>(() => {}))
    socket.on('slow', () => undefined)
  })

async function open(t: TestContext) {
  const server = await startServer(t, {}, routes)
  const watched = watch<Chat>(t, server.port)
  return { ...watched, server }
}

const isError = (code: string) => (error: unknown) => error instanceof ClientError && error.code === code

test('messages go both ways, typed; what was sent before the connection waits for it', async (t) => {
  const { client, reach } = await open(t)
  const heard: string[] = []
  const stop = client.on('said', ({ text }) => heard.push(text))
  client.send({ type: 'say', text: 'early' })
  await reach('open')
  client.send({ type: 'say', text: 'late' })
  await until(() => heard.length === 3, 'all was heard')
  assert.deepEqual(heard, ['welcome', 'early', 'late'])
  stop()
  client.send({ type: 'say', text: 'unheard' })
  assert.equal(await client.request('add', { left: 1, right: 2 }), 3)
  assert.equal(heard.length, 3)
})

test('a loop gets every message from its beginning on, and ends with the client', async (t) => {
  const { client } = await open(t)
  const heard: string[] = []
  for (const word of ['one', 'two', 'three']) client.send({ type: 'say', text: word })
  for await (const message of client) {
    if (message.type === 'said') heard.push(message.text)
    if (heard.length === 4) void client.close()
  }
  assert.deepEqual(heard, ['welcome', 'one', 'two', 'three'])
})

test('a request ends with the code of the refusal, once', async (t) => {
  const { client } = await open(t)
  await assert.rejects(client.request('add', { left: 1, right: 'x' } as never), isError('SWS_INVALID_MESSAGE'))
  await assert.rejects(client.request('neverDeclared' as never, {} as never), isError('SWS_UNKNOWN_TYPE'))
  await client.request('slow', {})
  await assert.rejects(client.request('slow', {}), ({ code, retryAfter }: ClientError) => {
    assert.ok(retryAfter !== undefined && retryAfter > 500 && retryAfter <= 1_000, `${retryAfter}`)
    return code === 'SWS_TOO_FAST'
  })
})

test('requests over the rate of the socket end at once, each with its own error', async (t) => {
  const server = await startServer(t, { limits: { messages: { perSecond: 1, burst: 2 } } }, routes)
  const { client, reach } = watch<Chat>(t, server.port)
  await reach('open')
  const stray: unknown[] = []
  client.on('error', (error) => stray.push(error))
  const ends = await Promise.allSettled(
    [1, 2, 3, 4].map((left) => client.request('add', { left, right: 0 }, { timeout: 60_000 })),
  )
  const said = ends.map((end) =>
    end.status === 'fulfilled' ? end.value : [end.reason.code, end.reason.retryAfter > 0],
  )
  assert.deepEqual(said, [1, 2, ['SWS_TOO_FAST', true], ['SWS_TOO_FAST', true]])
  assert.deepEqual(stray, [])
})

test('a request ends at its deadline, and by its signal, open or in the queue', async (t) => {
  const { client, reach } = await open(t)
  const gone = new AbortController()
  const queued = client.request('add', { left: 1, right: 1 }, { signal: gone.signal })
  gone.abort(new Error('gone'))
  await assert.rejects(queued, /gone/)
  await reach('open')
  await assert.rejects(client.request('never', {}, { timeout: 30 }), isError('SWS_NO_ANSWER'))
  const ended = AbortSignal.abort(new Error('before'))
  await assert.rejects(client.request('add', { left: 1, right: 1 }, { signal: ended }), /before/)
})

test('a value that is no JSON rejects its request and leaves no other waiting', async (t) => {
  const { client } = await open(t)
  await assert.rejects(client.request('add', { left: 1n, right: 1 } as never), /BigInt/)
  assert.throws(() => client.send({ type: 'say', text: 1n } as never), /BigInt/)
  assert.equal(await client.request('add', { left: 2, right: 2 }), 4)
})

test('bytes go both ways, and none waits for a connection', async (t) => {
  const png = Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex')
  const server = await startServer(t, {}, (app) =>
    app.get('/ws', { websocket: true, secureWs: { binary: ['image/png'] } }, (socket) => {
      socket.on('binary', (bytes) => socket.send(bytes))
    }),
  )
  const got: ArrayBuffer[] = []
  const { client, reach } = watch(t, server.port, { bytes: (bytes) => void got.push(bytes) })
  assert.throws(() => client.sendBytes(new Blob([png])), isError('SWS_NOT_OPEN'))
  await reach('open')
  client.sendBytes(new Blob([png]))
  await until(() => got.length === 1, 'they came back')
  assert.deepEqual(Buffer.from(got[0] ?? new ArrayBuffer()), png)
  await client.close()
  assert.throws(() => client.sendBytes(new Blob([png])), isError('SWS_CLOSED'))
})

test('closing ends everything: requests, loops, the queue and the connection', async (t) => {
  const { client, server, states, reach } = await open(t)
  await reach('open')
  const waiting = client.request('never', {})
  const loop = (async () => {
    for await (const _ of client);
    return 'ended'
  })()
  await Promise.all([client.close(4000, 'enough'), assert.rejects(waiting, isError('SWS_CLOSED'))])
  assert.equal(await loop, 'ended')
  assert.deepEqual(states.at(-1), { name: 'closed', code: 4000, reason: 'closed here' })
  assert.throws(() => client.send({ type: 'say', text: '' }), isError('SWS_CLOSED'))
  assert.throws(() => client.reconnect(), isError('SWS_CLOSED'))
  await assert.rejects(client.request('add', { left: 1, right: 1 }), isError('SWS_CLOSED'))
  await server.empty()
  assert.equal(server.events.find(({ type }) => type === 'socket.closed')?.code, 4000)
})

test('`await using` closes', async (t) => {
  const { client, server } = await open(t)
  {
    await using inside = client
    assert.equal(await inside.request('add', { left: 1, right: 1 }), 2)
  }
  assert.equal(client.state.name, 'closed')
  await server.empty()
})

test('a listener that throws is reported as any event of the platform, and the next one is called', async (t) => {
  const { client } = await open(t)
  const uncaught: unknown[] = []
  const heard: string[] = []
  const listening = process.rawListeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  process.once('uncaughtException', (error) => uncaught.push(error))
  client.on('said', () => {
    throw new Error('mine')
  })
  client.on('said', ({ text }) => heard.push(text))
  await until(() => heard.length === 1 && uncaught.length === 1, 'both were called')
  for (const listener of listening) process.on('uncaughtException', listener as (error: Error) => void)
  assert.equal(await client.request('add', { left: 1, right: 1 }), 2)
})

test('answers to nobody, frames that are no message and late answers disturb nobody', async (t) => {
  const server = await startServer(t, { encode: 'none' }, (app) => {
    app.get('/ws', { websocket: true }, (socket) => {
      for (const frame of [
        '',
        '{',
        '[]',
        'null',
        '{"type":1}',
        '{"type":"reply","id":9}',
        '{"type":"error","id":{}}',
      ]) {
        socket.send(frame)
      }
      socket.send(Buffer.from([1, 2, 3]))
      socket.send('{"type":"last"}')
    })
  })
  const { client } = watch(t, server.port)
  const heard: string[] = []
  for await (const { type } of client) {
    heard.push(String(type))
    if (type === 'last') break
  }
  assert.deepEqual(heard, ['error', 'last'])
  await sleep(5)
})
