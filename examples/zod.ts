import Fastify from 'fastify'
import secureWs from 'fastify-secure-ws'
import { z } from 'zod'

const app = Fastify({ logger: true })
await app.register(secureWs, { authenticate: false })

app.get(
  '/orders',
  {
    websocket: true,
    secureWs: {
      receives: {
        order: {
          schema: z.object({
            dish: z.enum(['soup', 'stew']),
            count: z.int().min(1).max(9),
            note: z.string().max(80).optional(),
          }),
          reply: z.object({ total: z.number() }),
        },
      },
    },
  },
  (socket) => {
    socket.on('order', ({ dish, count }) => ({ total: count * (dish === 'soup' ? 4 : 7) }))
  },
)

await app.listen({ port: 3000 })
