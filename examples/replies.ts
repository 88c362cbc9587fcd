import Fastify from 'fastify'
import secureWs from 'fastify-secure-ws'

// As rows come from a database: more than a client may see.
const users = new Map([[7, { id: 7, name: 'Ada', passwordHash: '$argon2id$...' }]])

const app = Fastify({ logger: true })
await app.register(secureWs, { authenticate: false })

const id = { type: 'integer' } as const
const user = { type: 'object', properties: { id, name: { type: 'string' } }, required: ['id', 'name'] } as const

app.get(
  '/users',
  {
    websocket: true,
    secureWs: {
      receives: {
        find: {
          schema: { type: 'object', properties: { number: id }, required: ['number'] },
          reply: { anyOf: [user, { type: 'null' }] },
        },
      },
    },
  },
  (socket) => {
    socket.on('find', ({ number }) => users.get(number) ?? null)
  },
)

await app.listen({ port: 3000 })
