import { monitorEventLoopDelay } from 'node:perf_hooks'
import Fastify, { type FastifyRequest } from 'fastify'
import secureWs, {
  type AuditEvent,
  fromRequest,
  type Grant,
  type Kicked,
  type LimitOptions,
  type RedisBusOptions,
  redisBus,
  redisTickets,
  type Session,
  type SessionOptions,
  type Subject,
  ticket,
} from '../../src/index.ts'

/** One node as a program of its own: an application with the whole plugin, which the test that started it talks to over IPC. */
export interface NodeConfig {
  /** Left out: the node is alone, with `memoryBus()`. */
  readonly redis?: Pick<RedisBusOptions, 'url' | 'channel' | 'secret' | 'leaseTtl'>
  readonly limits?: LimitOptions
  readonly session?: SessionOptions
}

const config: NodeConfig = JSON.parse(process.argv[2] ?? '{}')
const bus = config.redis && redisBus(config.redis)
const app = Fastify({ logger: false })
const events: AuditEvent[] = []
const ended = new Set<string>()
const forbidden = new Set<string>()
let onceHandled = 0
let toggled = 0
const loop = monitorEventLoopDelay({ resolution: 1 })
let highest = process.memoryUsage()
let isSampling = false
let first: { join(room: string, grant?: Grant): void; leave(room: string): void } | undefined

/** `x-session: ann.1` is session 1 of ann; whoever knows the name has it, which is all a test needs. */
function sessionOf(name: string): Session | null {
  if (ended.has(name)) return null
  return { id: name, userId: name.split('.')[0] ?? name, tokenId: `token of ${name}` }
}

function find({ headers }: FastifyRequest): Session | null {
  const { 'x-session': name, 'x-authenticated-at': at } = headers
  if (typeof name !== 'string') return null
  const session = sessionOf(name)
  return session && (at === undefined ? session : { ...session, authenticatedAt: Number(at) })
}

const signedIn = fromRequest(find, { ambient: false, revalidate: ({ id }) => !ended.has(id) })

await app.register(secureWs, {
  allowMissingOrigin: true,
  authenticate: bus ? [ticket({ store: redisTickets(bus), load: sessionOf }), signedIn] : signedIn,
  ...(bus && { bus }),
  limits: {
    handshakesPerMinutePerAddress: 100_000,
    refusedPerMinutePerAddress: 100_000,
    connectionsPerAddress: 10_000,
    ...config.limits,
  },
  ...(config.session && { session: config.session }),
  audit: (event) => events.push(event),
})

const roomsOf = ({ url }: FastifyRequest) => new URL(url, 'http://localhost').searchParams.getAll('room')

app.get(
  '/chat',
  {
    websocket: true,
    secureWs: {
      authorize: (session) => !forbidden.has(session?.userId ?? ''),
      receives: {
        say: {
          schema: {
            type: 'object',
            required: ['room', 'text'],
            properties: { room: { type: 'string', maxLength: 256 }, text: { type: 'string', maxLength: 1_000 } },
          },
        },
        leave: {
          schema: { type: 'object', required: ['room'], properties: { room: { type: 'string', maxLength: 256 } } },
        },
        toggle: { schema: { type: 'object' } },
        once: {
          schema: { type: 'object', required: ['text'], properties: { text: { type: 'string', maxLength: 100 } } },
          replay: { window: 10_000 },
        },
      },
    },
  },
  (socket, request) => {
    first ??= socket
    for (const room of roomsOf(request)) socket.join(room)
    socket.on('say', ({ room, text }) => app.secureWs.to(room).send({ type: 'said', text }))
    socket.on('leave', ({ room }) => socket.leave(room))
    const own = `of ${socket.id}`
    // In with one message and out with the next; and nine in and out within each.
    socket.on('toggle', () => {
      toggled++
      if (socket.rooms.has(own)) socket.leave(own)
      else socket.join(own)
      for (let other = 0; other < 9; other++) socket.join(`${own} ${other}`)
      for (let other = 0; other < 9; other++) socket.leave(`${own} ${other}`)
    })
    socket.on('once', () => ++onceHandled)
  },
)

/** For everybody: what depends on no session goes on while Redis is away. */
app.get('/open', { websocket: true, secureWs: { authenticate: false } }, (socket, request) => {
  for (const room of roomsOf(request)) socket.join(room)
  socket.on('message', () => {})
})

app.post('/ticket', async (request) => app.secureWs.issueTicket(request, { route: '/chat' }))

