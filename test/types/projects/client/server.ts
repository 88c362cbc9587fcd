import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import Fastify from 'fastify'
import secureWs, { type MessagesOf, socketRoute } from 'fastify-secure-ws'
import { Type } from 'typebox'

const text = { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] } as const
export const chat = socketRoute({
  receives: {
    say: { schema: text, reply: { type: 'number' } },
    leave: { schema: { type: 'object' } },
  },
  sends: {
    said: { schema: text },
    gone: { schema: { type: 'object' } },
    confirm: { schema: text, reply: { type: 'boolean' } },
  },
})
export type Chat = MessagesOf<typeof chat>

const board = socketRoute({
  receives: { post: { schema: Type.Object({ body: Type.String() }), reply: Type.Object({ at: Type.Number() }) } },
  sends: {
    posted: { schema: Type.Object({ body: Type.String() }) },
    pick: { schema: Type.Object({}), reply: Type.Object({ at: Type.Number() }) },
  },
})
export type Board = MessagesOf<typeof board, TypeBoxTypeProvider>

const app = Fastify()
await app.register(secureWs, { authenticate: false })
app.get('/chat', { websocket: true, secureWs: chat }, (socket) => {
  socket.on('say', ({ text }) => text.length)
  // @ts-expect-error TS2769
  socket.on('say', ({ text }) => text)
  // @ts-expect-error TS2769
  socket.on('sayd', () => 1)
  // @ts-expect-error TS2353
  socket.send({ type: 'said', txt: '' })
  const sure: Promise<boolean> = socket.request('confirm', { text: '' }, { timeout: 1_000 })
  // @ts-expect-error TS2345
  socket.request('said', { text: '' })
  // @ts-expect-error TS2345
  socket.request('confirmed', { text: '' })
  // @ts-expect-error TS2561
  socket.request('confirm', { txt: '' })
  // @ts-expect-error TS2322
  const words: Promise<string> = socket.request('confirm', { text: '' })
  return [sure, words]
})
