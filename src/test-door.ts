import { handOutSession } from './authentication/test-session.ts'
import type { Session } from './session/session.ts'

/**
 * The name under which the test kit finds the plugin on an HTTP server: the kit is a module of its own, and a plugin that was
 * registered in an inner context decorates nothing that the kit can see.
 */
const door = Symbol.for('fastify-secure-ws: test door')

/** The part of the plugin that is there for `fastify-secure-ws/testing`. No request reaches it. */
export interface TestDoor {
  /** The header line with which a client is this session. */
  signIn(session: Session): Readonly<Record<string, string>>
  /** The policy in force on each route, as `app.secureWs.explain()` has it. */
  explain(): readonly object[]
}

export function addTestDoor(server: object, explain: TestDoor['explain']): void {
  const opened: TestDoor = { signIn: (session) => handOutSession(server, session), explain }
  Object.defineProperty(server, door, { value: opened })
}
