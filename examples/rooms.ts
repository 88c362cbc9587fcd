import { randomBytes, randomUUID } from 'node:crypto'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import Fastify from 'fastify'
import secureWs, { cookieSession, type Session } from 'fastify-secure-ws'
import { Type } from 'typebox'

declare module 'fastify-secure-ws' {
  interface Session {
    rooms: string[]
  }
}

const sessions = new Map<string, Session>()
const signedIn = cookieSession({ secret: randomBytes(32), load: (id) => sessions.get(id) })
const app = Fastify({ logger: true }).withTypeProvider<TypeBoxTypeProvider>()
await app.register(secureWs, { authenticate: signedIn })

app.post('/sign-in', { schema: { body: Type.Object({ name: Type.String() }) } }, async (request, reply) => {
  const session = { id: randomUUID(), userId: request.body.name, authenticatedAt: Date.now(), rooms: ['7'] }
  sessions.set(session.id, session)
  signedIn.setSessionCookie(reply, session.id)
  return { rooms: session.rooms }
})

app.post('/sign-out', { preHandler: app.secureWs.requireSession }, async (request, reply) => {
  const session = await app.secureWs.session(request)
  if (session !== null) {
    sessions.delete(session.id)
    await app.secureWs.revoke({ sessionId: session.id })
  }
  signedIn.clearSessionCookie(reply)
  return { done: true }
})

app.get(
  '/rooms/:id',
  {
    websocket: true,
    schema: { params: Type.Object({ id: Type.String() }) },
    secureWs: {
      authorize: (session, request) => session.rooms.includes(request.params.id),
      receives: {
        say: { schema: Type.Object({ text: Type.String({ maxLength: 500 }) }), rate: { perSecond: 5, burst: 10 } },
      },
      sends: {
        said: { schema: Type.Object({ by: Type.String(), text: Type.String() }) },
        present: { schema: Type.Object({ users: Type.Array(Type.String()) }) },
      },
    },
  },
  async (socket, request) => {
    const room = `room:${request.params.id}`
    const by = socket.session.userId ?? 'somebody'
    socket.on('say', ({ text }) => app.secureWs.to(room).send({ type: 'said', by, text }))
    socket.join(room)
    const members = await app.secureWs.members(room)
    const users = [...new Set(members.map(({ userId }) => userId ?? 'somebody'))]
    app.secureWs.to(room).send({ type: 'present', users })
  },
)

await app.listen({ port: 3000 })
