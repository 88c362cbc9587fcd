import type { AskAgain } from '../session/identity.ts'
import type { Session } from '../session/session.ts'
import { after, isThenable } from '../thenable.ts'

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
  /** What `facts.askAgain` is told besides. */
  readonly named: string | undefined

  constructor(session: Session, facts: KnownFacts, named?: string) {
    this.session = session
    this.facts = facts
    this.named = named
  }
}

type Found = Session | null | undefined

/**
 * The answer of a store, with what is known about it; "nobody" stays what it is.
 *
 * @param named what `facts.askAgain` is told besides
 */
export function known(
  found: Found | PromiseLike<Found>,
  facts: KnownFacts,
  named?: string,
): KnownSession | null | Promise<KnownSession | null> {
  return isThenable(found) ? knownLater(found, facts, named) : knownNow(found, facts, named)
}

function knownLater(found: PromiseLike<Found>, facts: KnownFacts, named: string | undefined) {
  return after(found, (session) => knownNow(session, facts, named))
}

function knownNow(session: Found, facts: KnownFacts, named: string | undefined): KnownSession | null {
  return session === null || session === undefined ? null : new KnownSession(session, facts, named)
}

/** The session inside an answer of any authenticator. */
export function bareSession(found: KnownSession | Found): Found {
  return found instanceof KnownSession ? found.session : found
}
