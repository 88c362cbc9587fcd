import Fastify from 'fastify'
import secureWs from 'fastify-secure-ws'

// The address of the proxy, as this server sees it. Nobody else may say who the client is, and that TLS was used.
const app = Fastify({ logger: true, trustProxy: '127.0.0.1' })
await app.register(secureWs, { origins: ['https://app.example'], authenticate: false })

app.get('/clock', { websocket: true }, (socket) => {
  socket.send({ type: 'now', at: new Date().toISOString() })
})
app.get('/ready', app.secureWs.health)

// Fastify does not listen to signals. Closing sends every socket away with 1012, in batches.
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => app.close())
await app.listen({ port: 3000 })
