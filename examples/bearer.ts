import { randomUUID } from 'node:crypto'
import Fastify from 'fastify'
import secureWs, { bearer } from 'fastify-secure-ws'
import { SignJWT } from 'jose'

// This server issues the tokens itself, so one secret signs and verifies. Tokens of an identity provider: see oidc.ts.
const key = process.env.TOKEN_SECRET ?? ''
const [issuer, audience] = ['https://app.example', 'chat']
const app = Fastify({ logger: true })
await app.register(secureWs, {
  authenticate: bearer({ key, algorithms: ['HS256'], issuer, audience }),
  // No browser sends a token by itself, so programs may come without `Origin`.
  allowMissingOrigin: true,
})

app.post<{ Body: { name: string } }>('/token', async (request) => {
  // Check the password here.
  const token = await new SignJWT({ jti: randomUUID() })
    .setProtectedHeader({ alg: 'HS256' })
    .setIssuer(issuer)
    .setAudience(audience)
    .setSubject(request.body.name)
    .setIssuedAt()
    .setExpirationTime('10m')
    .sign(new TextEncoder().encode(key))
  return { token }
})

// The user is `https://app.example|<name>`: a subject is unique only at its issuer.
app.get('/chat', { websocket: true }, (socket) => {
  socket.send({ type: 'welcome', user: socket.session.userId })
})

await app.listen({ port: 3000 })
