import Fastify from 'fastify'
import secureWs, { logRedaction } from 'fastify-secure-ws'

// Takes the query string out of every URL that Fastify writes (it may be an invitation, or a token), and the headers that carry
// a credential out of lines of your own.
const app = Fastify({ logger: { level: 'info', ...logRedaction } })
await app.register(secureWs, { authenticate: false })
app.get('/clock', { websocket: true }, (socket, request) => {
  request.log.info({ headers: request.headers }, 'a clock')
  socket.send({ type: 'now', at: new Date().toISOString() })
})
await app.listen({ port: 3000 })
