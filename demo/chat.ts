import { randomBytes } from 'node:crypto'
import helmet from '@fastify/helmet'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import Fastify, { type FastifyInstance } from 'fastify'
import secureWs, { type AuditEvent, type Bus, cookieSession, type Session } from 'fastify-secure-ws'
import { Type } from 'typebox'
import type { Certificate } from './certificate.ts'
import { asEvent, eventSchema } from './events.ts'
import { addPages } from './pages.ts'
import { Sessions } from './sessions.ts'

export interface ChatOptions {
  /** Left out: plain http, for this machine only. */
  readonly certificate: Certificate | undefined
  readonly attackerUrl: string
  /** Left out: this node is alone. */
  readonly bus?: Bus | undefined
}

const Text = Type.String({ minLength: 1, maxLength: 500 })
const Name = Type.String({ minLength: 1, maxLength: 30 })
/** Markup that a user wrote: what is not in the `basic` profile is taken out, what is in it stays markup. */
const Html = Type.String({ minLength: 1, maxLength: 2_000, contentMediaType: 'text/html' })
const By = Type.Object({ by: Type.String() })

const kickedFor = 60_000
/** The room of one person: on every tab and browser, and nobody else's. */
const roomOf = (name: string) => `of:${name}`

export async function createChat({ certificate, attackerUrl, bus }: ChatOptions): Promise<FastifyInstance> {
  const scheme = certificate === undefined ? 'http' : 'https'
  const https = certificate === undefined ? null : { ...certificate }
  const app = Fastify({ https }).withTypeProvider<TypeBoxTypeProvider>()
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
        // `blob:` is a picture that came over the socket.
        imgSrc: ["'self'", 'blob:'],
        // The socket, and the question why it was refused.
        connectSrc: ["'self'", (request) => `${scheme.replace('http', 'ws')}://localhost:${request.socket.localPort}`],
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
    // Everything else is the default: this origin only, TLS or this machine only, all limits.
    authenticate: signedIn,
    limits: { connectionsPerSession: 20 },
    audit: (event) => show(event),
    ...(bus && { bus }),
  })

  function show(event: AuditEvent): void {
    // What happens on the events' own route would be told on that route, and happen again.
    if (event.route !== '/events') app.secureWs.to('events').send({ type: 'event', ...asEvent(event) })
  }

  const present = new Map<string, number>()
  /** Names that were kicked, and when they may come back. */
  const kicked = new Map<string, number>()
  const isModerator = (session: Session) => sessions.isModerator(session)
  const mayTalk = (session: Session | null) => (kicked.get(session?.userId ?? '') ?? 0) <= Date.now()

  app.get(
    '/chat',
    {
      websocket: true,
      secureWs: {
        receives: {
          say: {
            schema: Type.Object({ text: Text }),
            rate: { perSecond: 5, burst: 10 },
            authorize: mayTalk,
          },
          post: {
            schema: Type.Object({ html: Html }),
            rate: { perSecond: 2, burst: 5 },
            authorize: mayTalk,
          },
          whisper: { schema: Type.Object({ text: Text }), authorize: isModerator },
          kick: { schema: Type.Object({ name: Name }), authorize: isModerator },
        },
        // Told by its first bytes, whatever it is called: a script named cat.png is refused.
        binary: ['image/png', 'image/jpeg'],
        sends: {
          said: { schema: Type.Object({ by: Type.String(), text: Type.String() }) },
          posted: { schema: Type.Object({ by: Type.String(), html: Html }) },
          whispered: { schema: Type.Object({ by: Type.String(), text: Type.String() }) },
          picture: { schema: By },
          joined: { schema: By },
          gone: { schema: By },
          kicked: { schema: By },
          present: { schema: Type.Object({ names: Type.Array(Type.String()) }) },
        },
      },
    },
    async (socket) => {
      const by = socket.session.userId ?? 'somebody'
      const lobby = app.secureWs.to('lobby')
      socket.join(roomOf(by))
      // The room asks now, and again when a moderator has kicked somebody: whoever may not stay is out of it.
      if (!(await socket.join('lobby', { authorize: mayTalk }))) {
        socket.send({ type: 'kicked', by: 'a moderator' })
        return
      }
      if (isModerator(socket.session))
        await socket.join('moderators', { authorize: (session) => !!session && isModerator(session) })
      const tabs = present.get(by) ?? 0
      present.set(by, tabs + 1)
      if (tabs === 0) lobby.send({ type: 'joined', by })
      tellWhoIsHere()

      socket.on('say', ({ text }) => lobby.send({ type: 'said', by, text }))
      socket.on('post', ({ html }) => lobby.send({ type: 'posted', by, html }))
      socket.on('whisper', ({ text }) => app.secureWs.to('moderators').send({ type: 'whispered', by, text }))
      socket.on('binary', (bytes) => {
        if (!mayTalk(socket.session)) return
        // Frames of one socket arrive in order: the picture is the one that follows.
        lobby.send({ type: 'picture', by })
        lobby.send(bytes)
      })
      socket.on('kick', ({ name }) => {
        kicked.set(name, Date.now() + kickedFor)
        present.delete(name)
        app.secureWs.reauthorize({ userId: name })
        app.secureWs.to(roomOf(name)).send({ type: 'kicked', by })
        lobby.send({ type: 'gone', by: name })
        tellWhoIsHere()
      })
      socket.on('close', () => {
        const left = (present.get(by) ?? 1) - 1
        if (left > 0) {
          present.set(by, left)
          return
        }
        if (!present.delete(by)) return
        lobby.send({ type: 'gone', by })
        tellWhoIsHere()
      })
    },
  )

  function tellWhoIsHere(): void {
    app.secureWs.to('lobby').send({ type: 'present', names: [...present.keys()] })
  }

  // Who may see what was refused is a decision like any other. Here it is everybody who signed in, because it is a demo.
  app.get(
    '/events',
    { websocket: true, secureWs: { receives: {}, sends: { event: { schema: eventSchema } } } },
    (socket) => {
      socket.join('events')
    },
  )

  await addPages(app, { scheme, sessions, signedIn, attackerUrl })
  return app
}
