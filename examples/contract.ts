import Fastify from 'fastify'
import secureWs, { basic } from 'fastify-secure-ws'

const app = Fastify({ logger: true })
const password = process.env.PASSWORD
await app.register(secureWs, {
  authenticate: basic({ verify: (user, given) => (password && given === password ? { id: user } : null) }),
})

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
          reply: { type: 'number' },
        },
      },
    },
  },
  (socket) => {
    socket.on('add', ({ left, right }) => left + right)
  },
)

// For those who are signed in. Leave `preHandler` out, and anybody may read which messages there are.
app.get('/asyncapi.json', { preHandler: app.secureWs.requireSession }, async () => {
  return app.secureWs.contract({ title: 'Sums', version: '1.2.0', server: 'wss://sums.example' })
})

await app.listen({ port: 3000 })
