import { randomBytes, randomUUID } from 'node:crypto'
import Fastify from 'fastify'
import secureWs, { cookieSession, roomTokens, type Session } from 'fastify-secure-ws'
import { SignJWT } from 'jose'

// The service that knows the rights signs; this server verifies. They share a secret here, or the service has a key set.
const key = randomBytes(32)
const [issuer, audience] = ['https://rights.example', 'rooms']
const tokens = roomTokens({ key, algorithms: ['HS256'], issuer, audience })

const sessions = new Map<string, Session>()
const signedIn = cookieSession({ secret: randomBytes(32), load: (id) => sessions.get(id) })
const app = Fastify({ logger: true })
await app.register(secureWs, { authenticate: signedIn })

app.post<{ Body: { name: string } }>('/sign-in', async (request, reply) => {
  const session = { id: randomUUID(), userId: request.body.name, authenticatedAt: Date.now() }
  sessions.set(session.id, session)
  signedIn.setSessionCookie(reply, session.id)
  return { done: true }
})

// In the other service: who may be in the room gets a token for ten minutes.
app.post<{ Params: { room: string } }>('/rights/:room', async (request, reply) => {
  const session = await app.secureWs.session(request)
  if (session?.userId === undefined || request.params.room === 'board') return reply.code(403).send({ token: null })
  const token = await new SignJWT({ room: request.params.room })
    .setProtectedHeader({ alg: 'HS256' })
    .setIssuer(issuer)
    .setAudience(audience)
    .setSubject(session.userId)
    .setExpirationTime('10m')
    .sign(key)
  return { token }
})

const text = { type: 'string', maxLength: 2_000 } as const
app.get(
  '/chat',
  {
    websocket: true,
    secureWs: {
      receives: {
        enter: { schema: { type: 'object', required: ['room', 'token'], properties: { room: text, token: text } } },
      },
    },
  },
  (socket) => {
    // True: the socket is in the room, until the token ends. Sent again with a later token, it stays.
    socket.on('enter', ({ room, token }) => socket.join(room, tokens.grant(room, token)))
  },
)

await app.listen({ port: 3000 })
