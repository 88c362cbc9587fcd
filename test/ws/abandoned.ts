import Fastify, { type FastifyInstance } from 'fastify'
import secureWs, { type AuditEvent, type SecureWsOptions } from '../../src/index.ts'
import { testCertificate } from '../harness/certificate.ts'
import { handshakeText } from '../harness/raw-client.ts'

export interface Setup {
  readonly tls?: boolean
  readonly options?: Partial<SecureWsOptions>
  readonly server?: object
  before?(app: FastifyInstance): void
  after?(app: FastifyInstance): void
}

/** A server whose handshakes nobody may wait for; it closes when `t` says so. */
export async function start(
  t: { after(done: () => unknown): void },
  { tls = false, options = {}, server = {}, before, after }: Setup,
) {
  const events: AuditEvent[] = []
  const https = tls ? { https: await testCertificate() } : {}
  // As an `object`: with TLS in sight the instance has another type, which the tests have no use for.
  const app: FastifyInstance = Fastify({ ...https, ...server } as object)
  before?.(app)
  await app.register(secureWs, {
    authenticate: false,
    audit: (event) => events.push(event),
    ...options,
    limits: { handshakesPerMinutePerAddress: 10_000, ...options.limits },
  })
  app.get('/ws', { websocket: true }, (socket) => socket.on('message', () => {}))
  after?.(app)
  const { port } = new URL(await app.listen({ port: 0, host: '127.0.0.1' }))
  t.after(() => app.close())
  const connections = () =>
    new Promise<number>((resolve) => app.server.getConnections((_error, count) => resolve(count)))
  return { app, port: Number(port), events, connections }
}

/** A handshake of a page of this very server. */
export function handshake(port: number, target: string, tls = false): string {
  const host = `localhost:${port}`
  return handshakeText({ target, headers: { Host: host, Origin: `${tls ? 'https' : 'http'}://${host}` } })
}

/** Where nobody answers, the deadline ends the test as well. Elsewhere it stands: thirty sessions of TLS begin slowly on a busy machine. */
const soon = { options: { limits: { handshake: 200 } } }

/** Every way in which a stream can be answered, or not, without the guard: none of them may leave the stream behind. */
export const ways: readonly (readonly [
  name: string,
  target: string,
  reason: RegExp,
  setup: Omit<Setup, 'tls'>,
  lead?: string,
])[] = [
  [
    'a hook before ours replies',
    '/ws',
    /answered with 401/,
    { before: (app) => app.addHook('onRequest', (_request, reply) => reply.code(401).send()) },
  ],
  [
    'a hook before ours replies late',
    '/ws',
    /answered with 401/,
    {
      before: (app) =>
        app.addHook('onRequest', async (_request, reply) => {
          await new Promise((resolve) => setTimeout(resolve, 20))
          return reply.code(401).send('no')
        }),
    },
  ],
  [
    'a hook before ours throws',
    '/ws',
    /answered with 500/,
    {
      before: (app) =>
        app.addHook('onRequest', async () => {
          throw new Error('x')
        }),
    },
  ],
  [
    'a hook before ours never answers',
    '/ws',
    /nobody answered within 200 ms/,
    { ...soon, before: (app) => app.addHook('onRequest', () => {}) },
  ],
  ['the router, for a path that cannot be decoded', '/%ff', /answered with 400/, {}],
  [
    'frameworkErrors, later',
    '/%ff',
    /answered with 400/,
    {
      server: {
        frameworkErrors(_error: unknown, _request: unknown, reply: { code(n: number): { send(s: string): void } }) {
          setTimeout(() => reply.code(400).send('odd'), 20)
        },
      },
    },
  ],
  [
    'behind a request that is answered late',
    '/ws',
    /sent behind a request/,
    {
      before: (app) => app.get('/slow', () => new Promise((resolve) => setTimeout(() => resolve('slow'), 50))),
    },
    'GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n',
  ],
  [
    'behind a request that is never answered',
    '/ws',
    /nobody answered within 200 ms/,
    { ...soon, before: (app) => app.get('/never', () => new Promise(() => {})) },
    'GET /never HTTP/1.1\r\nHost: localhost\r\n\r\n',
  ],
  [
    'behind two requests',
    '/ws',
    /sent behind a request/,
    { before: (app) => app.get('/slow', () => new Promise((resolve) => setTimeout(() => resolve('slow'), 50))) },
    'GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\nGET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n',
  ],
  ['our own 404', '/nowhere', /no route has this path/, {}],
]
