import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import Fastify from 'fastify'
import type { Encoded } from 'fastify-secure-ws'
import { Type } from 'typebox'

declare const markup: Encoded<'html'>
declare const row: { id: number; name: string; passwordHash: string }

const ask = { type: 'object', properties: { id: { type: 'number' } }, required: ['id'] } as const
const user = {
  type: 'object',
  properties: { id: { type: 'number' }, name: { type: 'string' } },
  required: ['id', 'name'],
} as const

const plain = Fastify()
plain.get(
  '/plain',
  {
    websocket: true,
    secureWs: {
      receives: {
        one: { schema: ask, reply: user },
        count: { schema: ask, reply: { type: 'number' } },
        rich: {
          schema: ask,
          reply: {
            type: 'object',
            properties: {
              parts: { type: 'array', items: { type: 'string', contentMediaType: 'text/html' } },
              by: { type: 'string' },
            },
            required: ['parts', 'by'],
          },
        },
        undeclared: { schema: ask },
        guarded: { schema: ask, reply: user, authorize: (_session, message) => message.id > 0 },
      },
      sends: { user: { schema: user } },
    },
  },
  (socket) => {
    // More than is declared: a reply is cut to its declaration.
    socket.on('one', ({ id }) => ({ ...row, id }))
    socket.on('one', async () => row)
    // @ts-expect-error TS2769: a name is text, and markup in it would show its tags.
    socket.on('one', () => ({ id: 1, name: markup }))
    socket.on('rich', () => ({ parts: [markup, 'dirty'] as const, by: 'Ada' }))
    // @ts-expect-error TS2769
    socket.on('rich', () => ({ parts: [markup], by: markup }))
    // @ts-expect-error TS2769
    socket.on('one', () => ({ id: 1 }))
    // @ts-expect-error TS2769
    socket.on('one', async ({ id }) => ({ id, name: 7 }))
    // @ts-expect-error TS2769
    socket.on('one', () => {})
    socket.on('count', async () => 7)
    // @ts-expect-error TS2769
    socket.on('count', () => '7')
    socket.on('undeclared', () => {})
    socket.on('undeclared', () => row)
    socket.on('guarded', ({ id }) => ({ id, name: 'Ada' }))
  },
)

const typed = Fastify().withTypeProvider<TypeBoxTypeProvider>()
typed.route({
  method: 'GET',
  url: '/typebox',
  websocket: true,
  secureWs: {
    receives: {
      one: {
        schema: Type.Object({ id: Type.Number() }),
        reply: Type.Union([Type.Null(), Type.Object({ name: Type.String() })]),
      },
      undeclared: { schema: Type.Object({}) },
    },
  },
  handler: (socket) => {
    socket.on('one', ({ id }) => (id > 0 ? { name: 'Ada' } : null))
    socket.on('one', async () => null)
    // @ts-expect-error TS2769
    socket.on('one', ({ id }) => (id > 0 ? { name: id } : null))
    socket.on('undeclared', () => 7)
    // @ts-expect-error TS2769
    socket.on('undeclard', () => 7)
  },
})
