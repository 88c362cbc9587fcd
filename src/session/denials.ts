import { hash } from 'node:crypto'

/**
 * One revocation. `session` and `token`: refused until `until`. `user`: every session of the account that was authenticated
 * at or before `at` is refused until `until`; signing in again afterwards works, unless `at` is `until` (a ban).
 */
export interface Denial {
  readonly kind: 'session' | 'user' | 'token'
  /** SHA-256 of the session, user or token id, base64url. What is kept in Redis or sent to other nodes opens nothing. */
  readonly id: string
  /** Milliseconds since the epoch. */
  readonly at: number
  /** Milliseconds since the epoch: as long as a credential could still be accepted without this denial. */
  readonly until: number
}

/** Who is asking: the members of a session that a denial can hit. */
export interface DenialSubject {
  readonly sessionId?: string | undefined
  readonly userId?: string | undefined
  readonly tokenId?: string | undefined
  readonly authenticatedAt?: number | undefined
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
  isDenied(subject: DenialSubject): Promise<boolean>
}

export const denialKinds = ['session', 'user', 'token'] as const

/** `session:<digest>`: names an identity in maps, stores and envelopes without showing it. */
export function denialKey(kind: Denial['kind'], rawId: string): string {
  return `${kind}:${digest(rawId)}`
}

export function denialOf(kind: Denial['kind'], rawId: string, at: number, until: number): Denial {
  return { kind, id: digest(rawId), at, until }
}

/** The keys under which a denial of this subject would be found. */
export function denialKeys(subject: DenialSubject): string[] {
  const keys: string[] = []
  if (subject.sessionId !== undefined) keys.push(denialKey('session', subject.sessionId))
  if (subject.userId !== undefined) keys.push(denialKey('user', subject.userId))
  if (subject.tokenId !== undefined) keys.push(denialKey('token', subject.tokenId))
  return keys
}

/**
 * A denied user may sign in again, so a denial of a user hits the sessions that were authenticated no later than it; one
 * whose `at` is its `until` is a ban, and hits them all. A session that does not say when it was authenticated cannot be
 * told from a new one: only a ban hits it, besides the denials of those very sessions that nodes with its sockets add.
 * A ban lasts as long as its `at` lies ahead: added to an earlier log-out that is kept for longer, it is still one.
 */
export function isHitBy(denial: Denial, authenticatedAt: number | undefined, now: number): boolean {
  if (denial.until <= now) return false
  if (denial.kind !== 'user' || now < denial.at) return true
  return authenticatedAt !== undefined && authenticatedAt <= denial.at
}

/** What one node knows by heart: asked on every handshake without waiting, and put back into a store that lost it. */
export interface DenialLedger {
  /** True if it says more than what was known. */
  put(denial: Denial, now: number): boolean
  find(subject: DenialSubject, now: number): Denial | undefined
  all(now: number): Denial[]
  readonly size: number
}

export function createDenialLedger(): DenialLedger {
  const known = new Map<string, Denial>()
  let sweepAt = 1024
  const sweep = (now: number) => {
    for (const [key, denial] of known) if (denial.until <= now) known.delete(key)
    sweepAt = Math.max(1024, known.size * 2)
  }
  return {
    put(denial, now) {
      const key = `${denial.kind}:${denial.id}`
      const before = known.get(key)
      if (before !== undefined && before.at >= denial.at && before.until >= denial.until) return false
      known.set(key, before === undefined ? denial : later(before, denial))
      // Amortised: the ledger never holds more than twice what was in force at the last sweep.
      if (known.size > sweepAt) sweep(now)
      return true
    },
    find(subject, now) {
      // Nearly always: then no id has to be digested.
      if (known.size === 0) return undefined
      for (const key of denialKeys(subject)) {
        const denial = known.get(key)
        if (denial !== undefined && isHitBy(denial, subject.authenticatedAt, now)) return denial
      }
      return undefined
    },
    all(now) {
      sweep(now)
      return [...known.values()]
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

function digest(rawId: string): string {
  return hash('sha256', rawId, 'base64url')
}
