import Fastify from 'fastify'
import secureWs from 'fastify-secure-ws'

const app = Fastify({ logger: true })
await app.register(secureWs, { authenticate: false })

app.get(
  '/sums',
  {
    websocket: true,
    secureWs: {
      receives: {
        add: {
          schema: {
            type: 'object',
            properties: { left: { type: 'number' }, right: { type: 'number' } },
            required: ['left', 'right'],
          },
          rate: { perSecond: 5, burst: 10 },
        },
      },
      sends: {
        sum: { schema: { type: 'object', properties: { value: { type: 'number' } }, required: ['value'] } },
      },
    },
  },
  (socket) => {
    socket.on('add', ({ left, right }) => socket.send({ type: 'sum', value: left + right }))
  },
)

await app.listen({ port: 3000 })
