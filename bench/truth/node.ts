/** One of the nodes that `bench/truth.ts` runs: an application whose sessions and answers are not to be relied upon. */
import { setTimeout as sleep } from 'node:timers/promises'
import Fastify, { type FastifyRequest } from 'fastify'
import secureWs, { bearer, fromRequest, redisBus, type Session, type Subject } from '../../src/index.ts'
import { clock, type Moment, type Span, type Unanswered } from './history.ts'
import { tokens } from './tokens.ts'

export interface NodeConfig {
  readonly redis: string
  readonly clockSkew: number
}

const config: NodeConfig = JSON.parse(process.argv[2] ?? '{}')
const bus = redisBus({
  url: config.redis,
  channel: 'truth',
  secret: 'a relay secret of the checker, 32 bytes',
  clockSkew: config.clockSkew,
})
const app = Fastify({ logger: false })

/** Whose an object is, whatever has become of its members meanwhile. */
const names = new WeakMap<Session, Session>()
const ended = new Set<string>()
const forbidden = new Set<string>()
const handled = new Map<number, { last: number; session: () => Session | null }>()
const counts = { handled: 0, mutated: 0, hung: 0, rejected: 0, late: 0, fresh: 0 }
/** Questions that this application has left open for longer than `limits.lookup`, or has failed to answer. */
const unanswered: Unanswered[] = []
const lookup = 500
const chance = (part: number) => Math.random() < part
const any = <T>(list: readonly T[]): T | undefined => list[Math.floor(Math.random() * list.length)]

/** A new object with the names that were signed in: the application keeps none of its own. */
function made(session: Session): Session {
  const fresh = { ...session }
  names.set(fresh, { ...session })
  return fresh
}

/** A store that mostly answers: late, with another object, with an error, or never. */
async function unreliably<T>(session: string, answer: T, failing: number): Promise<T> {
  const asked = clock()
  if (chance(failing)) {
    counts.hung++
    unanswered.push({ session, at: asked })
    await new Promise<never>(() => {})
  }
  if (chance(failing)) {
    counts.rejected++
    unanswered.push({ session, at: asked })
    throw new Error('the store is away')
  }
  if (chance(0.1)) {
    counts.late++
    await sleep(Math.random() * 200)
    // The machine did not run this process: the question was over before the answer.
    if (clock() - asked > lookup - 50) unanswered.push({ session, at: asked })
  }
  return answer
}

const find = ({ headers }: FastifyRequest) => {
  const { 'x-session': id, 'x-user': userId, 'x-authenticated-at': at } = headers
  if (typeof id !== 'string' || typeof userId !== 'string') return null
  // The probe is to say how things are at once.
  if (id === 'probe') return { id, userId }
  if (ended.has(id)) return null
  return unreliably(id, made({ id, userId, tokenId: `token of ${id}`, authenticatedAt: Number(at) }), 0.002)
}

async function revalidate(session: Session): Promise<boolean | Session> {
  const known = names.get(session)
  if (known === undefined || ended.has(known.id)) return unreliably(known?.id ?? '', false, 0)
  if (chance(0.5)) return unreliably(known.id, true, 0.03)
  counts.fresh++
  return unreliably(known.id, made(known), 0.03)
}

await app.register(secureWs, {
  allowMissingOrigin: true,
  authenticate: [
    bearer({
      key: tokens.secret,
      algorithms: ['HS256'],
      issuer: tokens.issuer,
      audience: tokens.audience,
      clockTolerance: 0,
      session: ({ sid, sub, exp, auth_time: at, jti }) =>
        ended.has(String(sid))
          ? null
          : made({
              id: String(sid),
              userId: String(sub),
              tokenId: String(jti),
              expiresAt: Number(exp) * 1_000,
              authenticatedAt: Number(at) * 1_000,
            }),
      revalidate,
    }),
    fromRequest(find, { ambient: false, revalidate }),
  ],
  bus,
  session: { revalidateEvery: 2_000 },
  limits: {
    lookup,
    handshakesPerMinutePerAddress: 1_000_000,
    refusedPerMinutePerAddress: 1_000_000,
    connectionsPerAddress: 10_000,
    refusals: { perMinute: 10_000 },
  },
})

const room = { type: 'string', maxLength: 32 } as const
const inRoom = { schema: { type: 'object', required: ['room'], properties: { room } } } as const

