import Fastify from 'fastify'
import secureWs, { cookieSession, type Session } from 'fastify-secure-ws'

const sessions = new Map<string, Session>()
const app = Fastify({ logger: true, trustProxy: '127.0.0.1' })
await app.register(secureWs, {
  origins: ['https://app.example'],
  authenticate: cookieSession({ secret: process.env.COOKIE_SECRET, load: (id) => sessions.get(id) }),
  limits: { messageBytes: 16_384 },
})

app.get('/chat', { websocket: true, secureWs: { limits: { idle: 600_000 } } }, (socket) => {
  socket.on('message', (text) => socket.send(String(text)))
})

// What all of this came to, without secrets: for a log, a page of your operations, or a test.
await app.ready()
for (const route of app.secureWs.explain()) console.log(JSON.stringify(route))

await app.listen({ port: 3000 })
