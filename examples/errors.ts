import { randomBytes } from 'node:crypto'
import Fastify from 'fastify'
import secureWs, { cookieSession, SecureWsError } from 'fastify-secure-ws'

const app = Fastify({ logger: true })
const signedIn = cookieSession({ secret: randomBytes(32), load: (id) => ({ id }) })
await app.register(secureWs, { authenticate: signedIn })

app.setErrorHandler<Error & { statusCode?: number }>((error, _request, reply) => {
  const code = error instanceof SecureWsError ? error.code : undefined
  // Nobody could be asked: the client may come back with the same credential.
  if (code === 'SWS_UNAVAILABLE') reply.header('retry-after', '5')
  // The name of the room came from the client.
  if (code === 'SWS_BAD_ROOM') return reply.code(400).send({ code })
  return reply.code(error.statusCode ?? 500).send({ code })
})

app.get('/orders', { preHandler: app.secureWs.requireSession }, async () => ['yours'])
app.post<{ Params: { room: string } }>('/rooms/:room/bell', async (request) => {
  app.secureWs.to(request.params.room).send({ type: 'bell' })
  return { rung: true }
})

await app.listen({ port: 3000 })
