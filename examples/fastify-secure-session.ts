import { randomUUID } from 'node:crypto'
import secureSession from '@fastify/secure-session'
import Fastify from 'fastify'
import secureWs, { fromRequest } from 'fastify-secure-ws'

declare module '@fastify/secure-session' {
  interface SessionData {
    signedIn: { id: string; userId: string }
  }
}

// What this plugin keeps is in the cookie alone. A list of your own says which sessions still count.
const ended = new Set<string>()
const app = Fastify({ logger: true })
await app.register(secureSession, {
  key: Buffer.from(process.env.SESSION_KEY ?? '', 'hex'),
  // `secure: true` behind TLS.
  cookie: { path: '/', httpOnly: true, sameSite: 'strict', secure: false },
})
await app.register(secureWs, {
  authenticate: fromRequest(
    ({ session }) => {
      const signedIn = session.get('signedIn')
      return signedIn === undefined || ended.has(signedIn.id) ? null : signedIn
    },
    { revalidate: ({ id }) => !ended.has(id) },
  ),
})

app.post<{ Body: { name: string } }>('/sign-in', async (request) => {
  // Check the password here.
  request.session.set('signedIn', { id: randomUUID(), userId: request.body.name })
  return { user: request.body.name }
})

app.post('/sign-out', async (request) => {
  const signedIn = request.session.get('signedIn')
  request.session.delete()
  if (signedIn === undefined) return { closed: 0 }
  ended.add(signedIn.id)
  return app.secureWs.revoke({ sessionId: signedIn.id })
})

app.get('/chat', { websocket: true }, (socket) => {
  socket.send({ type: 'welcome', user: socket.session.userId })
})

await app.listen({ port: 3000 })
