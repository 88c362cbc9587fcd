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

/** Denials that outlive a node. */
export interface DenialStore {
  /** Kept until each one's `until`. Putting the same one twice keeps the later `at` and `until`. */
  deny(...denials: readonly Denial[]): Promise<void>
  /**
   * Every denial still in force that came after `cursor` (all of them without one). `reset`: the store no longer knows that
   * cursor (it was emptied), or has nothing at all: these are all it has, and the caller should put back what it still knows.
   */
  since(
    cursor: string | undefined,
  ): Promise<{ readonly denials: readonly Denial[]; readonly cursor: string; readonly reset: boolean }>
  /** Whether a denial in force hits this subject. */
  isDenied(subject: DenialSubject): Promise<boolean>
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

/** What one node knows by heart: asked on every handshake without waiting, and put back into a store that lost it. */
export interface DenialLedger {
  /** True if it says more than what was known. */
  put(denial: Denial, now: number): boolean
  /**
   * @param since when the handshake began that showed this subject, by the ledger's `uptime`. One that does not say when it was authenticated is at
   * least as old as that: a log-out heard in between hits it.
   */
  find(subject: DenialSubject, now: number, since?: number): Denial | undefined
  all(now: number): Denial[]
  readonly size: number
}

interface Heard {
  readonly denial: Denial
  /** In ms of `uptime`. */
  readonly heardAt: number
}

/** @param uptime a clock that nobody can set: what was heard during a handshake stays so, whatever becomes of the date */
export function createDenialLedger(clockSkew = defaultClockSkew, uptime = () => performance.now()): DenialLedger {
  const known = new Map<string, Heard>()
  let sweepAt = 1024
  const sweep = (now: number) => {
    for (const [key, { denial }] of known) if (denial.until <= now) known.delete(key)
    sweepAt = Math.max(1024, known.size * 2)
  }
  return {
    put(denial, now) {
      const key = `${denial.kind}:${denial.id}`
      const before = known.get(key)?.denial
      if (before !== undefined && before.at >= denial.at && before.until >= denial.until) return false
      known.set(key, { denial: before === undefined ? denial : later(before, denial), heardAt: uptime() })
      // Amortised: the ledger never holds more than twice what was in force at the last sweep.
      if (known.size > sweepAt) sweep(now)
      return true
    },
    find(subject, now, since) {
      // Nearly always: then no id has to be digested.
      if (known.size === 0) return undefined
      for (const key of denialKeys(subject)) {
        const heard = known.get(key)
        if (heard === undefined) continue
        const { denial, heardAt } = heard
        if (isHitBy(denial, subject, now, clockSkew)) return denial
        const undated = subject.authenticatedAt === undefined && since !== undefined
        if (undated && since <= heardAt && denial.until > now) return denial
      }
      return undefined
    },
    all(now) {
      sweep(now)
      return Array.from(known.values(), ({ denial }) => denial)
    },
    get size() {
      return known.size
    },
  }
}

/** For one process: what the applications that share a `memoryBus()` have denied. */
export function memoryDenials(now: () => number = Date.now): DenialStore {
  const ledger = createDenialLedger()
  let log: Denial[] = []
  let ended = 0 // how many came before the log's first one
  let compactedAt = 0
  return {
    async deny(...denials) {
      const time = now()
      for (const denial of denials) if (ledger.put(denial, time)) log.push(denial)
      if (log.length <= 2 * ledger.size + 1024) return
      compactedAt = ended + log.length
      log = ledger.all(time)
      ended = compactedAt - log.length
    },
    async since(cursor) {
      const time = now()
      const position = Number(cursor ?? 0)
      // Compacting loses the order of arrival: a reader from before it is given everything again, never less.
      const from = position < compactedAt ? 0 : position - ended
      const denials = log.slice(from).filter((denial) => denial.until > time)
      return { denials, cursor: String(ended + log.length), reset: false }
    },
    async isDenied(subject) {
      return ledger.find(subject, now()) !== undefined
    },
  }
}

export function later(a: Denial, b: Denial): Denial {
  return { kind: b.kind, id: b.id, at: Math.max(a.at, b.at), until: Math.max(a.until, b.until) }
}
