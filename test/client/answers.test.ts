import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { type MessagesOf, type SecureWsError, socketRoute } from '../../src/index.ts'
import { startServer } from '../harness/server.ts'
import { until } from '../harness/until.ts'
import { watch } from './harness.ts'

const text = { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] } as const
const route = socketRoute({
  receives: { ask: { schema: text, reply: { type: 'string' } }, say: { schema: text } },
  sends: { confirm: { schema: text, reply: { type: 'boolean' } }, said: { schema: text } },
})
type Chat = MessagesOf<typeof route>

/** A server that asks whoever says something, and says what became of it. */
const routes = (app: FastifyInstance) =>
  app.get('/ws', { websocket: true, secureWs: route }, (socket) => {
    const asked = (words: string) =>
      socket.request('confirm', { text: words }, { timeout: 2_000 }).then(String, ({ code }: SecureWsError) => code)
    socket.on('ask', ({ text }) => asked(text))
    socket.on('say', async ({ text }) => {
      heard.push(await asked(text))
    })
  })
const heard: string[] = []

async function open(t: TestContext) {
  const server = await startServer(t, {}, routes)
  const watched = watch<Chat>(t, server.port)
  await watched.reach('open')
  return { ...watched, server }
}

test('the server asks in the middle of a request of the client, and each gets its answer', async (t) => {
  const { client } = await open(t)
  const stop = client.answer('confirm', async ({ type, text }) => type === 'confirm' && text === 'sure?')
  assert.deepEqual(
    await Promise.all([client.request('ask', { text: 'sure?' }), client.request('ask', { text: 'no' })]),
    ['true', 'false'],
  )
  // The newest answers, and its end gives nobody's back but its own.
  client.answer('confirm', () => true)
  stop()
  assert.equal(await client.request('ask', { text: 'no' }), 'true')
})

test('nobody there, a listener that throws, one that answers with something else: the server hears of it at once', async (t) => {
  const { client } = await open(t)
  assert.equal(await client.request('ask', { text: '' }), 'SWS_DECLINED')
  const listening = process.rawListeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  const thrown = new Promise((resolve) => process.once('uncaughtException', resolve))
  client.answer('confirm', () => Promise.reject(new Error('of the page')))
  assert.equal(await client.request('ask', { text: '' }), 'SWS_DECLINED')
  assert.equal(String(await thrown), 'Error: of the page', 'reported as that of any listener')
  for (const listener of listening) process.on('uncaughtException', listener as (error: Error) => void)
  client.answer('confirm', (() => {}) as never)
  assert.equal(await client.request('ask', { text: '' }), 'SWS_INVALID_ANSWER')
  for (const wrong of ['"true"', '1', '{"then":1}']) {
    client.answer('confirm', () => JSON.parse(wrong))
    assert.equal(await client.request('ask', { text: '' }), 'SWS_INVALID_ANSWER')
  }
})

test('an answer whose connection is gone goes nowhere, and never on the next one', async (t) => {
  const { client, reach, states, server } = await open(t)
  let give: ((answer: boolean) => void) | undefined
  client.answer('confirm', () => new Promise((resolve) => (give = resolve)))
  client.send({ type: 'say', text: 'slow' })
  await until(() => give !== undefined, 'it was asked')
  for (const { id } of server.app.secureWs.sockets()) await server.app.secureWs.close(id, 1012, '')
  await until(() => states.filter(({ name }) => name === 'open').length === 2, 'it came back')
  await reach('open')
  give?.(true)
  client.answer('confirm', () => true)
  assert.equal(await client.request('ask', { text: '' }), 'true')
  assert.deepEqual(heard.splice(0), ['SWS_CLOSED'])
  assert.deepEqual(
    server.events.filter(({ type }) => type === 'message.refused'),
    [],
  )
})
