import assert from 'node:assert/strict'
import { test } from 'node:test'
import Fastify from 'fastify'
import secureWs, { cookieSession, type MessagesOf, socketRoute } from 'fastify-secure-ws'
import { connect } from 'fastify-secure-ws/testing'

const text = { type: 'object', properties: { text: { type: 'string', maxLength: 100 } }, required: ['text'] } as const
const chat = socketRoute({
  receives: { say: { schema: text, reply: { type: 'integer' } } },
  sends: { said: { schema: text } },
})
type Chat = MessagesOf<typeof chat>

/** In your project: the function that builds your application. */
async function build() {
  const app = Fastify()
  await app.register(secureWs, {
    origins: ['https://app.example'],
    authenticate: cookieSession({ secret: 'at least thirty-two bytes of a secret', load: () => null }),
  })
  let number = 0
  app.get('/chat', { websocket: true, secureWs: chat }, (socket) => {
    socket.join('lobby')
    socket.on('say', ({ text }) => {
      app.secureWs.to('lobby').send({ type: 'said', text })
      return ++number
    })
  })
  return app
}

const [ofAda, ofGrace] = [{ session: { id: 's1', userId: 'ada' } }, { session: { id: 's2', userId: 'grace' } }]

test('what one says both hear, encoded; the answer is the number', async (t) => {
  const app = await build()
  t.after(() => app.close())
  await using ada = await connect<Chat>(app, '/chat', ofAda)
  await using grace = await connect<Chat>(app, '/chat', ofGrace)
  assert.equal(await ada.request('say', { text: '<b>' }), 1)
  assert.equal((await ada.next('said')).text, '&lt;b&gt;')
  assert.equal((await grace.next('said')).text, '&lt;b&gt;')
})

test('a wrong message is refused by name', async (t) => {
  const app = await build()
  t.after(() => app.close())
  await using ada = await connect<Chat>(app, '/chat', ofAda)
  await assert.rejects(ada.request('say', { text: 'x'.repeat(101) }), { code: 'SWS_INVALID_MESSAGE' })
  ada.sendRaw('no JSON')
  assert.equal((await ada.next('error')).code, 'SWS_BAD_MESSAGE')
})

test('logging out closes the socket with 3000, and nobody comes in without a session', async (t) => {
  const app = await build()
  t.after(() => app.close())
  const ada = await connect<Chat>(app, '/chat', ofAda)
  await app.secureWs.revoke({ userId: 'ada' })
  assert.equal((await ada.closed).code, 3000)
  await assert.rejects(connect(app, '/chat'), { statusCode: 401, code: 'SWS_UNAUTHENTICATED' })
})
