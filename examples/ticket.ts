import { randomUUID } from 'node:crypto'
import Fastify from 'fastify'
import secureWs, { cookieSession, type Session, ticket } from 'fastify-secure-ws'

const sessions = new Map<string, Session>()
const signedIn = cookieSession({ secret: process.env.COOKIE_SECRET, load: (id) => sessions.get(id) })
const app = Fastify({ logger: true })
// With `issueFor` nobody gets a socket without a ticket. As a list, `[ticket(), signedIn]`, a ticket is one more way in.
await app.register(secureWs, { authenticate: ticket({ issueFor: signedIn }) })

app.post<{ Body: { name: string } }>('/sign-in', async (request, reply) => {
  const session = { id: randomUUID(), userId: request.body.name }
  sessions.set(session.id, session)
  signedIn.setSessionCookie(reply, session.id)
  return { user: session.userId }
})

// POST, and not in a cache: a ticket in a cache is a ticket for whoever reads the cache. Without a session this is a 401.
app.post('/ticket', async (request, reply) => {
  reply.header('cache-control', 'no-store')
  return app.secureWs.issueTicket(request, { route: '/chat' })
})

app.get('/chat', { websocket: true }, (socket) => {
  socket.send({ type: 'welcome', user: socket.session.userId })
})

const page = `<p id="said"></p><script type="module">
    const headers = { 'content-type': 'application/json' }
    await fetch('/sign-in', { method: 'POST', headers, body: '{"name":"Ada"}' })
    const ticket = await (await fetch('/ticket', { method: 'POST' })).json()
    const socket = new WebSocket('/chat', ['secure-ws', ticket.protocol])
    socket.onmessage = ({ data }) => { said.innerHTML = data }</script>`
app.get('/', (_request, reply) => reply.type('text/html').send(page))

await app.listen({ port: 3000 })
