import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { json, text as textFrame } from '../harness/frames.ts'
import { startServer } from '../harness/server.ts'
import { startTcpProxy } from '../harness/tcp-proxy.ts'
import { until } from '../harness/until.ts'
import { watch } from './harness.ts'

const text = { type: 'object', properties: { text: { type: 'string' } } } as const
const declared = { receives: { say: { schema: text } }, sends: { said: { schema: text } } } as const

test('a link that swallows every byte is noticed, whatever was under way on it, and the next one is used', async (t) => {
  const server = await startServer(t, {}, (app) =>
    app.get('/ws', { websocket: true, secureWs: declared }, (socket) => {
      socket.on('say', ({ text }) => (text === 'wait' ? new Promise<void>(() => {}) : undefined))
    }),
  )
  const proxy = await startTcpProxy(server.port)
  t.after(() => proxy.close())
  const { client, reach, states } = watch(t, proxy.port, {
    silence: 100,
    timeout: 3_000,
  })
  await reach('open')
  await client.request('say', { text: '' })
  proxy.hush()
  await assert.rejects(client.request('say', { text: 'lost' }, { timeout: 9_000 }), { code: 'SWS_LOST' })
  proxy.mend()
  await until(() => states.filter(({ name }) => name === 'open').length === 2, 'it came back')
  const after = states.slice(states.findIndex(({ name }) => name === 'open'))
  assert.equal(Reflect.get(Object(after[1]), 'reason'), 'connection lost', JSON.stringify(states))
  await client.request('say', { text: '' })
})

test('a quiet link stays: pings are answered while a listener is at work, cost no idle time, and reach nobody', async (t) => {
  const server = await startServer(t, {}, (app) =>
    app.get('/ws', { websocket: true, secureWs: declared }, (socket) => {
      socket.on('say', () => new Promise<void>(() => {}))
    }),
  )
  const { client, reach, states } = watch(t, server.port, { silence: 30, timeout: 10_000 })
  await reach('open')
  client.send({ type: 'say', text: 'for ever' })
  const heard: string[] = []
  client.on('error', ({ code }) => heard.push(code))
  await sleep(400)
  assert.deepEqual(
    states.map(({ name }) => name),
    ['connecting', 'open'],
  )
  assert.deepEqual(heard, [])
})

test('a server that never answers one is left in peace after the second', async (t) => {
  const heard: string[] = []
  const server = await startServer(t, {}, (app) =>
    app.get('/ws', { websocket: true }, (socket) => {
      socket.on('message', (frame) => heard.push(String(frame)))
    }),
  )
  const { states } = watch(t, server.port, { silence: 20, timeout: 1_500 })
  await until(() => heard.length === 2, 'two pings came')
  await sleep(2_500)
  assert.equal(heard.length, 2)
  assert.equal(states.filter(({ name }) => name === 'waiting').length, 1)
  assert.deepEqual(Object.keys(JSON.parse(heard[0] ?? '')).sort(), ['id', 'type'])
})

test('`silence: 0` asks nothing', async (t) => {
  const heard: unknown[] = []
  const server = await startServer(t, {}, (app) =>
    app.get('/ws', { websocket: true }, (socket) => {
      socket.on('message', (frame) => heard.push(frame))
    }),
  )
  const { reach } = watch(t, server.port, { silence: 0, timeout: 1_000 })
  await reach('open')
  await sleep(100)
  assert.deepEqual(heard, [])
})

test('on the wire: a ping is answered in its turn or out of it, with its id; one without is not; a near miss takes its turn', async (t) => {
  let settle = () => {}
  const server = await startServer(t, {}, (app) =>
    app.get('/ws', { websocket: true, secureWs: declared }, (socket) => {
      socket.on('say', () => new Promise<void>((resolve) => (settle = resolve)))
    }),
  )
  const peer = await server.connect()
  peer.write(json({ type: 'ping', id: 1 }), json({ type: 'ping' }), json({ type: 'say', text: '', id: 'a' }))
  peer.write(
    json({ type: 'ping', id: 'x' }),
    json({ type: 'ping', id: 2, more: true }),
    json({ type: 'say', text: '"ping"' }),
  )
  peer.write(textFrame('{"type":"ping","id":{"__proto__":1}}'))
  await until(() => peer.messages.length === 2, 'two were answered')
  assert.deepEqual(peer.messages, [
    { type: 'reply', id: 1 },
    { type: 'reply', id: 'x' },
  ])
  settle()
  await until(() => peer.messages.length === 4, 'the rest took its turn')
  assert.deepEqual(peer.messages.slice(2), [
    { type: 'reply', id: 'a' },
    { type: 'error', code: 'SWS_INVALID_MESSAGE', id: 2 },
  ])
  settle()
  await until(() => peer.messages.length === 5, 'the last one, too')
  assert.deepEqual(peer.messages[4], { type: 'error', code: 'SWS_BAD_MESSAGE' })
})

test('pings keep no socket from being idle, and a flood of them is a flood', async (t) => {
  const server = await startServer(t, { limits: { idle: 1_500, messages: { perSecond: 1, burst: 5 } } }, (app) =>
    app.get('/ws', { websocket: true, secureWs: declared }, (socket) => {
      socket.on('say', () => {})
    }),
  )
  const flooding = await server.connect()
  for (let id = 0; id < 40; id++) flooding.write(json({ type: 'ping', id }))
  assert.equal(await flooding.closeCode(), 4429)
  const peer = await server.connect()
  const timer = setInterval(() => peer.write(json({ type: 'ping', id: 1 })), 900)
  t.after(() => clearInterval(timer))
  assert.equal(await peer.closeCode(), 3008)
})
