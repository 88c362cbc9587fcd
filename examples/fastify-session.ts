import cookie from '@fastify/cookie'
import session from '@fastify/session'
import Fastify from 'fastify'
import secureWs, { fromRequest } from 'fastify-secure-ws'

declare module 'fastify' {
  interface Session {
    user?: string
  }
}

const app = Fastify({ logger: true })
// Both before secureWs: their `onRequest` hooks have then run when a handshake is decided.
await app.register(cookie)
await app.register(session, {
  secret: process.env.COOKIE_SECRET ?? '',
  // `secure: true` behind TLS.
  cookie: { secure: false, httpOnly: true, sameSite: 'strict' },
})
await app.register(secureWs, {
  // A visitor has a session of @fastify/session, too: only one that signed in has a user.
  authenticate: fromRequest(({ session: { sessionId, user } }) => {
    return user === undefined ? null : { id: sessionId, userId: user }
  }),
})

app.post<{ Body: { name: string } }>('/sign-in', async (request) => {
  // Check the password here. `regenerate` makes a new id, so that nobody can have planted this one.
  await request.session.regenerate()
  request.session.user = request.body.name
  return { user: request.session.user }
})

app.post('/sign-out', async (request) => {
  const { sessionId } = request.session
  await request.session.destroy()
  return app.secureWs.revoke({ sessionId })
})

app.get('/chat', { websocket: true }, (socket) => {
  socket.send({ type: 'welcome', user: socket.session.userId })
})

await app.listen({ port: 3000 })
