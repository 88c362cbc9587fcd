import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import Fastify, { type FastifyRequest } from 'fastify'
import secureWs, { bearer, fromRequest, type Session, ticket } from 'fastify-secure-ws'
import { Type } from 'typebox'
import { is } from './expect.ts'

const app = Fastify().withTypeProvider<TypeBoxTypeProvider>()
await app.register(secureWs, { authenticate: fromRequest(() => null) })

const Text = Type.Object({ text: Type.String() })

// A route that lets everybody in says so, and then nobody has a session.
app.get(
  '/public/:id',
  {
    websocket: true,
    schema: { params: Type.Object({ id: Type.String() }) },
    secureWs: {
      authenticate: false,
      authorize: (session, request) => {
        is<null>()(session)
        return request.params.id !== ''
      },
      receives: { say: { schema: Text, authorize: (session, { text }) => is<null>()(session) && text !== '' } },
    },
  },
  (socket) => {
    is<null>()(socket.session)
    socket.on('say', (message) => is<{ text: string }>()(message))
    // @ts-expect-error TS18047: there is none.
    socket.session.userId
    // @ts-expect-error TS2769
    socket.on('message', () => {})
  },
)

app.get('/public-raw', { websocket: true, secureWs: { authenticate: false } }, (socket) => is<null>()(socket.session))

// One that asks somebody else has one.
app.get(
  '/private',
  {
    websocket: true,
    secureWs: {
      authenticate: [
        ticket(),
        bearer({ key: 'k', algorithms: ['HS256'], issuer: 'i', audience: 'a' }),
        async (request) => {
          is<FastifyRequest>()(request)
          return null
        },
      ],
      authorize: (session) => session.rooms.length > 0,
      receives: { say: { schema: Text, authorize: (session) => session.rooms.length > 0 } },
    },
  },
  (socket) => {
    is<Session>()(socket.session)
    socket.on('say', (message) => is<{ text: string }>()(message))
  },
)

app.get(
  '/function',
  { websocket: true, secureWs: { authenticate: (request) => (is<FastifyRequest>()(request) ? null : undefined) } },
  (socket) => is<Session>()(socket.session),
)

// @ts-expect-error TS2769: there is no "true".
app.get('/true', { websocket: true, secureWs: { authenticate: true } }, () => {})
// @ts-expect-error TS2769: a session has an id.
app.get('/no-id', { websocket: true, secureWs: { authenticate: () => ({ userId: 'ada' }) } }, () => {})
