import { randomBytes, randomUUID } from 'node:crypto'
import Fastify from 'fastify'
import secureWs, { cookieSession, type Session } from 'fastify-secure-ws'
import { WebSocketServer } from 'ws'

const sessions = new Map<string, Session>()
const signedIn = cookieSession({ secret: randomBytes(32), load: (id) => sessions.get(id) })
const app = Fastify({ logger: true })
await app.register(secureWs, { authenticate: signedIn })

// What you have: a server of `ws`, or of a library that makes one, on the same HTTP server.
const clock = new WebSocketServer({ server: app.server, path: '/clock' })
clock.on('connection', (socket) => socket.send(JSON.stringify({ type: 'now', at: new Date() })))

// In front of it: origin, session, rights, limits, events. Before the start.
app.secureWs.guard('/clock', { authorize: (session) => session?.userId !== 'mallory' })

app.post('/sign-in', (request, reply) => {
  const session = { id: randomUUID(), userId: String(request.body) }
  sessions.set(session.id, session)
  signedIn.setSessionCookie(reply, session.id)
  reply.send('welcome')
})
app.post('/sign-out', { preHandler: app.secureWs.requireSession }, async (request) => {
  const session = await app.secureWs.session(request)
  return session && app.secureWs.revoke({ sessionId: session.id })
})
await app.listen({ port: 3000 })