app.get(
  '/chat',
  {
    websocket: true,
    secureWs: {
      receives: {
        say: inRoom,
        join: { ...inRoom, reply: { type: 'boolean' } },
        leave: { ...inRoom, reply: { type: 'boolean' } },
        hello: { schema: { type: 'object', properties: {} }, reply: { type: 'number' } },
      },
      sends: {
        said: { schema: { type: 'object', properties: { room: { type: 'string' }, made: { type: 'number' } } } },
      },
    },
  },
  (socket, request) => {
    const user = socket.session?.userId ?? ''
    const number = Number(request.headers['x-number'])
    const record = { last: 0, session: () => socket.session }
    handled.set(number, record)
    const note = () => {
      record.last = clock()
      counts.handled++
    }
    socket.on('say', ({ room }) => {
      note()
      app.secureWs.to(room).send({ type: 'said', room, made: clock() })
    })
    socket.on('hello', () => {
      note()
      return clock()
    })
    socket.on('join', ({ room }) => {
      note()
      return socket.join(room, { authorize: () => !forbidden.has(`${user} ${room}`) })
    })
    socket.on('leave', ({ room }) => {
      note()
      socket.leave(room)
      return true
    })
    socket.on('close', () => {
      process.send?.({ gone: { number, last: record.last } })
      handled.delete(number)
    })
  },
)
app.get('/who', { preHandler: app.secureWs.requireSession }, () => 'somebody')

/** Whatever the handler finds in `socket.session` is the application's own object, and may be changed in place. */
const harm: readonly ((session: Record<string, unknown>) => unknown)[] = [
  (session) => Object.assign(session, { userId: 42 }),
  (session) => Object.assign(session, { userId: 'u0' }),
  (session) => Object.assign(session, { id: null }),
  (session) => Object.assign(session, { id: '\ud800' }),
  (session) => Object.assign(session, { tokenId: {} }),
  (session) => Reflect.deleteProperty(session, 'id'),
  (session) => Reflect.deleteProperty(session, 'userId'),
]
setInterval(() => {
  const session = any([...handled.values()])?.session()
  if (!session) return
  counts.mutated++
  any(harm)?.(session as { [name in keyof Session]: unknown } as Record<string, unknown>)
}, 30)

/** When this process was not run, and when it knew that it did not know all revocations. */
const stalls: Span[] = []
const away: Span[] = []
let turn = clock()
setInterval(() => {
  const now = clock()
  if (now - turn > 60) stalls.push({ from: turn, to: now })
  turn = now
}, 20)
let readyAt = clock()
let awayFrom: number | undefined
setInterval(async () => {
  const from = clock()
  const { statusCode } = await app.inject({ url: '/who', headers: { 'x-session': 'probe', 'x-user': 'probe' } })
  if (statusCode !== 200) awayFrom ??= readyAt
  else {
    if (awayFrom !== undefined) away.push({ from: awayFrom, to: clock() })
    awayFrom = undefined
    readyAt = from
  }
}, 25)

const moment = (): Moment => ({ at: clock(), date: Date.now() })

const calls = {
  async revoke(subject: Subject) {
    const called = moment()
    const { closed, stored } = await app.secureWs.revoke(subject)
    return { called, returned: moment(), closed, stored }
  },
  reauthorize: (userId: string) => app.secureWs.reauthorize({ userId }),
  kick: (userId: string, room: string) => app.secureWs.kick({ userId }, room),
  end: (id: string) => void ended.add(id),
  forbid: (grant: string) => void forbidden.add(grant),
  allow: (grant: string) => void forbidden.delete(grant),
  ready: () => awayFrom === undefined,
  report: () => ({
    stalls,
    away: awayFrom === undefined ? away : [...away, { from: awayFrom, to: clock() }],
    counts,
    unanswered,
    handled: Array.from(handled, ([number, { last }]) => ({ number, last })),
  }),
}

export type Calls = typeof calls
export interface Request {
  readonly id: number
  readonly name: keyof Calls
  readonly args: readonly never[]
}
export type Message =
  | { readonly port: number }
  | { readonly gone: { readonly number: number; readonly last: number } }
  | { readonly id: number; readonly value?: unknown; readonly error?: string }

process.on('message', async ({ id, name, args }: Request) => {
  try {
    const call: (...args: readonly never[]) => unknown = calls[name]
    process.send?.({ id, value: await call(...args) })
  } catch (error) {
    process.send?.({ id, error: String(error) })
  }
})
process.on('disconnect', () => process.exit())

await app.listen({ host: '127.0.0.1', port: 0 })
const address = app.server.address()
process.send?.({ port: typeof address === 'object' ? address?.port : undefined })
