import type { AskAgain } from '../session/identity.ts'
import type { Session } from '../session/session.ts'
import { after } from '../thenable.ts'

/** Facts that an authenticator knows about a session besides its members. */
export interface KnownFacts {
  readonly askAgain?: AskAgain | undefined
  /** A time at which the credential already existed, ms since the epoch. */
  readonly issuedAt?: number | undefined
}

/**
 * A session together with what only its authenticator knows. Our authenticators answer with it in the place of a bare
 * session, so that the knowledge travels with the connection: a store may hand out a fresh object each time it is asked.
 */
export class KnownSession {
  readonly session: Session
  readonly facts: KnownFacts

  constructor(session: Session, facts: KnownFacts) {
    this.session = session
    this.facts = facts
  }
}

type Found = Session | null | undefined

/** The answer of a store, with what is known about it; "nobody" stays what it is. */
export function known(
  found: Found | PromiseLike<Found>,
  facts: KnownFacts,
): KnownSession | null | Promise<KnownSession | null> {
  return after(found, (session) =>
    session === null || session === undefined ? null : new KnownSession(session, facts),
  )
}

/** The session inside an answer of any authenticator. */
export function bareSession(found: KnownSession | Found): Found {
  return found instanceof KnownSession ? found.session : found
}
