import Fastify from 'fastify'
import secureWs, { bearer, redisBus } from 'fastify-secure-ws'

const tokens = bearer({
  key: process.env.TOKEN_SECRET ?? '',
  algorithms: ['HS256'],
  issuer: 'https://app.example',
  audience: 'chat',
})
const app = Fastify({ logger: true })
await app.register(secureWs, {
  authenticate: tokens,
  allowMissingOrigin: true,
  bus: redisBus({
    url: process.env.REDIS_URL ?? '', // rediss://shop:password@redis.internal:6379
    channel: 'shop',
    secret: process.env.RELAY_SECRET ?? '', // 32 bytes or more, the same on every node
  }),
})

app.get('/chat', { websocket: true }, (socket) => {
  const name = socket.session.userId ?? 'somebody'
  socket.join('lobby')
  socket.on('message', (text) => app.secureWs.to('lobby').send({ type: 'said', by: name, text: String(text) }))
})

await app.listen({ port: 3000 })
