import { createEmitter, redisBus } from 'fastify-secure-ws'

const emitter = createEmitter({
  bus: redisBus({
    url: process.env.REDIS_URL ?? '', // as the servers have it
    channel: 'shop',
    secret: process.env.RELAY_SECRET ?? '', // the same as on the servers
  }),
})

await emitter.to('lobby').send({ type: 'said', by: 'the shop', text: 'We close at <six>.' })
await emitter.revoke({ userId: 'https://app.example|mallory' })
await emitter.close()
