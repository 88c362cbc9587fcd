import Fastify from 'fastify'
import secureWs from 'fastify-secure-ws'

const app = Fastify({
  logger: {
    // Fastify writes a line for each request, with its URL. What stands behind the `?` may be an invitation, or a token.
    serializers: { req: ({ method, url, ip }) => ({ method, url: url.split('?', 1)[0], remoteAddress: ip }) },
    // For lines of your own that have the headers: request.log.info({ headers: request.headers }).
    redact: ['headers.authorization', 'headers.cookie', 'headers["sec-websocket-protocol"]'],
  },
})
await app.register(secureWs, { authenticate: false })
app.get('/clock', { websocket: true }, (socket, request) => {
  request.log.info({ headers: request.headers }, 'a clock')
  socket.send({ type: 'now', at: new Date().toISOString() })
})
// Fastify's own answer to an unknown path writes the whole URL, into a line and into the answer.
app.setNotFoundHandler((_request, reply) => reply.code(404).send({ error: 'Not Found' }))
await app.listen({ port: 3000 })
