import { randomBytes } from 'node:crypto'
import helmet from '@fastify/helmet'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import Fastify, { type FastifyInstance } from 'fastify'
import secureWs, { type AuditEvent, cookieSession } from 'fastify-secure-ws'
import { Type } from 'typebox'
import type { Certificate } from './certificate.ts'
import { asEvent, eventSchema } from './events.ts'
import { addPages } from './pages.ts'
import { Sessions } from './sessions.ts'

export interface ChatOptions {
  readonly certificate: Certificate
  readonly attackerUrl: string
}

export async function createChat({ certificate, attackerUrl }: ChatOptions): Promise<FastifyInstance> {
  const app = Fastify({ https: { ...certificate } }).withTypeProvider<TypeBoxTypeProvider>()
  const sessions = new Sessions()
  // A new secret at each start: cookies of the last run are worth nothing.
  const signedIn = cookieSession({ secret: randomBytes(32), load: (id) => sessions.find(id) })

  // For every route: the plugin alone would put these headers on what it answers itself, and not on the pages.
  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'"],
        imgSrc: ["'self'"],
        connectSrc: [(request) => `wss://localhost:${request.socket.localPort}`],
        formAction: ["'self'"],
        baseUri: ["'none'"],
        frameAncestors: ["'none'"],
      },
    },
    // With helmet's default (`no-referrer`) browsers send `Origin: null` with the forms of this very page.
    referrerPolicy: { policy: 'same-origin' },
    // The browser would remember it for every other server on this machine's `localhost`.
    strictTransportSecurity: false,
  })
  await app.register(secureWs, {
    // Everything else is the default: this origin only, TLS only, all limits.
    authenticate: signedIn,
    limits: { connectionsPerSession: 20 },
    audit: (event) => show(event),
  })

  function show(event: AuditEvent): void {
    // What happens on the events' own route would be told on that route, and happen again.
    if (event.route !== '/events') app.secureWs.to('events').send({ type: 'event', ...asEvent(event) })
  }

  const present = new Map<string, number>()

  app.get(
    '/chat',
    {
      websocket: true,
      secureWs: {
        receives: {
          say: {
            schema: Type.Object({ text: Type.String({ minLength: 1, maxLength: 500 }) }),
            rate: { perSecond: 5, burst: 10 },
          },
        },
        sends: {
          said: { schema: Type.Object({ by: Type.String(), text: Type.String() }) },
          joined: { schema: Type.Object({ by: Type.String() }) },
          left: { schema: Type.Object({ by: Type.String() }) },
          present: { schema: Type.Object({ names: Type.Array(Type.String()) }) },
        },
      },
    },
    (socket) => {
      const by = socket.session.userId ?? 'somebody'
      const room = app.secureWs.to('lobby')
      const tabs = present.get(by) ?? 0
      present.set(by, tabs + 1)
      socket.join('lobby')
      if (tabs === 0) room.send({ type: 'joined', by })
      room.send({ type: 'present', names: [...present.keys()] })

      socket.on('say', ({ text }) => room.send({ type: 'said', by, text }))
      socket.on('close', () => {
        const left = (present.get(by) ?? 1) - 1
        if (left > 0) {
          present.set(by, left)
          return
        }
        present.delete(by)
        room.send({ type: 'left', by })
        room.send({ type: 'present', names: [...present.keys()] })
      })
    },
  )

  // Who may see what was refused is a decision like any other. Here it is everybody who signed in, because it is a demo.
  app.get(
    '/events',
    { websocket: true, secureWs: { receives: {}, sends: { event: { schema: eventSchema } } } },
    (socket) => {
      socket.join('events')
    },
  )

  await addPages(app, { sessions, signedIn, attackerUrl })
  return app
}
