// biome-ignore-all lint/correctness/noUnusedFunctionParameters: written to be read, with every parameter there is.
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import Fastify, { type FastifyRequest } from 'fastify'
import secureWs, { cookieSession, type Session } from 'fastify-secure-ws'
import { Type } from 'typebox'

declare const https: { key: string; cert: string }
declare const sessions: { find(id: string): Promise<Session | null> }
declare module 'fastify' {
  interface FastifyRequest {
    user: { id: string }
  }
}

// The whole story in one file, as a user writes it.
const app = Fastify({ https, trustProxy: false }).withTypeProvider<TypeBoxTypeProvider>()

await app.register(secureWs, {
  origins: ['https://app.example'],
  authenticate: cookieSession({ secret: process.env.COOKIE_SECRET, load: (id) => sessions.find(id) }),
})

// 1. Same grammar as @fastify/websocket. Nothing declared: raw frames in, as ws hands them out.
app.get('/echo', { websocket: true }, (socket, request) => {
  socket.on('message', (frame, isBinary) => socket.send(frame.toString()))
})

// 2. Declared messages: what may come in, at what pace, from whom; what may go out, and how each field is encoded.
app.get(
  '/rooms/:id',
  {
    websocket: true,
    schema: { params: Type.Object({ id: Type.String() }) },
    secureWs: {
      authorize: (session, request) => session.rooms.includes(request.params.id),
      receives: {
        say: { schema: Type.Object({ text: Type.String({ maxLength: 500 }) }), rate: { perSecond: 5, burst: 10 } },
        post: {
          schema: Type.Object({ body: Type.String({ maxLength: 10_000 }) }),
          authorize: (session, post, request) => session.can('post', request.params.id),
        },
      },
      sends: {
        said: { schema: Type.Object({ by: Type.String(), text: Type.String() }) },
        posted: { schema: Type.Object({ by: Type.String(), body: Type.String({ contentMediaType: 'text/html' }) }) },
      },
    },
  },
  (socket, request) => {
    const room = `room:${request.params.id}`
    const by = socket.session.userId
    socket.join(room)
    socket.on('say', ({ text }) => app.secureWs.to(room).send({ type: 'said', by, text }))
    socket.on('post', ({ body }) => app.secureWs.to(room).send({ type: 'posted', by, body }))
  },
)

// 3. Logging out anywhere closes every socket of that user everywhere.
app.post('/logout', async (request) => app.secureWs.revoke({ userId: request.user.id }))

export const handOn: (request: FastifyRequest) => string = (request) => request.user.id
