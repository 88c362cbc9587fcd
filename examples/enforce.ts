import Fastify from 'fastify'
import secureWs, { cookieSession, type Session } from 'fastify-secure-ws'

const sessions = new Map<string, Session>()
const app = Fastify({ logger: true })
await app.register(secureWs, {
  origins: ['https://app.example'],
  authenticate: cookieSession({ secret: process.env.COOKIE_SECRET, load: (id) => sessions.get(id) }),
  // Each of these decides and tells, and refuses nobody before the end.
  enforce: {
    transport: 'report',
    host: 'report',
    origin: 'report',
    fetchMetadata: 'report',
    capacity: 'report',
    session: 'report',
    authorize: 'report',
    messageRate: 'report',
    until: process.env.ENFORCED_FROM ?? '2027-03-01',
  },
  // Cookies, while any origin may connect: as before the move, and no longer than that.
  dangerouslyAllowAmbientCredentials: true,
})

app.get('/clock', { websocket: true }, (socket) => {
  socket.send({ type: 'now', at: new Date().toISOString() })
})
await app.listen({ port: 3000 })
