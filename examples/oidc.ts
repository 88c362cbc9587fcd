import Fastify from 'fastify'
import secureWs, { bearer } from 'fastify-secure-ws'

// An OpenID provider says where its keys are (OpenID Connect Discovery 1.0). The issuer is your own setting, never the token's.
const issuer = process.env.ISSUER ?? 'https://login.example'
const answer = await fetch(`${issuer}/.well-known/openid-configuration`)
const found = (await answer.json()) as { issuer: string; jwks_uri: string }
if (found.issuer !== issuer) throw new Error(`${issuer} says that it is ${found.issuer}`)

const app = Fastify({ logger: true })
await app.register(secureWs, {
  authenticate: bearer({
    jwks: found.jwks_uri,
    algorithms: ['RS256'],
    issuer,
    // The API that the token is for, as it is registered at the provider: a token for another API is refused.
    audience: 'chat',
    // Of providers that say so (RFC 9068): an ID token is not taken for an access token.
    typ: 'at+jwt',
  }),
  allowMissingOrigin: true,
})

app.get('/chat', { websocket: true }, (socket) => {
  socket.send({ type: 'welcome', user: socket.session.userId })
})

await app.listen({ port: 3000 })
