import cookie from '@fastify/cookie'
import session from '@fastify/session'
import Fastify, { type Session as FastifySession } from 'fastify'
import secureWs, { fromRequest } from 'fastify-secure-ws'

declare module 'fastify' {
  interface Session {
    user?: string
  }
}

const app = Fastify({ logger: true })
const rows = new Map<string, FastifySession>()
// Your store: a table, or Redis. Whatever destroys a session, `regenerate` too, ends its sockets on every node.
const store: session.SessionStore = {
  get: (id, done) => done(null, rows.get(id)),
  set(id, row, done) {
    rows.set(id, row)
    done()
  },
  destroy(id, done) {
    const isSignedIn = rows.get(id)?.user !== undefined
    rows.delete(id)
    if (!isSignedIn) return done()
    app.secureWs.revoke({ sessionId: id }).then(() => done(), done)
  },
}
// Both before secureWs: their `onRequest` hooks have then run when a handshake is decided.
await app.register(cookie)
await app.register(session, {
  secret: process.env.COOKIE_SECRET ?? '',
  store,
  // `secure: true` behind TLS.
  cookie: { secure: false, httpOnly: true, sameSite: 'strict' },
})
await app.register(secureWs, {
  // A visitor has a session of @fastify/session, too: only one that signed in has a user.
  authenticate: fromRequest(
    ({ session: { sessionId, user } }) => (user === undefined ? null : { id: sessionId, userId: user }),
    // For what went without `destroy`: a row that is over, or was deleted by hand.
    { revalidate: ({ id }) => rows.has(id) },
  ),
})

app.post<{ Body: { name: string } }>('/sign-in', async (request) => {
  // Check the password here. `regenerate` makes a new id, so that nobody can have planted this one.
  await request.session.regenerate()
  request.session.user = request.body.name
  return { user: request.session.user }
})

app.post('/sign-out', async (request) => {
  await request.session.destroy()
  return { done: true }
})

app.get('/chat', { websocket: true }, (socket) => {
  socket.send({ type: 'welcome', user: socket.session.userId })
})

await app.listen({ port: 3000 })
