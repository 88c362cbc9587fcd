import Fastify from 'fastify'
import secureWs, { type MessagesOf, socketRoute } from 'fastify-secure-ws'

const sums = socketRoute({
  receives: {
    add: {
      schema: {
        type: 'object',
        properties: { left: { type: 'number' }, right: { type: 'number' } },
        required: ['left', 'right'],
      },
      reply: { type: 'number' },
    },
  },
})
export type Sums = MessagesOf<typeof sums>

const app = Fastify({ logger: true })
await app.register(secureWs, { authenticate: false })

app.get('/sums', { websocket: true, secureWs: sums }, (socket) => {
  socket.on('add', ({ left, right }) => left + right)
})

await app.listen({ port: 3000 })
