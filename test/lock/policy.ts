import Fastify from 'fastify'
import secureWs, { bearer, cookieSession, type SecureWsOptions } from '../../src/index.ts'
import type { Policy } from '../../src/lock/policy.ts'

/** The options of a server, and of its one route. */
export interface Server {
  readonly plugin: Partial<SecureWsOptions>
  readonly route: Readonly<Record<string, unknown>>
  /** Fastify's own `schema` of the route. */
  readonly schema?: object
}

const secret = 'of a test, and at least 32 bytes long'
export const byCookie = cookieSession({ secret, load: () => null })
export const byToken = bearer({ key: Buffer.from(secret), algorithms: ['HS256'], issuer: 'i', audience: 'a' })
export const yes = () => true

export const say = {
  type: 'object',
  properties: { text: { type: 'string', maxLength: 100 }, to: { type: 'string' }, kind: { enum: ['note', 'call'] } },
  required: ['text'],
}
export const said = {
  type: 'object',
  properties: { by: { type: 'string' }, text: { type: 'string' } },
  required: ['by'],
}

export const base: Server = {
  plugin: {
    origins: ['https://app.example', 'https://*.shop.example'],
    authenticate: byCookie,
    denyByDefault: true,
    session: { revalidateEvery: 60_000 },
  },
  route: {
    authorize: yes,
    binary: ['image/png'],
    protocols: ['chat.v1'],
    receives: {
      say: {
        schema: say,
        reply: { type: 'number' },
        authorize: yes,
        rate: { perSecond: 5, burst: 10 },
        replay: { window: 30_000 },
        freshAuth: 600_000,
      },
      leave: { schema: { type: 'object' }, authorize: yes },
    },
    sends: { said: { schema: said }, gone: { schema: { type: 'object' }, reply: { type: 'boolean' } } },
  },
}

/** The policy of a server, as a lock file has it. */
export async function policyOf(
  { plugin, route, schema: asked = {} }: Server,
  more: Readonly<Record<string, object>> = {},
): Promise<Policy> {
  const app = Fastify()
  await app.register(secureWs, { authenticate: false, ...plugin })
  for (const [path, each] of Object.entries({ '/chat': route, ...more })) {
    Reflect.apply(app.get, app, [path, { websocket: true, schema: asked, secureWs: each }, () => {}])
  }
  const policy = app.secureWs.policy()
  await app.close()
  return JSON.parse(JSON.stringify(policy))
}

/** The base with other options of the plugin. */
export const plugin = (options: Partial<SecureWsOptions>): Server => ({
  ...base,
  plugin: { ...base.plugin, ...options },
})

/** The base with other options of the route; `undefined` takes one away. */
export const route = (options: Readonly<Record<string, unknown>>): Server => ({
  ...base,
  route: { ...base.route, ...options },
})

const receives = base.route.receives as Readonly<Record<string, Readonly<Record<string, unknown>>>>

/** The base with another rule for `say`. */
export const rule = (options: Readonly<Record<string, unknown>>): Server =>
  route({ receives: { ...receives, say: { ...receives.say, ...options } } })

/** The base with another schema of `say`. */
export const schema = (options: Readonly<Record<string, unknown>>): Server => rule({ schema: { ...say, ...options } })
