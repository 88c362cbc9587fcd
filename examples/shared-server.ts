import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import Fastify from 'fastify'
import secureWs from 'fastify-secure-ws'
import { said, say } from './shared-messages.ts'

const app = Fastify({ logger: true }).withTypeProvider<TypeBoxTypeProvider>()
await app.register(secureWs, { authenticate: false, allowMissingOrigin: true })

const messages = { receives: { say: { schema: say } }, sends: { said: { schema: said } } }
app.get('/board', { websocket: true, secureWs: messages }, (socket) => {
  socket.on('say', ({ text }) => socket.send({ type: 'said', by: socket.id, text }))
})

await app.listen({ port: 3000 })
