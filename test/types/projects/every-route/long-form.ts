import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import Fastify from 'fastify'
import secureWs, { type Session } from 'fastify-secure-ws'
import { Type } from 'typebox'
import { createWebSocketStream, type RawData } from 'ws'
import { is } from './expect.ts'

const app = Fastify().withTypeProvider<TypeBoxTypeProvider>()
await app.register(secureWs, { authenticate: false })

const Text = Type.Object({ text: Type.String() })

app.route({
  method: 'GET',
  url: '/rooms/:id',
  websocket: true,
  schema: { params: Type.Object({ id: Type.String() }) },
  secureWs: {
    authorize: (session, request) => session.rooms.includes(request.params.id),
    receives: { say: { schema: Text, authorize: (_, { text }) => is<string>()(text) } },
    sends: { said: { schema: Text } },
  },
  handler: (socket, request) => {
    is<Session>()(socket.session)
    is<{ id: string }>()(request.params)
    socket.on('say', ({ text }) => {
      is<string>()(text)
      socket.send({ type: 'said', text })
    })
    // @ts-expect-error TS2769
    socket.on('shout', () => {})
    // @ts-expect-error TS2769
    socket.on('message', () => {})
    // @ts-expect-error TS2345
    socket.send({ type: 'shouted', text: '' })
    // @ts-expect-error TS2345
    socket.to('r').send({ type: 'shouted', text: '' })
  },
})

app.route({
  method: 'GET',
  url: '/raw',
  websocket: true,
  handler: (socket) => {
    socket.on('message', (frame) => is<RawData>()(frame))
    createWebSocketStream(socket)
  },
})

// One path for pages and sockets.
app.route({
  method: 'GET',
  url: '/both/:id',
  schema: { params: Type.Object({ id: Type.String() }) },
  secureWs: { receives: { say: { schema: Text } }, sends: { said: { schema: Text } } },
  handler: async (request, reply) => {
    is<{ id: string }>()(request.params)
    return reply.send('a page')
  },
  wsHandler: (socket, request) => {
    is<{ id: string }>()(request.params)
    socket.on('say', (message) => is<{ text: string }>()(message))
    // @ts-expect-error TS2769
    socket.on('shout', () => {})
    // @ts-expect-error TS2345
    socket.send({ type: 'shouted' })
  },
})

app.route({
  method: 'GET',
  url: '/both-raw',
  handler: (_request, reply) => reply.send('a page'),
  wsHandler: (socket) => {
    is<Session>()(socket.session)
    socket.on('message', (frame) => socket.send(frame.toString()))
  },
})

// Everything else about routes is as it was.
app.route({
  method: ['GET', 'HEAD'],
  url: '/page/:id',
  schema: { params: Type.Object({ id: Type.Integer() }) },
  handler: async (request, reply) => {
    is<{ id: number }>()(request.params)
    return reply.send('a page')
  },
})

// @ts-expect-error TS2769: not a WebSocket route.
app.route({ method: 'GET', url: '/page', secureWs: { encode: 'html' }, handler: async () => 'a page' })
// @ts-expect-error TS2769: misspelt.
app.route({ method: 'GET', url: '/x', websocket: true, secureWs: { send: {} }, handler: () => {} })
