import { once } from 'node:events'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import Fastify, { type FastifyRequest } from 'fastify'
import secureWs, { type Session } from 'fastify-secure-ws'
import { Type } from 'typebox'
import { createWebSocketStream } from 'ws'
import { is } from './expect.ts'

const app = Fastify().withTypeProvider<TypeBoxTypeProvider>()
await app.register(secureWs, { authenticate: (request) => (is<FastifyRequest>()(request) ? null : undefined) })

declare function takesRequest(request: FastifyRequest): boolean

type Say = { text: string; to?: string }
type Move = { x: number; y: number; kind: 'jump' | 'walk' }

app.get(
  '/rooms/:id',
  {
    websocket: true,
    schema: {
      params: Type.Object({ id: Type.String() }),
      querystring: Type.Object({ since: Type.Optional(Type.Integer()) }),
    },
    preHandler: async (request) => is<{ id: string }>()(request.params),
    secureWs: {
      origins: ['https://app.example'],
      encode: 'json',
      slowReader: 'drop',
      binary: ['image/png'],
      protocols: ['chat.v1'],
      limits: { messageBytes: 1_000 },
      authorize: (session, request) => {
        is<Session>()(session)
        is<{ id: string }>()(request.params)
        is<{ since?: number }>()(request.query)
        return takesRequest(request)
      },
      receives: {
        say: {
          schema: Type.Object({ text: Type.String(), to: Type.Optional(Type.String()) }),
          rate: { perSecond: 5 },
          replay: { window: 30_000 },
          freshAuth: 60_000,
          authorize: async (session, message, request) => {
            is<Session>()(session)
            is<Say>()(message)
            is<{ id: string }>()(request.params)
            return takesRequest(request)
          },
        },
        move: {
          schema: Type.Object({
            x: Type.Number(),
            y: Type.Number(),
            kind: Type.Union([Type.Literal('jump'), Type.Literal('walk')]),
          }),
          authorize: (_session, { kind }) => kind === 'jump',
        },
      },
    },
  },
  (socket, request) => {
    is<Session>()(socket.session)
    is<string[]>()(socket.session.rooms)
    is<{ id: string }>()(request.params)
    is<{ since?: number }>()(request.query)
    takesRequest(request)

    const chained = socket
      .on('say', (message) => is<Say>()(message))
      .once('move', async (message) => is<Move>()(message))
      .on('close', (code, reason) => {
        is<number>()(code)
        is<Buffer>()(reason)
      })
      .on('error', (error) => is<Error>()(error))
      .on('pong', (payload) => is<Buffer>()(payload))
      .on('binary', (bytes, mediaType) => {
        is<Buffer>()(bytes)
        is<string>()(mediaType)
      })
    is<Session>()(chained.session)
    const listener = (_: Say) => 'the value of a reply'
    socket.on('say', listener).off('say', listener)
    socket.prependListener('say', ({ text }) => is<string>()(text))

    // @ts-expect-error TS2769: nobody said that this may come in.
    socket.on('shout', () => {})
    // @ts-expect-error TS2769
    socket.once('shout', () => {})
    // @ts-expect-error TS2769: what is not declared reaches nobody, so there are no raw frames either.
    socket.on('message', () => {})
    // @ts-expect-error TS2769
    socket.addListener('message', () => {})
    // @ts-expect-error TS2339: the same event by another name.
    socket.onmessage = () => {}
    // @ts-expect-error TS2551
    socket.addEventListener('message', () => {})
    // @ts-expect-error TS2769: it is a string.
    socket.on('say', ({ text }: { text: number }) => text)
    // @ts-expect-error TS2379: a stream of frames needs the frames.
    createWebSocketStream(socket)

    // Nothing was declared under `sends`: anything goes out, encoded.
    socket.send({ whatever: 1 })
    socket.send('text', { encode: 'none' }, (error) => is<Error | undefined>()(error))
    socket.to('r').except(socket).to('s').send(['anything'])
    socket.join('r', { until: 1, authorize: (session) => session?.rooms.length === 0 })
    is<ReadonlySet<string>>()(socket.rooms)
    is<string>()(socket.protocol)
    socket.close(3000, 'bye')
    // @ts-expect-error TS2769
    socket.send('text', { encode: 'xml' })
    // @ts-expect-error TS2540
    socket.session = { id: '', rooms: [], can: () => true }
    void once(socket, 'close')
  },
)

// `receives: {}` is a declaration: nothing may come in.
app.get('/events', { websocket: true, secureWs: { receives: {} } }, (socket) => {
  socket.join('events')
  socket.on('close', () => {})
  // @ts-expect-error TS2769
  socket.on('message', () => {})
  // @ts-expect-error TS2769
  socket.on('anything', () => {})
})

const notifies = { say: { schema: Type.Object({ text: Type.String() }) } }
// Declarations may stand elsewhere, to be shared by routes.
app.get('/shared', { websocket: true, secureWs: { receives: notifies, sends: notifies } }, (socket) => {
  socket.on('say', (message) => {
    is<{ text: string }>()(message)
    socket.to('all').send({ type: 'say', ...message })
  })
})

app.get(
  '/wrong/:id',
  {
    websocket: true,
    schema: { params: Type.Object({ id: Type.String() }) },
    secureWs: {
      receives: {
        say: {
          schema: Type.Object({ text: Type.String() }),
          // @ts-expect-error TS2339: no such member of this message.
          authorize: (session, message) => message.body === session.id,
        },
      },
      // @ts-expect-error TS2339: no such parameter of this route.
      authorize: (session, request) => request.params.room === session.id,
    },
  },
  () => {},
)

// @ts-expect-error TS2769: misspelt.
app.get('/misspelt', { websocket: true, secureWs: { recieves: {} } }, () => {})
// @ts-expect-error TS2769: a message without a schema is not declared.
app.get('/no-schema', { websocket: true, secureWs: { receives: { say: {} } } }, () => {})
// @ts-expect-error TS2769: not a WebSocket route.
app.get('/page', { secureWs: { encode: 'html' } }, async () => 'page')
// Everything else about routes is as it was.
app.get('/plain/:id', { schema: { params: Type.Object({ id: Type.String() }) } }, async (request, reply) => {
  is<{ id: string }>()(request.params)
  return reply.send(request.ws)
})
