import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import Fastify from 'fastify'
import secureWs, {
  type Encoded,
  fromRequest,
  html,
  type MessagesOf,
  type Session,
  socketRoute,
} from 'fastify-secure-ws'
import { Type } from 'typebox'
import { is } from './expect.ts'

declare module 'fastify-secure-ws' {
  interface BroadcastMessages {
    said: { by: string; text: string }
    gone: { by: string; note?: string | Encoded<'html'> }
  }
  interface RegisteredOptions {
    authenticate: false
  }
  interface Session {
    readonly userId: string
    readonly rooms: string[]
  }
}

declare const session: Session
is<string>()(session.userId)

const text = { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] } as const
const user = { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] } as const

// Messages that a client shares.
const chat = socketRoute({
  authorize: (anonymous, request) => is<null>()(anonymous) && request.url !== '',
  receives: {
    say: { schema: text, authorize: (_session, message) => is<{ text: string }>()(message) },
    find: { schema: { type: 'object' }, reply: user },
  },
  sends: { said: { schema: text } },
})
type Chat = MessagesOf<typeof chat>
declare const say: Chat['receives']['say']
is<'say'>()(say.type)
is<string>()(say.text)
declare const said: Chat['sends']['said']
is<'said'>()(said.type)
declare const found: Chat['replies']['find']
is<{ name: string }>()(found)
declare const nothing: Chat['replies']['say']
is<unknown>()(nothing)
// @ts-expect-error TS2339
export type Wrong = Chat['receives']['shout']

const app = Fastify()
await app.register(secureWs, { authenticate: false })
app.get('/chat', { websocket: true, secureWs: chat }, (socket) => {
  socket.on('say', (message) => {
    is<{ text: string }>()(message)
    socket.room('lobby').send({ type: 'said', text: message.text })
    // @ts-expect-error TS2322
    socket.room('lobby').send({ type: 'said', text: 7 })
  })
  is<null>()(socket.session)
  socket.on('find', () => ({ name: 'Ada' }))
  // @ts-expect-error TS2769
  socket.on('find', () => ({ name: 7 }))
  // @ts-expect-error TS2769
  socket.on('shout', () => {})
  // What is broadcast is declared once, for every audience of the application.
  app.secureWs.to('lobby').send({ type: 'said', by: 'Ada', text: 'hello' })
  app.secureWs.to('lobby').send(new Uint8Array(1))
  app.secureWs.to('lobby').send({ type: 'gone', by: 'Ada', note: html`<b>` })
  // @ts-expect-error TS2345: declared as text.
  app.secureWs.to('lobby').send({ type: 'gone', by: html`Ada` })
  // @ts-expect-error TS2353
  app.secureWs.to('lobby').send({ type: 'gone', whom: 'Ada' })
  // @ts-expect-error TS2322
  app.secureWs.to('lobby').send({ type: 'shout', by: 'Ada' })
})

// One signature: the error names the option and what was meant.
socketRoute({
  // @ts-expect-error TS2561
  recieves: { say: { schema: text } },
})
socketRoute({
  receives: {
    // @ts-expect-error TS2561
    say: { schema: text, rates: { perSecond: 1 } },
  },
})

const typed = socketRoute({
  receives: { say: { schema: Type.Object({ text: Type.String(), to: Type.Optional(Type.String()) }) } },
  sends: { said: { schema: Type.Object({ text: Type.String() }) } },
})
declare const typedSay: MessagesOf<typeof typed, TypeBoxTypeProvider>['receives']['say']
is<string | undefined>()(typedSay.to)
app.withTypeProvider<TypeBoxTypeProvider>().get('/typed', { websocket: true, secureWs: typed }, (socket) => {
  socket.on('say', (message) => is<{ text: string; to?: string }>()(message))
  socket.send({ type: 'said', text: '' })
  // @ts-expect-error TS2345
  socket.send({ type: 'sayd', text: '' })
})

// A route that says who may come in has sessions, whatever the plugin does.
app.get('/members', { websocket: true, secureWs: { authenticate: fromRequest(() => session) } }, (socket) => {
  is<Session>()(socket.session)
})
