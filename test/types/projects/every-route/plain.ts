import Fastify, { type FastifyRequest } from 'fastify'
import secureWs, { type Encoded, encodeFor, html, type Session } from 'fastify-secure-ws'
import { Type } from 'typebox'
import { is } from './expect.ts'

// No type provider: the schemas are plain JSON and are read as they stand.
const app = Fastify()
await app.register(secureWs, { authenticate: false })

declare function takesRequest(request: FastifyRequest): boolean

const widened = { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] }

app.get(
  '/rooms/:id',
  {
    websocket: true,
    schema: {
      params: { type: 'object', properties: { id: { type: 'string' }, page: { type: 'integer' } }, required: ['id'] },
    },
    secureWs: {
      authorize: (session, request) => {
        is<string[]>()(session.rooms)
        is<{ id: string; page?: number }>()(request.params)
        return takesRequest(request)
      },
      receives: {
        say: {
          schema: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] },
          authorize: (session, message, request) => {
            is<{ text: string }>()(message)
            return session.can(message.text, request.params.id)
          },
        },
        move: {
          schema: {
            type: 'object',
            required: ['at', 'kind'],
            additionalProperties: false,
            properties: {
              at: {
                type: 'object',
                required: ['x'],
                properties: { x: { type: 'number' }, y: { type: ['integer', 'null'] } },
              },
              kind: { enum: ['jump', 'walk'] },
              sure: { const: true },
              tags: { type: 'array', items: { type: 'string' } },
              either: { anyOf: [{ type: 'string' }, { type: 'boolean' }] },
              free: {},
              maybe: { type: 'string', nullable: true },
            },
          },
        },
        open: { schema: { type: 'object', properties: { a: { type: 'string' } }, additionalProperties: true } },
        both: {
          schema: {
            oneOf: [{ type: 'object', properties: { a: { type: 'string' } }, required: ['a'] }, { type: 'object' }],
          },
        },
        widened: { schema: widened },
        built: { schema: Type.Object({ text: Type.String(), note: Type.Optional(Type.String()) }) },
      },
      sends: {
        said: { schema: { type: 'object', properties: { by: { type: 'string' } }, required: ['by'] } },
        posted: {
          schema: {
            type: 'object',
            properties: {
              body: { type: 'string', contentMediaType: 'text/html' },
              by: { type: 'string', maxLength: 9 },
              parts: {
                type: 'array',
                items: { anyOf: [{ type: 'null' }, { type: 'string', contentMediaType: 'text/html' }] },
              },
            },
            required: ['body'],
          },
        },
        widened: { schema: widened },
      },
    },
  },
  (socket, request) => {
    is<Session>()(socket.session)
    is<{ id: string; page?: number }>()(request.params)
    is<unknown>()(request.query)
    takesRequest(request)

    socket.on('say', (message) => is<{ text: string }>()(message))
    socket.on('move', (message) =>
      is<{
        at: { x: number; y?: number | null }
        kind: 'jump' | 'walk'
        sure?: true
        tags?: string[]
        either?: string | boolean
        free?: unknown
        maybe?: string | null
      }>()(message),
    )
    socket.on('open', (message) => {
      is<string | undefined>()(message.a)
      is<unknown>()(message.whatever)
    })
    socket.on('both', (message) => is<{ a: string } | object>()(message))
    // Its `type` is any string to the compiler, so nothing is known.
    socket.on('widened', (message) => is<unknown>()(message))
    socket.on('built', ({ text }) => is<string>()(text))
    // @ts-expect-error TS2769
    socket.on('shout', () => {})
    // @ts-expect-error TS2769
    socket.on('message', () => {})

    socket.send({ type: 'said', by: 'ada' })
    socket.send({ type: 'widened', text: 'x', more: 1 })
    // @ts-expect-error TS2345
    socket.send({ type: 'said' })
    // @ts-expect-error TS2345
    socket.send({ type: 'said', by: 1 })
    // @ts-expect-error TS2353
    socket.send({ type: 'shouted', by: 'ada' })
    // Markup stays markup where the schema says so, and nowhere else.
    const parts: readonly (Encoded<'html'> | string | null)[] = [html`<b>`, 'dirty', null]
    socket.send({ type: 'posted', body: html`<b>${'ada'}</b>`, by: 'ada', parts })
    socket.send({ type: 'posted', body: 'dirty' })
    // @ts-expect-error TS2345
    socket.send({ type: 'posted', body: 'x', by: html`<b>ada</b>` })
    // @ts-expect-error TS2345
    socket.to('room').send({ type: 'said', by: html`ada` })
    // @ts-expect-error TS2345
    socket.send({ type: 'posted', body: encodeFor.url('ada') })
  },
)

// Type arguments are Fastify's older way to say what a request holds. Where they are written, TypeScript infers nothing.
app.get<{ Params: { id: string } }>(
  '/arguments/:id',
  {
    websocket: true,
    secureWs: {
      authorize: (session, request) => session.can('open', request.params.id),
      receives: {
        say: { schema: { type: 'object' }, authorize: (_session, message) => is<unknown>()(message) },
      },
    },
  },
  (socket, request) => {
    is<{ id: string }>()(request.params)
    socket.on('say', (message: { text: string }) => socket.send(message.text))
  },
)
