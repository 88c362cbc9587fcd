import { createHmac } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import type { Session } from '../session/session.ts'
import { doorOf } from './door.ts'

/**
 * Signs a client of your test in: the header line that it returns makes every request that carries it this session, by whichever
 * authenticator the application has. `socket.session` is the object that was handed over. The session holds until it expires
 * (`expiresAt`), is revoked, or the process ends; the application's own `load` and `revalidate` are not asked.
 *
 *     const ada = await signIn(app, { id: 's1', userId: 'ada' })
 *     await connect(app, '/chat', { headers: ada })
 *     await app.inject({ method: 'POST', url: '/logout', headers: ada })
 *
 * @throws Error when the application has no fastify-secure-ws, or was made with `NODE_ENV=production`
 */
export async function signIn(app: FastifyInstance, session: Session): Promise<Readonly<Record<string, string>>> {
  await app.ready()
  const door = doorOf(app)
  if (door !== undefined) return door.signIn(session)
  throw new Error(
    'signIn: this application has no fastify-secure-ws, or NODE_ENV was "production" when it was registered: nobody here knows sessions of a test. Register the plugin without it, or sign in as a visitor does (`app.inject({ method: "POST", url: "/sign-in" })`) and hand over `headers: { cookie }`.',
  )
}

/** The cookie that `cookieSession` was told to expect. */
export interface SignedCookieOptions {
  /** The `secret` of `cookieSession`; of a list the first. */
  readonly secret: string | Buffer
  /** The name of the cookie. Default `__Host-session`. */
  readonly name?: string
  /** As the option `cookie.signs` of `cookieSession`. Default `'value'`. */
  readonly signs?: 'value' | 'name-and-value'
}

/**
 * A session cookie as `cookieSession` sets it and `@fastify/cookie` signs it, for the header `cookie`. For a test of your own `load`;
 * `signIn` needs neither a secret nor a store.
 */
export function signedCookie(
  id: string,
  { secret, name = '__Host-session', signs = 'value' }: SignedCookieOptions,
): string {
  const covered = signs === 'value' ? id : `${name}=${id}`
  const signature = createHmac('sha256', Buffer.from(secret)).update(covered).digest('base64').replaceAll('=', '')
  return `${name}=${encodeURIComponent(`${id}.${signature}`)}`
}
