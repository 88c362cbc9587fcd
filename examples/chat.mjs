import { randomBytes, randomUUID } from 'node:crypto'
import Fastify from 'fastify'
import secureWs, { cookieSession } from 'fastify-secure-ws'

const sessions = new Map()
const signedIn = cookieSession({ secret: randomBytes(32), load: (id) => sessions.get(id) })
const app = Fastify({ logger: true })
await app.register(secureWs, { authenticate: signedIn })

app.post('/sign-in', (request, reply) => {
  const session = { id: randomUUID(), userId: request.body }
  sessions.set(session.id, session)
  signedIn.setSessionCookie(reply, session.id)
  reply.send('welcome')
})
app.get('/chat', { websocket: true }, (socket) => {
  socket.join('lobby')
  socket.on('message', (text) => app.secureWs.to('lobby').send(`${socket.session.userId}: ${text}`))
})
const page = `<input id="say"><ul id="said"></ul><script type="module">
    await fetch('/sign-in', { method: 'POST', body: prompt('Your name?') || 'guest' })
    const socket = new WebSocket('/chat')
    socket.onmessage = ({ data }) => said.insertAdjacentHTML('beforeend', '<li>' + data)
    say.onchange = () => socket.send(say.value)</script>`
app.get('/', (_request, reply) => reply.type('text/html').send(page))
await app.listen({ port: 3000 })
