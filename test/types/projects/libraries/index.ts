import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { toStandardJsonSchema } from '@valibot/to-json-schema'
import { type } from 'arktype'
import Fastify from 'fastify'
import secureWs from 'fastify-secure-ws'
import { Type } from 'typebox'
import * as v from 'valibot'
import { z } from 'zod'
import { is } from './expect.ts'

type Say = { text: string; to?: string; kind: 'note' | 'call' }
/** arktype and zod do not tell a member that may be missing from one that may be undefined. */
type SayOrUndefined = { text: string; to?: string | undefined; kind: 'note' | 'call' }

const app = Fastify()
await app.register(secureWs, { authenticate: false })

const zodSay = z.object({ text: z.string(), to: z.string().optional(), kind: z.enum(['note', 'call']) })
const zodUser = z.object({ name: z.string() })
app.get(
  '/zod',
  {
    websocket: true,
    secureWs: {
      receives: {
        say: { schema: zodSay, authorize: (_session, message) => is<SayOrUndefined>()(message) !== null },
        find: { schema: z.object({}), reply: zodUser },
      },
      sends: { said: { schema: zodSay } },
    },
  },
  (socket) => {
    socket.on('say', (message) => {
      is<SayOrUndefined>()(message)
      socket.send({ type: 'said', text: message.text, kind: 'note' })
      // @ts-expect-error TS2322
      socket.send({ type: 'said', text: 7, kind: 'note' })
      // @ts-expect-error TS2345
      socket.send({ type: 'sayd', text: '', kind: 'note' })
    })
    socket.on('find', () => ({ name: 'Ada' }))
    // @ts-expect-error TS2769
    socket.on('find', () => ({ name: 7 }))
    // @ts-expect-error TS2769
    socket.on('shout', () => {})
  },
)

const valibotSay = toStandardJsonSchema(
  v.object({ text: v.string(), to: v.optional(v.string()), kind: v.picklist(['note', 'call']) }),
)
app.get(
  '/valibot',
  {
    websocket: true,
    secureWs: {
      receives: {
        say: { schema: valibotSay },
        find: { schema: valibotSay, reply: toStandardJsonSchema(v.object({ name: v.string() })) },
      },
      sends: { said: { schema: valibotSay } },
    },
  },
  (socket) => {
    socket.on('say', (message) => {
      is<SayOrUndefined>()(message)
      socket.send({ type: 'said', text: message.text, kind: 'note' })
      // @ts-expect-error TS2322
      socket.send({ type: 'said', text: 7, kind: 'note' })
    })
    socket.on('find', async () => ({ name: 'Ada' }))
    // @ts-expect-error TS2769
    socket.on('find', async () => ({ name: 7 }))
  },
)

const arktypeSay = type({ text: 'string', 'to?': 'string', kind: "'note' | 'call'" })
app.get(
  '/arktype',
  {
    websocket: true,
    secureWs: {
      receives: { say: { schema: arktypeSay }, find: { schema: arktypeSay, reply: type({ name: 'string' }) } },
      sends: { said: { schema: arktypeSay } },
    },
  },
  (socket) => {
    socket.on('say', (message) => {
      is<Say>()(message)
      socket.send({ type: 'said', text: message.text, kind: 'note' })
      // @ts-expect-error TS2322
      socket.send({ type: 'said', text: 7, kind: 'note' })
    })
    socket.on('find', () => ({ name: 'Ada' }))
    // @ts-expect-error TS2769
    socket.on('find', () => ({ name: 7 }))
  },
)

// Beside a type provider: each schema is read by its own library.
app.withTypeProvider<TypeBoxTypeProvider>().get(
  '/both',
  {
    websocket: true,
    secureWs: {
      receives: {
        box: { schema: Type.Object({ text: Type.String() }) },
        zod: { schema: z.object({ text: z.string() }), reply: zodUser },
      },
    },
  },
  (socket) => {
    socket.on('box', (message) => is<{ text: string }>()(message))
    socket.on('zod', (message) => {
      is<{ text: string }>()(message)
      return { name: message.text }
    })
    // @ts-expect-error TS2769
    socket.on('zod', (message) => ({ name: message }))
  },
)
