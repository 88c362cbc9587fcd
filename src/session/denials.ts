import { digestOf, type IdentityKind, identityKey, identityKinds } from './identity.ts'

/**
 * A revocation. `session` and `token`: refused until `until`. `user`: every session of the account that was authenticated
 * at or before `at` is refused until `until`; signing in again afterwards works, unless `at` is `until` (a ban).
 */
export interface Denial {
  /** The name that `id` is the digest of. */
  readonly kind: IdentityKind
  /** SHA-256 of the session, user or token id, base64url. What is kept in Redis or sent to other nodes opens nothing. */
  readonly id: string
  /** Milliseconds since the epoch. */
  readonly at: number
  /** Milliseconds since the epoch: as long as a credential could still be accepted without this denial. */
  readonly until: number
}

/** The members of a session that a denial can hit. */
export interface DenialSubject {
  /** `session.id`. */
  readonly sessionId?: string | undefined
  /** `session.userId`. */
  readonly userId?: string | undefined
  /** `session.tokenId`. */
  readonly tokenId?: string | undefined
  /** `session.authenticatedAt`. */
  readonly authenticatedAt?: number | undefined
  /** A time at which the credential already existed. */
  readonly issuedAt?: number | undefined
  /** The three as `denialKeys` makes them, where they were made before. */
  readonly keys?: readonly string[]
}

/** Some of the denials in a store. */
export interface DenialPage {
  /** At most 250 or so, in no promised order. */
  readonly denials: readonly Denial[]
  /** Keys (`kind:id`) under which the store has something that was not written by a node, or cannot be read. */
  readonly refused?: readonly string[]
  /** Keys of denials in `denials` that are to be put there again: their signature is one that will not be known for ever. */
  readonly outdated?: ReadonlySet<string>
  /** Where these end. */
  readonly cursor: string
  /** Whether there are more behind them. */
  readonly more: boolean
  /** The store no longer knows the cursor it was asked for (it was emptied, or is damaged): read it from the beginning. */
  readonly reset: boolean
  /** The store was created or repaired a moment ago: other nodes may be putting back what it had before. */
  readonly young?: boolean
  /** The whole set; absent where it cannot be said. Without it a loss that the cursor does not show stays unseen. */
  readonly kept?: KeptDenials
}

/** Count and digest of a set of denials: two sets that say the same are the same. */
export interface KeptDenials {
  /** How many. */
  readonly count: number
  /** `<a> <b>`: the first two 32-bit numbers, signed, of the SHA-1 of `kind:id=at:until`, each XORed over all of them. */
  readonly digest: string
  /** The time of the store: what ends no later is not in it. In ms since the epoch. */
  readonly asOf: number
}

/** Denials that outlive a node. */
export interface DenialStore {
  /** Kept until each one's `until`. Putting the same one twice keeps the later `at` and `until`. */
  deny(...denials: readonly Denial[]): Promise<void>
  /**
   * The denials still in force that came after `cursor` (all of them without one), some at a time: where `more` is true, ask
   * again with the `cursor` of this answer.
   */
  since(cursor: string | undefined): Promise<DenialPage>
}

export const denialKinds = identityKinds

export function denialOf(kind: Denial['kind'], rawId: string, at: number, until: number): Denial {
  return { kind, id: digestOf(rawId), at, until }
}

/** The keys under which a denial of this subject would be found. */
export function denialKeys(subject: DenialSubject): readonly string[] {
  if (subject.keys !== undefined) return subject.keys
  const keys: string[] = []
  if (subject.sessionId !== undefined) keys.push(identityKey('session', subject.sessionId))
  if (subject.userId !== undefined) keys.push(identityKey('user', subject.userId))
  if (subject.tokenId !== undefined) keys.push(identityKey('token', subject.tokenId))
  return keys
}

/** Most that two clocks may differ where nobody said so, in ms. */
export const defaultClockSkew = 30_000
/** A time further ahead of ours than this was not read from a clock that agrees with ours. */
const tolerance = 1_000

/**
 * A denied user may sign in again, so a denial of a user hits the sessions that were authenticated no later than it; one
 * whose `at` is its `until` is a ban, and hits them all. A session that does not say when it was authenticated is as old as
 * its credential; where nobody knows that either, it cannot be told from a new one: only a ban hits it, besides the denials
 * of those very sessions that nodes with its sockets add. A time that lies ahead of our own clock comes from one that is
 * ahead of ours: until it has come, `clockSkew` is taken off, or a log-out would miss who signed in just before it.
 * A ban lasts as long as its `at` lies ahead: added to an earlier log-out that is kept for longer, it is still one.
 */
export function isHitBy(
  denial: Denial,
  { authenticatedAt, issuedAt }: Pick<DenialSubject, 'authenticatedAt' | 'issuedAt'>,
  now: number,
  clockSkew = defaultClockSkew,
): boolean {
  if (denial.until <= now) return false
  if (denial.kind !== 'user' || now < denial.at) return true
  const since = authenticatedAt ?? issuedAt
  if (since === undefined) return false
  return (since > now + tolerance ? since - clockSkew : since) <= denial.at
}

/**
 * Does a denial that is in force hit a socket that is open? Whoever is connected now is: what counts is when this node
 * opened the socket, not what another machine's clock says about the session. Spared are those that came later than the
 * denial by more than two nodes' clocks may differ.
 */
export function hitsOpenSocket(
  denial: Denial,
  { authenticatedAt, issuedAt }: Pick<DenialSubject, 'authenticatedAt' | 'issuedAt'>,
  openedAt: number,
  clockSkew = defaultClockSkew,
): boolean {
  return denial.kind !== 'user' || Math.min(authenticatedAt ?? issuedAt ?? openedAt, openedAt) <= denial.at + clockSkew
}

/** The denial that a key (`session:<digest>`) names. */
export function denialOfKey(key: string, at: number, until: number): Denial | undefined {
  const colon = key.indexOf(':')
  const kind = denialKinds.find((name) => name === key.slice(0, colon))
  return kind && { kind, id: key.slice(colon + 1), at, until }
}
