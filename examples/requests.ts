import Fastify from 'fastify'
import secureWs, { SecureWsError } from 'fastify-secure-ws'

const app = Fastify({ logger: true })
await app.register(secureWs, { authenticate: false })

const name = { type: 'object', properties: { name: { type: 'string', maxLength: 100 } }, required: ['name'] } as const

app.get(
  '/files',
  {
    websocket: true,
    secureWs: {
      receives: { remove: { schema: name, reply: { enum: ['removed', 'kept', 'nobody said'] } } },
      sends: { confirm: { schema: name, reply: { type: 'boolean' } } },
    },
  },
  (socket) => {
    socket.on('remove', async ({ name }) => {
      try {
        // `sure` is a boolean: whatever else the client writes is refused, and the promise rejects.
        const sure = await socket.request('confirm', { name }, { timeout: 20_000 })
        return sure ? 'removed' : 'kept'
      } catch (error) {
        if (error instanceof SecureWsError) return 'nobody said'
        throw error
      }
    })
  },
)

await app.listen({ port: 3000 })
