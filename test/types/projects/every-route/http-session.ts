import Fastify from 'fastify'
import secureWs, { type Session } from 'fastify-secure-ws'
import type { Equal, Expect } from './expect.ts'

const app = Fastify()
await app.register(secureWs, { authenticate: false })

// Sessions on plain routes: the declared one, or nobody.
app.get('/me', { preHandler: app.secureWs.requireSession }, async (request) => {
  const session = await app.secureWs.session(request)
  type Found = Expect<Equal<typeof session, Session | null>>
  const found: Found = true
  // @ts-expect-error TS18047: nobody may be signed in.
  const rooms = session.rooms
  return { found, rooms, own: session?.rooms }
})

// @ts-expect-error TS2554: whose session?
await app.secureWs.session()
