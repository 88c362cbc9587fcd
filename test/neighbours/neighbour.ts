import type { TestContext } from 'node:test'
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import secureWs, { type AuditEvent, fromRequest, type SecureWsOptions, type Session } from '../../src/index.ts'
import { testCertificate } from '../harness/certificate.ts'
import { handshakeText, rawConnect } from '../harness/raw-client.ts'

export interface Neighbourhood {
  readonly app: FastifyInstance
  readonly port: number
  /** `http://localhost:<port>`, the origin of its own pages. */
  readonly own: string
  readonly events: readonly AuditEvent[]
  /** The status of one handshake, written by hand. */
  ask(target: string, headers?: Readonly<Record<string, string | undefined>>): Promise<number>
  connections(): Promise<number>
}

const people = new Map<string, Session>([
  ['ada', { id: 'sa', userId: 'ada' }],
  ['eve', { id: 'se', userId: 'eve' }],
])

/** Who asks, by a header that no page can send: what an authenticator finds is not what is tested here. */
export function named({ headers }: FastifyRequest): Session | null {
  return people.get(String(headers['x-user'])) ?? null
}

/** A server of ours, on which another WebSocket server is at home as well. */
export async function startNeighbourhood(
  t: TestContext,
  {
    options = {},
    tls = false,
    before,
    after,
  }: {
    options?: Partial<SecureWsOptions>
    tls?: boolean
    before?: (app: FastifyInstance) => unknown
    after?: (app: FastifyInstance) => unknown
  },
): Promise<Neighbourhood> {
  const events: AuditEvent[] = []
  const app: FastifyInstance = Fastify({ ...(tls && { https: await testCertificate() }) } as object)
  t.after(() => app.close())
  await before?.(app)
  await app.register(secureWs, {
    authenticate: fromRequest(named, { ambient: false }),
    audit: (event) => events.push(event),
    ...options,
    limits: { handshake: 500, handshakesPerMinutePerAddress: 10_000, ...options.limits },
  })
  app.get('/ours', { websocket: true }, (socket) => socket.send('ours'))
  await after?.(app)
  await app.listen({ port: 0, host: '127.0.0.1' })
  const address = app.server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const { port } = address
  const own = `http${tls ? 's' : ''}://localhost:${port}`
  return {
    app,
    port,
    own,
    events,
    async ask(target, headers = {}) {
      const all = { Host: `localhost:${port}`, Origin: own, 'X-User': 'ada', ...headers }
      const said = Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]))
      const client = await rawConnect({ port, tls })
      client.write(handshakeText({ target, headers: said }))
      const { status } = await client.answer()
      client.close()
      return status
    },
    connections: () =>
      new Promise((resolve) => app.server.getConnections((_error: unknown, count: number) => resolve(count))),
  }
}

export function refusals(events: readonly AuditEvent[]): readonly unknown[] {
  return events.filter(({ type }) => type === 'handshake.refused').map(({ code }) => code)
}
