import assert from 'node:assert/strict'
import { type Identity, readIdentity, type SignedIn } from '../../src/session/identity.ts'
import type { Session } from '../../src/session/session.ts'

/** The copy of who a session belongs to, as it is made where the session is accepted. */
export function identityOf(session: unknown, issuedAt?: number): Identity {
  const identity = readIdentity(session, issuedAt)
  assert.ok(typeof identity === 'object', String(identity))
  return identity
}

/** A session as it was accepted, with the question that travels with it. */
export function acceptedAs(session: Session, askAgain?: SignedIn['askAgain']): SignedIn {
  return { session, identity: identityOf(session), askAgain }
}
