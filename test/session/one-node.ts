import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import secureWs, { type AuditEvent, fromRequest, type SecureWsOptions, type Session } from '../../src/index.ts'
import { pluginTimeout } from '../harness/server.ts'

/** One application on 127.0.0.1 with the whole plugin; `session` is asked for whoever says a name in `x-session`. */
export interface OneNode {
  readonly app: FastifyInstance
  readonly events: AuditEvent[]
  /** After the routes are declared. */
  listen(): Promise<(path: string) => string>
}

export interface OneNodeOptions extends Partial<SecureWsOptions> {
  readonly find: (name: string) => Session | null | Promise<Session | null>
  readonly revalidateBy?: (session: Session) => boolean | Session | null | Promise<boolean | Session | null>
}

export async function oneNode({ find, revalidateBy, limits, ...options }: OneNodeOptions): Promise<OneNode> {
  const app = Fastify({ pluginTimeout })
  const events: AuditEvent[] = []
  const named = ({ headers }: FastifyRequest) =>
    typeof headers['x-session'] === 'string' ? find(headers['x-session']) : null
  await app.register(secureWs, {
    allowMissingOrigin: true,
    authenticate: fromRequest(named, { ambient: false, ...(revalidateBy && { revalidate: revalidateBy }) }),
    limits: {
      handshakesPerMinutePerAddress: 1_000_000,
      refusedPerMinutePerAddress: 1_000_000,
      connectionsPerAddress: 10_000,
      ...limits,
    },
    audit: (event) => events.push(event),
    ...options,
  })
  return {
    app,
    events,
    async listen() {
      await app.listen({ host: '127.0.0.1', port: 0 })
      const address = app.server.address()
      const port = typeof address === 'object' ? address?.port : undefined
      return (path) => `ws://127.0.0.1:${port}${path}`
    },
  }
}

export const as = (name: string) => ({ headers: { 'x-session': name } })
