import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import Fastify from 'fastify'
import secureWs, { cookieSession } from 'fastify-secure-ws'
import { admittedAttacks, connect } from 'fastify-secure-ws/testing'

/** In your project: the function that builds your application, without `listen`. */
async function build() {
  const app = Fastify()
  const signedIn = cookieSession({ secret: randomBytes(32), load: (id) => ({ id, userId: 'ada' }) })
  await app.register(secureWs, { origins: ['https://app.example'], authenticate: signedIn })
  app.post('/sign-in', async (_request, reply) => {
    signedIn.setSessionCookie(reply, randomBytes(16).toString('hex'))
    return {}
  })
  app.get('/chat', { websocket: true }, (socket) => socket.send(`welcome, ${socket.session.userId}`))
  return app
}

test('a visitor who signed in gets a socket, and no hostile handshake does', async (t) => {
  const app = await build()
  t.after(() => app.close())
  const answer = await app.inject({ method: 'POST', url: '/sign-in' })
  const cookie = String(answer.headers['set-cookie']).split(';')[0] ?? ''

  const visitor = { origin: 'https://app.example', headers: { cookie } }
  const client = await connect(app, '/chat', visitor)
  assert.equal(await client.nextText(), 'welcome, ada')
  await client.close()

  // Other origins, rebound names, other methods and versions: with the visitor's own cookie, and none may get in.
  assert.deepEqual(await admittedAttacks(app, '/chat', visitor), [])
})

test('a visitor without a session gets 401', async (t) => {
  const app = await build()
  t.after(() => app.close())
  await assert.rejects(connect(app, '/chat'), {
    name: 'HandshakeRefused',
    statusCode: 401,
    code: 'SWS_UNAUTHENTICATED',
  })
})
