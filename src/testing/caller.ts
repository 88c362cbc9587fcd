import type { FastifyInstance } from 'fastify'
import type { Session } from '../session/session.ts'
import { doorOf, type ExplainedRoute, explainedAt } from './door.ts'
import { signIn } from './sign-in.ts'

/** The client that a test plays, as the handshake shows it. */
export interface CallerOptions {
  /** The session to have, as if an authenticator had found it: see `signIn`. Default: none. */
  readonly session?: Session
  /**
   * The `Origin`; `null` sends none. Default: an origin that the route admits, or `https://localhost` where it names none.
   */
  readonly origin?: string | null
  /** The `Host`. Default: that of `origin`, or the first of the route's `hosts` where that is another. */
  readonly host?: string
  /** `cookie`, `authorization` and the like. Default: none. */
  readonly headers?: Readonly<Record<string, string>>
  /** Sub-protocols to offer. Default: none. */
  readonly protocols?: readonly string[]
  /** Whether the server sees TLS. Default true. */
  readonly encrypted?: boolean
  /** The address of the client. Default `127.0.0.1`. */
  readonly address?: string
}

/** The same, finished. */
export interface Caller {
  readonly path: string
  readonly origin: string | null
  readonly host: string
  readonly headers: Readonly<Record<string, string>>
  readonly protocols: readonly string[]
  readonly encrypted: boolean
  readonly address: string
  readonly session: Session | undefined
}

export async function callerOf(app: FastifyInstance, path: string, options: CallerOptions): Promise<Caller> {
  await app.ready()
  const route = explainedAt(app, path)
  // The same origin of a server that is reached without TLS is one without TLS.
  const scheme = doorOf(app) === undefined || options.encrypted === false ? 'http' : 'https'
  const origin = options.origin === undefined ? originFor(route, scheme) : options.origin
  const { session, headers = {}, protocols = [], encrypted = true, address = '127.0.0.1' } = options
  return {
    path,
    origin,
    host: options.host ?? hostFor(route, origin),
    headers: session === undefined ? headers : { ...headers, ...(await signIn(app, session)) },
    protocols,
    encrypted,
    address,
    session,
  }
}

function originFor(route: ExplainedRoute | undefined, scheme: string): string {
  const { origins } = route ?? {}
  if (typeof origins === 'object') {
    const listed = origins.find((each) => /^https?:/.test(each)) ?? origins[0]
    if (listed !== undefined) return listed.replace(/\*\*?\./, 'www.')
  }
  const [name] = namesOf(route)
  return `${scheme}://${name ?? 'localhost'}`
}

function hostFor(route: ExplainedRoute | undefined, origin: string | null): string {
  const names = namesOf(route)
  const own = origin !== null && URL.canParse(origin) ? new URL(origin).host : ''
  // A page of another origin comes to this server's name: its own would be a rebound one, which is refused before its origin is.
  return names.includes(own) || loopback.test(own) ? own : (names[0] ?? 'localhost')
}

const loopback = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?$/

/** Without the names of the loopback address, which stand in the list as `localhost:*`. */
function namesOf(route: ExplainedRoute | undefined): string[] {
  return (route?.hosts ?? []).filter((name) => !name.endsWith(':*'))
}
