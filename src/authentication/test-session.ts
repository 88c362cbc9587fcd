import { randomBytes } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import type { Session } from '../session/session.ts'

/** The header with which a test is somebody. */
export const testSessionHeader = 'secure-ws-test-session'

/**
 * Sessions that the process itself has handed out for a test, by server and by a name of 256 random bits. Nothing is read from a
 * request before the first one: a server in production has none, and whoever could add one runs code in it already.
 */
const handedOut = new WeakMap<object, Map<string, Session>>()
let anyHandedOut = false

/** Makes the header line with which any client of this server is this session, until the process ends. */
export function handOutSession(server: object, session: Session): Readonly<Record<string, string>> {
  anyHandedOut = true
  const sessions = handedOut.get(server) ?? new Map<string, Session>()
  handedOut.set(server, sessions)
  const name = randomBytes(32).toString('base64url')
  sessions.set(name, session)
  return { [testSessionHeader]: name }
}

/** The session of a request that a test has sent; `undefined` for all others. */
export function testSession(request: FastifyRequest): Session | undefined {
  if (!anyHandedOut) return undefined
  const name = request.headers[testSessionHeader]
  return typeof name === 'string' ? handedOut.get(request.server.server)?.get(name) : undefined
}
