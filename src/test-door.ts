import { handOutSession } from './authentication/test-session.ts'
import type { ContractRoute } from './contract/contract.ts'
import type { SecureWsInstance } from './decorator.ts'
import type { Session } from './session/session.ts'

/**
 * The name under which the test kit finds the plugin on an HTTP server: the kit is a module of its own, and a plugin that was
 * registered in an inner context decorates nothing that the kit can see.
 */
const door = Symbol.for('fastify-secure-ws: test door')

/** The part of the plugin that is there for `fastify-secure-ws/testing`. No request reaches it. */
export interface TestDoor extends Pick<SecureWsInstance, 'explain' | 'revoke'> {
  /** The header line with which a client is this session. */
  signIn(session: Session): Readonly<Record<string, string>>
  /** Each route as it was declared, with its schemas; in the order of `explain()`. */
  describe(): readonly DoorRoute[]
}

export interface DoorRoute extends ContractRoute {
  /** The sockets are another server's, behind a guard. */
  readonly passesOn: boolean
}

/** Never in production: there nobody tests, and a session is what an authenticator has found. */
export function addTestDoor(
  server: object,
  { explain, revoke }: Pick<SecureWsInstance, 'explain' | 'revoke'>,
  routes: readonly { readonly passesOn?: boolean; describe(): ContractRoute }[],
): void {
  if (process.env.NODE_ENV === 'production') return
  const opened: TestDoor = {
    signIn: (session) => handOutSession(server, session),
    describe: () => routes.map((route) => ({ ...route.describe(), passesOn: route.passesOn === true })),
    explain,
    revoke,
  }
  Object.defineProperty(server, door, { value: opened })
}
