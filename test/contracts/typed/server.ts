import { randomBytes, randomUUID } from 'node:crypto'
import Fastify from 'fastify'
import secureWs, { cookieSession, type MessagesOf, type Session, socketRoute } from 'fastify-secure-ws'

const sessions = new Map<string, Session>()
const signedIn = cookieSession({ secret: randomBytes(32), load: (id) => sessions.get(id) ?? null })

const question = {
  type: 'object',
  properties: { title: { type: 'string', maxLength: 80 }, choices: { type: 'array', items: { type: 'string' } } },
  required: ['title', 'choices'],
} as const
const vote = {
  type: 'object',
  properties: { choice: { type: 'integer', minimum: 0 } },
  required: ['choice'],
} as const

const poll = socketRoute({
  receives: {
    vote: {
      schema: vote,
      reply: { type: 'object', properties: { counted: { type: 'boolean' } }, required: ['counted'] },
    },
    leave: { schema: { type: 'object' } },
  },
  sends: {
    asked: { schema: question },
    // A type with a `reply` is one that the server may ask.
    again: { schema: question, reply: vote },
  },
})
export type Poll = MessagesOf<typeof poll>

const app = Fastify()
await app.register(secureWs, { authenticate: signedIn })

app.post('/sign-in', (_request, reply) => {
  const session = { id: randomUUID(), userId: 'ada' }
  sessions.set(session.id, session)
  signedIn.setSessionCookie(reply, session.id)
  reply.send({})
})

const lunch = { title: 'Lunch?', choices: ['soup', 'stew'] }
app.get('/poll', { websocket: true, secureWs: poll }, (socket) => {
  socket.send({ type: 'asked', ...lunch })
  socket.on('vote', async ({ choice }) => {
    if (choice < lunch.choices.length) return { counted: true }
    const second = await socket.request('again', lunch, { timeout: 5_000 })
    return { counted: second.choice < lunch.choices.length }
  })
  socket.on('leave', () => socket.close())

  // Read by the compiler alone.
  if (socket.bufferedAmount < 0) {
    // misspelled: a type that is not declared
    // @ts-expect-error
    socket.on('vot', () => {})
    // @ts-expect-error
    socket.send({ type: 'askd', ...lunch })
    // @ts-expect-error
    socket.request('asked', lunch)
    // missing: a member
    // @ts-expect-error
    socket.send({ type: 'asked', title: 'Lunch?' })
    // @ts-expect-error
    socket.request('again', { title: 'Lunch?' })
    // misspelled: a member
    // @ts-expect-error
    socket.on('vote', ({ chioce }) => ({ counted: chioce }))
    // wrong: a reply of another type, none at all
    // @ts-expect-error
    socket.on('vote', () => ({ counted: 'yes' }))
    // @ts-expect-error
    socket.on('vote', async () => ({}))
    // wrong: an answer is what is declared, and nothing else
    // @ts-expect-error
    socket.request('again', lunch).then(({ choice }) => choice.trim())
  }
})

const address = await app.listen({ port: 0, host: '127.0.0.1' })
console.log(address)
