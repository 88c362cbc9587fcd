import Fastify from 'fastify'
import secureWs, {
  type AuditEvent,
  cookieSession,
  type DrainReport,
  dangerouslyAllowAnyOrigin,
  memoryBus,
  type SecureWsOptions,
  type Stats,
} from 'fastify-secure-ws'
import { is } from './expect.ts'

const authenticate = cookieSession({ secret: 'x'.repeat(32), load: () => null })

export const everything: SecureWsOptions = {
  origins: ['https://app.example', 'https://*.app.example'],
  hosts: ['app.example'],
  allowMissingOrigin: false,
  dangerouslyAllowNullOrigin: false,
  dangerouslyAllowFileOrigin: false,
  allowInsecureTransport: false,
  authenticate,
  limits: { messageBytes: 1_000, messages: { perSecond: 1, burst: 2 }, heartbeat: { every: 1_000, timeout: 500 } },
  session: { revalidateEvery: 1_000, expiryGrace: 0 },
  encode: 'json',
  slowReader: 'drop',
  sanitize: {},
  bus: memoryBus(),
  cookie: {},
  helmet: false,
  websocket: { options: { clientTracking: true } },
  audit: (event) => is<AuditEvent>()(event),
}
export const origins: SecureWsOptions[] = [
  { authenticate, origins: 'same-origin' },
  { authenticate, origins: dangerouslyAllowAnyOrigin },
  { authenticate, origins: (origin) => origin.endsWith('.example') },
]

const app = Fastify()
await app.register(secureWs, { authenticate: false })

// @ts-expect-error TS2769: there is no default for who may come in.
app.register(secureWs, {})
// @ts-expect-error TS2769
app.register(secureWs)
// @ts-expect-error TS2769: misspelt.
app.register(secureWs, { authenticate, orgins: ['https://app.example'] })
// @ts-expect-error TS2769: not all there is.
app.register(secureWs, { authenticate, encode: 'xml' })
// @ts-expect-error TS2769: a bare `*` has no meaning; the name of the danger has.
app.register(secureWs, { authenticate, origins: '*' })
// @ts-expect-error TS2769: misspelt, one level down.
app.register(secureWs, { authenticate, limits: { messageByte: 1_000 } })
// @ts-expect-error TS2741: cookies are signed.
export const unsigned: Parameters<typeof cookieSession>[0] = { load: () => null }

const { secureWs: ws } = app
ws.to('x').send({ anything: 1 })
ws.to('x')
  .to('y')
  .except({ id: '1' })
  .send('text', { encode: 'json', perMember: (session) => session?.userId })
is<Promise<{ readonly closed: number; readonly stored: boolean }>>()(ws.revoke({ sessionId: 's' }))
is<Promise<{ readonly closed: number; readonly stored: boolean }>>()(
  ws.revoke({ userId: 'u' }, { until: Date.now() + 1_000 }),
)
is<Promise<{ readonly closed: number; readonly stored: boolean }>>()(ws.revoke({ tokenId: 't' }))
is<Stats>()(ws.stats())
is<Promise<DrainReport>>()(ws.drain())
app.get('/ready', ws.health)
// @ts-expect-error TS2345: whom?
ws.revoke({})
// @ts-expect-error TS2345: one at a time, or it is not clear who is meant.
ws.revoke({ userId: 'u', sessionId: 's' })
// @ts-expect-error TS2353: misspelt.
ws.revoke({ user: 'u' })
// @ts-expect-error TS2379: nobody has this id, and everybody without one must not be meant.
ws.revoke({ userId: undefined })
// @ts-expect-error TS2353: misspelt.
ws.revoke({ userId: 'u' }, { till: 1 })
