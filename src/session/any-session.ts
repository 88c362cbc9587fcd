import type { Session } from './session.ts'

/**
 * An `authorize` for a route or a message type: everybody who is signed in may. With `denyByDefault` each of them has an
 * `authorize`, and this one says that nobody was forgotten.
 */
export function anySession(session: Session | null): boolean {
  return session !== null
}