const calls = {
  send(rooms: readonly [string, ...string[]], message: unknown, except: readonly string[] = []): void {
    const [first, ...more] = rooms
    const everywhere = more.reduce((audience, room) => audience.to(room), app.secureWs.to(first))
    except.reduce((audience, id) => audience.except({ id }), everywhere).send(message)
  },
  /** One after the other, `count` times. */
  sendMany(room: string, count: number): void {
    for (let number = 0; number < count; number++)
      app.secureWs.to(room).send({ type: 'number', number, by: process.pid })
  },
  sendPerMember(room: string, message: unknown): void {
    app.secureWs.to(room).send(message, { perMember: (session, own) => (session === null ? undefined : own) })
  },
  revoke: (subject: Subject, until?: number) => app.secureWs.revoke(subject, until === undefined ? {} : { until }),
  reauthorize: (subject: Subject) => app.secureWs.reauthorize(subject),
  kick: (whom: Kicked, room: string) => app.secureWs.kick(whom, room),
  closeSocket: (id: string, code?: number, reason?: string) => app.secureWs.close(id, code, reason),
  allSockets: (of?: { userId?: string; sessionId?: string }) => app.secureWs.allSockets(of),
  members: (room: string) => app.secureWs.members(room),
  sockets: (of?: { userId?: string; sessionId?: string }) => app.secureWs.sockets(of).map(({ id }) => id),
  stats: () => app.secureWs.stats(),
  /** What was audited since the last call. */
  events: () => events.splice(0),
  endSession: (id: string) => void ended.add(id),
  forbid: (userId: string) => void forbidden.add(userId),
  /** How often the listener behind the replay guard was called. */
  onceHandled: () => onceHandled,
  toggled: () => toggled,
  busState: () => bus?.state ?? 'up',
  /** The first socket joins and leaves `count` rooms, and `count` sessions that nobody has are revoked, each for `lifetime` ms. */
  async churn(count: number, lifetime: number): Promise<void> {
    for (let number = 0; number < count; number++) {
      first?.join(`room ${number}`, { until: Date.now() + 60_000 })
      first?.leave(`room ${number}`)
      await app.secureWs.revoke({ sessionId: `nobody.${number}` }, { until: Date.now() + lifetime })
    }
    await app.secureWs.members('room 0')
    events.length = 0
  },
  heap(): number {
    for (let round = 0; round < 4; round++) globalThis.gc?.()
    return process.memoryUsage().heapUsed
  },
  /** Begins to measure what the next calls cost this node. */
  watch(): void {
    loop.reset()
    loop.enable()
    highest = process.memoryUsage()
    if (isSampling) return
    isSampling = true
    setInterval(() => {
      const { rss, heapUsed, arrayBuffers } = process.memoryUsage()
      highest = {
        ...highest,
        rss: Math.max(highest.rss, rss),
        heapUsed: Math.max(highest.heapUsed, heapUsed),
        arrayBuffers: Math.max(highest.arrayBuffers, arrayBuffers),
      }
    }, 20)
  },
  /** How late the loop was since `watch`, and the most memory, in ms and bytes. */
  watched(): { p50: number; p99: number; max: number; rss: number; heap: number; arrayBuffers: number } {
    const { rss, heapUsed, arrayBuffers } = highest
    const ms = (nanoseconds: number) => nanoseconds / 1e6
    const { max } = loop
    return {
      p50: ms(loop.percentile(50)),
      p99: ms(loop.percentile(99)),
      max: ms(max),
      rss,
      heap: heapUsed,
      arrayBuffers,
    }
  },
  listeners(): number {
    const emitters = [process, app.server]
    return emitters.reduce(
      (sum, emitter) => sum + emitter.eventNames().reduce((count, name) => count + emitter.listenerCount(name), 0),
      0,
    )
  },
  /** The event loop stands still, as behind a long computation. */
  block(ms: number): void {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
  },
  close: () => app.close(),
}

export type NodeCalls = typeof calls
export type NodeRequest = { readonly number: number; readonly name: keyof NodeCalls; readonly args: readonly never[] }
export type NodeAnswer = { readonly number: number; readonly value?: unknown; readonly error?: string }

process.on('message', async ({ number, name, args }: NodeRequest) => {
  let answer: NodeAnswer
  try {
    const call: (...args: readonly never[]) => unknown = calls[name]
    answer = { number, value: await call(...args) }
  } catch (error) {
    answer = {
      number,
      error: error instanceof Error ? `${'code' in error ? error.code : ''} ${error.message}` : 'failed',
    }
  }
  process.send?.(answer)
})
// The test is gone: so is its node.
process.on('disconnect', () => process.exit())

await app.listen({ host: '127.0.0.1', port: 0 })
const address = app.server.address()
process.send?.({ port: typeof address === 'object' ? address?.port : undefined })
