import { randomUUID } from 'node:crypto'
import jwt from '@fastify/jwt'
import Fastify from 'fastify'
import secureWs, { fromRequest } from 'fastify-secure-ws'

declare module '@fastify/jwt' {
  interface FastifyJWT {
    payload: { sub: string; jti: string }
  }
}

const app = Fastify({ logger: true })
await app.register(jwt, {
  secret: process.env.TOKEN_SECRET ?? '',
  verify: { algorithms: ['HS256'], requiredClaims: ['exp', 'sub', 'jti'] },
})
await app.register(secureWs, {
  authenticate: fromRequest(
    async (request) => {
      try {
        const { sub, jti, exp } = await request.jwtVerify<{ sub: string; jti: string; exp: number }>()
        return { id: jti, userId: sub, tokenId: jti, expiresAt: exp * 1000 }
      } catch {
        // No token, or a wrong one, is nobody: 401. What is thrown from here would be a fault of the server: 503.
        return null
      }
    },
    // Read from `Authorization` alone: no browser sends that by itself.
    { ambient: false },
  ),
  allowMissingOrigin: true,
})

app.post<{ Body: { name: string } }>('/token', async (request) => {
  // Check the password here.
  return { token: app.jwt.sign({ sub: request.body.name, jti: randomUUID() }, { expiresIn: '10m' }) }
})

app.get('/chat', { websocket: true }, (socket) => {
  socket.send({ type: 'welcome', user: socket.session.userId })
})

await app.listen({ port: 3000 })
