import type { TestContext } from 'node:test'
import fastify, { type FastifyInstance } from 'fastify'
import secureWs, { type AuditEvent, type SecureWsOptions } from '../../src/index.ts'
import { openPeer, type PeerOptions, type RawPeer } from './raw-peer.ts'
import { until } from './until.ts'

export interface TestServer {
  readonly app: FastifyInstance
  readonly port: number
  /** Every audit event so far, oldest first. */
  readonly events: readonly AuditEvent[]
  /** Every log line so far, one JSON text each. */
  readonly logged: readonly string[]
  /** A raw client on this server, hung up when the test ends. */
  connect(options?: Omit<PeerOptions, 'port'>): Promise<RawPeer>
  /** Nobody holds anything: no socket, room, place, session or user. */
  empty(): Promise<void>
}

/** Limits so wide that only the one under test is met. */
export const wide = {
  connections: 1_000_000,
  connectionsPerAddress: 1_000_000,
  connectionsPerSession: 1_000_000,
  connectionsPerUser: 1_000_000,
  handshakesPerMinutePerAddress: 1_000_000,
  refusedPerMinutePerAddress: 1_000_000,
  messages: { perSecond: 1_000_000, burst: 1_000_000 },
  bytes: { perSecond: 1_000_000_000, burst: 1_000_000_000 },
} as const

/** For a server whose workers begin on a busy machine: Fastify gives 10 s, in which jsdom is not always loaded there. */
export const pluginTimeout = 60_000

/** A Fastify with the plugin, listening on 127.0.0.1; the test's end closes it. `limits` are merged over `wide`. */
export async function startServer(
  t: TestContext,
  { limits, ...options }: Partial<SecureWsOptions>,
  routes: (app: FastifyInstance) => void,
): Promise<TestServer> {
  const logged: string[] = []
  const events: AuditEvent[] = []
  const peers: RawPeer[] = []
  const stream = { write: (line: string) => void logged.push(line) }
  const app = fastify({ logger: { level: 'warn', stream }, forceCloseConnections: true, pluginTimeout })
  t.after(async () => {
    for (const peer of peers) peer.socket.destroy()
    await app.close()
  })
  await app.register(secureWs, {
    authenticate: false,
    audit: (event) => events.push(event),
    limits: { ...wide, ...limits },
    // A worker that nobody runs takes longer than 200 ms for a document of any kind.
    sanitize: { timeLimit: 20_000 },
    ...options,
  })
  routes(app)
  await app.listen({ host: '127.0.0.1', port: 0 })
  const address = app.server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const { port } = address
  return {
    app,
    port,
    events,
    logged,
    async connect(peerOptions) {
      const peer = await openPeer({ port, ...peerOptions })
      peers.push(peer)
      return peer
    },
    empty: () => until(() => isEmpty(app), 'every count was back at zero'),
  }
}

/** Nothing is counted any more. */
export function isEmpty(app: FastifyInstance): boolean {
  return Object.values(app.secureWs.stats()).every((count) => typeof count !== 'number' || count === 0)
}
