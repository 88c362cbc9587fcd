import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import Fastify from 'fastify'
import secureWs, { fromRequest } from 'fastify-secure-ws'
import { injectSecureWS } from 'fastify-secure-ws/testing'

/** In your project: the function that builds your application. */
async function build() {
  const app = Fastify()
  // A name in a header is enough for this example. Yours has its own way to sign in.
  const named = fromRequest(({ headers }) => {
    return typeof headers['x-name'] === 'string' ? { id: headers['x-name'], userId: headers['x-name'] } : null
  })
  await app.register(secureWs, { authenticate: named })
  const text = { type: 'object', properties: { text: { type: 'string', maxLength: 100 } }, required: ['text'] } as const
  app.get('/chat', { websocket: true, secureWs: { receives: { say: { schema: text } } } }, (socket) => {
    socket.join('lobby')
    socket.on('say', ({ text }) => app.secureWs.to('lobby').send({ type: 'said', text }))
  })
  return app
}

type App = Awaited<ReturnType<typeof build>>

/** A visitor, and everything that it heard. */
async function visitor(app: App, name: string) {
  const socket = await injectSecureWS(app, '/chat', { headers: { 'x-name': name } })
  const heard: { type: string; text?: string; code?: string }[] = []
  socket.on('message', (data) => heard.push(JSON.parse(String(data))))
  return {
    socket,
    say: (message: object) => socket.send(JSON.stringify({ type: 'say', ...message })),
    async hear(type: string) {
      for (;;) {
        const found = heard.find((message) => message.type === type)
        if (found !== undefined) return found
        await once(socket, 'message')
      }
    },
  }
}

test('what one says both hear, encoded; a wrong message is refused by name', async (t) => {
  const app = await build()
  t.after(() => app.close())
  const [ada, grace] = [await visitor(app, 'ada'), await visitor(app, 'grace')]
  ada.say({ text: '<b>' })
  assert.deepEqual(await grace.hear('said'), { type: 'said', text: '&lt;b&gt;' })
  grace.say({ text: 7 })
  assert.equal((await grace.hear('error')).code, 'SWS_INVALID_MESSAGE')
})

test('logging out closes the socket with 3000', async (t) => {
  const app = await build()
  t.after(() => app.close())
  const { socket } = await visitor(app, 'ada')
  const [[code]] = await Promise.all([once(socket, 'close'), app.secureWs.revoke({ userId: 'ada' })])
  assert.equal(code, 3000)
})
