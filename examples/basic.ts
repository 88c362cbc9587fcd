import { randomBytes, scryptSync, timingSafeEqual } from 'node:crypto'
import Fastify from 'fastify'
import secureWs, { basic } from 'fastify-secure-ws'

const salt = randomBytes(16)
const hashOf = (password: string) => scryptSync(password, salt, 32)
const accounts = new Map([['meter-7', hashOf(process.env.METER_PASSWORD ?? '')]])
const nobody = hashOf(randomBytes(16).toString('hex'))

const app = Fastify({ logger: true })
await app.register(secureWs, {
  authenticate: basic({
    verify(user, password) {
      const known = accounts.get(user)
      // Hashed for every name, so that the time says nothing about which names there are.
      const isRight = timingSafeEqual(hashOf(password), known ?? nobody)
      return known !== undefined && isRight ? { id: user, userId: user } : null
    },
    revalidate: ({ id }) => accounts.has(id),
  }),
})

// A browser attaches Basic by itself, so a program must send `Origin`, too.
app.get('/readings', { websocket: true }, (socket) => {
  socket.send({ type: 'welcome', user: socket.session.userId })
})

await app.listen({ port: 3000 })
