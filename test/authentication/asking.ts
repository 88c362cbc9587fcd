import { request as overHttp } from 'node:http'
import { request as overHttps, type RequestOptions } from 'node:https'
import type { TestContext } from 'node:test'
import Fastify, { type FastifyInstance } from 'fastify'
import { type Authentication, compileAuthentication } from '../../src/authentication/authentication.ts'
import type { SignedIn } from '../../src/session/identity.ts'
import type { Session } from '../../src/session/session.ts'

export interface Answer {
  readonly status: number
  readonly session: Session | null | undefined
  readonly method: string | undefined
  readonly reason: string | undefined
  readonly fault: boolean | undefined
  readonly headers: Record<string, string | string[] | undefined>
  readonly body: string
}

export interface Asking {
  readonly app: FastifyInstance
  readonly authentication: Authentication
  /** Every session that was accepted, in order. */
  readonly accepted: SignedIn[]
  /** Headers as pairs, so that one can be sent twice. */
  ask(headers?: readonly (readonly [string, string])[], path?: string, client?: RequestOptions): Promise<Answer>
}

export interface AskingOptions {
  readonly prepare?: (app: FastifyInstance) => unknown
  readonly now?: () => number
  readonly https?: { key: string; cert: string; ca?: string; requestCert?: boolean; rejectUnauthorized?: boolean }
}

/** A real server whose every request is answered with what the compiled option says about it: 200 or 401. */
export async function startAsking(t: TestContext, option: unknown, options: AskingOptions = {}): Promise<Asking> {
  const { https, prepare, now } = options
  // As an `object`, because with TLS options in sight the instance has another type, which the tests have no use for.
  const server: object = { ...(https === undefined ? {} : { https }), forceCloseConnections: true }
  const app: FastifyInstance = Fastify(server)
  t.after(() => app.close())
  await prepare?.(app)
  const authentication = compileAuthentication(option, 'authenticate', now)
  const accepted: SignedIn[] = []
  app.addHook('onRequest', async (request, reply) => {
    if (request.routeOptions.url?.startsWith('/open/')) return
    const verdict = await authentication.authenticate(request)
    if (verdict.refused)
      return reply.code(401).send({ reason: verdict.reason, method: verdict.method, fault: verdict.fault })
    if (verdict.signedIn !== null) accepted.push(verdict.signedIn)
    return reply.send({ session: verdict.session, method: verdict.method })
  })
  app.get('/', () => 'never reached')
  app.get('/rooms/:id', () => 'never reached')
  await app.listen({ host: '127.0.0.1', port: 0 })
  const address = app.server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return {
    app,
    authentication,
    accepted,
    async ask(headers = [], path = '/', client = {}) {
      const { status, body, headers: answered } = await fetched(https !== undefined, { ...client, port, path }, headers)
      const told: Partial<Answer> = body.startsWith('{') ? JSON.parse(body) : {}
      const { session, method, reason, fault } = told
      return { status, session, method, reason, fault, headers: answered, body }
    },
  }
}

function fetched(secure: boolean, options: RequestOptions, headers: readonly (readonly [string, string])[]) {
  return new Promise<{ status: number; body: string; headers: Answer['headers'] }>((resolve, reject) => {
    const whole = { host: '127.0.0.1', agent: false as const, ...options }
    const outgoing = [
      ...headers,
      ['host', `127.0.0.1:${options.port}`] as const,
      ['connection', 'close'] as const,
    ].flat()
    const asked = (secure ? overHttps : overHttp)({ ...whole, headers: outgoing }, (response) => {
      const parts: Buffer[] = []
      response.on('data', (part) => parts.push(part))
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(parts).toString(), headers: response.headers }),
      )
    })
    asked.on('error', reject)
    asked.end()
  })
}
