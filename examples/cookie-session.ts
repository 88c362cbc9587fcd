import { randomUUID } from 'node:crypto'
import Fastify from 'fastify'
import secureWs, { cookieSession, type Session } from 'fastify-secure-ws'

// Your store: a table, or Redis. The cookie names a row of it, and this is asked for the row.
const sessions = new Map<string, Session>()
const signedIn = cookieSession({ secret: process.env.COOKIE_SECRET, load: (id) => sessions.get(id) })
const app = Fastify({ logger: true })
await app.register(secureWs, { authenticate: signedIn })

app.post<{ Body: { name: string } }>('/sign-in', async (request, reply) => {
  // Check the password here. Make a new id for every sign-in, one that nobody can guess.
  const session = { id: randomUUID(), userId: request.body.name, authenticatedAt: Date.now() }
  sessions.set(session.id, session)
  signedIn.setSessionCookie(reply, session.id)
  return { user: session.userId }
})

app.post('/sign-out', { preHandler: app.secureWs.requireSession }, async (request, reply) => {
  const session = await app.secureWs.session(request)
  if (session !== null) {
    sessions.delete(session.id)
    await app.secureWs.revoke({ sessionId: session.id })
  }
  signedIn.clearSessionCookie(reply)
  return { done: true }
})

// On plain routes: `null` for a visitor, or 401 for everybody without a session.
app.get('/me', async (request) => ({ user: (await app.secureWs.session(request))?.userId ?? null }))
app.get('/orders', { preHandler: app.secureWs.requireSession }, async () => ['yours'])

app.get('/chat', { websocket: true }, (socket) => {
  socket.send({ type: 'welcome', user: socket.session.userId })
})

await app.listen({ port: 3000 })
