import type { AskAgain } from '../session/identity.ts'
import type { Session } from '../session/session.ts'

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
  if (isPromise(found)) return Promise.resolve(found).then((session) => wrapped(session, facts))
  return wrapped(found, facts)
}

/** The session inside an answer of any authenticator. */
export function bareSession(found: KnownSession | Found): Found {
  return found instanceof KnownSession ? found.session : found
}

function wrapped(found: Found, facts: KnownFacts): KnownSession | null {
  return found === null || found === undefined ? null : new KnownSession(found, facts)
}

function isPromise(found: Found | PromiseLike<Found>): found is PromiseLike<Found> {
  return typeof found === 'object' && found !== null && 'then' in found && typeof found.then === 'function'
}
