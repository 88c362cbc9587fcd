import { type AskAgain, type Identity, isSameIdentity, readIdentity, type SignedIn } from '../session/identity.ts'
import type { Session } from '../session/session.ts'
import { RefusedCredential } from './credential.ts'
import { KnownSession } from './known-session.ts'

/**
 * What an authenticator returned, once it is known to be a session. Anything that is neither a session nor "none"
 * (`null`, `undefined`) is refused rather than repaired: `true` is not somebody.
 *
 * @param askAgain for an answer that does not bring a question of its own; `named` is what it is told besides
 * @param issuedAt for an answer that does not know
 * @throws RefusedCredential when it is no session, or one that has expired.
 */
export function checkedSession(
  found: unknown,
  now: number,
  askAgain?: AskAgain,
  issuedAt?: number,
  named?: string,
): SignedIn | null {
  if (found === null || found === undefined) return null
  const facts = found instanceof KnownSession ? found.facts : undefined
  const session = found instanceof KnownSession ? found.session : found
  const identity = readIdentity(session, facts?.issuedAt ?? issuedAt)
  if (typeof identity === 'string') throw new RefusedCredential(`what was returned is no session: ${identity}`)
  if (isExpired(identity, now)) throw new RefusedCredential('the session has expired (`expiresAt` is in milliseconds)')
  // `readIdentity` has looked at every member that the type promises.
  if (!(found instanceof KnownSession) || found.facts.askAgain === undefined) {
    return { session: session as Session, identity, askAgain, named }
  }
  // Nearly always the id: what was cut out of a header would keep the whole of it.
  const name = found.named === identity.sessionId ? identity.sessionId : found.named
  return { session: session as Session, identity, askAgain: found.facts.askAgain, named: name }
}

/**
 * The same session after a plain "yes": its times may have been moved in place, so they are read again. Whom it belongs to
 * may not: where the object now says somebody else, or nonsense, the copy counts.
 */
export function continuedAsItWas({ session, identity, askAgain, named }: SignedIn, now: number): SignedIn | null {
  const read = readIdentity(session, identity.issuedAt)
  const continued = typeof read === 'string' || !isSameIdentity(identity, read) ? identity : read
  return isExpired(continued, now) ? null : { session, identity: continued, askAgain, named }
}

export function isExpired({ expiresAt }: Identity, now: number): boolean {
  return expiresAt !== undefined && expiresAt <= now
}
