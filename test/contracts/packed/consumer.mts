// What a stranger's editor says: the session, the messages and their absence are typed.
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import Fastify from 'fastify'
import secureWs, { cookieSession } from 'fastify-secure-ws'
import { Type } from 'typebox'

const app = Fastify().withTypeProvider<TypeBoxTypeProvider>()
await app.register(secureWs, { authenticate: cookieSession({ secret: 'x', load: () => null }) })
app.get(
  '/chat/:room',
  {
    websocket: true,
    schema: { params: Type.Object({ room: Type.String() }) },
    secureWs: { receives: { say: { schema: Type.Object({ text: Type.String() }) } } },
  },
  (socket, request) => {
    const room: string = request.params.room
    const id: string = socket.session.id
    socket.on('say', ({ text }) => app.secureWs.to(room).send({ type: 'said', text: text.trim(), id }))
    // @ts-expect-error nobody declared it
    socket.on('shout', () => {})
    // @ts-expect-error a route that declares messages has no raw ones
    socket.on('message', () => {})
  },
)
