import { hash } from 'node:crypto'
import { type Denial, type DenialSubject, denialKeys, denialOfKey, isHitBy, type KeptDenials } from './denials.ts'

/** A revocation as a node keeps it, without its name, which is the key. */
interface Heard {
  at: number
  until: number
  /** In ms of `uptime`. */
  heardAt: number
  /** The last comparison in which the store had it as it is here. */
  pass: number
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
  /** Count and digest of what is in force at `asOf`, as a store says them. */
  kept(asOf: number, now: number): Pick<KeptDenials, 'count' | 'digest'>
  /** Begins a comparison with a store: nothing is `matched` yet. */
  compare(): void
  /** The store has this one. Counts only where it says as much as is known here. */
  match(denial: Denial): void
  /** What the store has not, `most` at a time, judged when each list is asked for. */
  unmatched(now: number, most: number): Generator<readonly Denial[], void>
  readonly size: number
}

/** Many small maps, because one that grows to a million entries stands still while it is made larger. */
const shards = 64

/** Two halves of 32 bits. SHA-1, because a script in Redis knows no other; it defends nothing. */
export function denialMark(key: string, at: number, until: number): readonly [number, number] {
  const digest = hash('sha1', `${key}=${at}:${until}`, 'buffer')
  return [digest.readInt32BE(0), digest.readInt32BE(4)]
}

/** @param uptime a clock that nobody can set: what was heard during a handshake stays so, whatever becomes of the date */
export function createDenialLedger(clockSkew = 30_000, uptime = () => performance.now()): DenialLedger {
  const maps = Array.from({ length: shards }, () => new Map<string, Heard>())
  /** For each map a time before which nothing in it ends. */
  const firstEnds = new Float64Array(shards).fill(Number.POSITIVE_INFINITY)
  let size = 0
  let high = 0
  let low = 0
  let pass = 0
  let sweptAt = 1024

  const shardOf = (key: string): number =>
    (key.charCodeAt(key.indexOf(':') + 1) * 31 + key.charCodeAt(key.length - 2)) % shards

  const toggle = (key: string, { at, until }: Pick<Heard, 'at' | 'until'>): void => {
    const [one, two] = denialMark(key, at, until)
    high ^= one
    low ^= two
  }

  /** Kept for a little longer than it is in force: a store whose clock is behind ours counts it still. */
  const sweep = (now: number): void => {
    const before = now - clockSkew
    for (const [index, map] of maps.entries()) {
      if ((firstEnds[index] ?? 0) > before) continue
      let next = Number.POSITIVE_INFINITY
      for (const [key, heard] of map) {
        if (heard.until > before) {
          next = Math.min(next, heard.until)
          continue
        }
        map.delete(key)
        toggle(key, heard)
        size--
      }
      firstEnds[index] = next
    }
    sweptAt = Math.max(1024, size * 2)
  }

  return {
    put(denial, now) {
      const key = `${denial.kind}:${denial.id}`
      const index = shardOf(key)
      const map = maps[index]
      const known = map?.get(key)
      if (known !== undefined) {
        if (known.at >= denial.at && known.until >= denial.until) return false
        toggle(key, known)
        known.at = Math.max(known.at, denial.at)
        known.until = Math.max(known.until, denial.until)
        known.heardAt = uptime()
        known.pass = -1
        toggle(key, known)
        return true
      }
      map?.set(key, { at: denial.at, until: denial.until, heardAt: uptime(), pass: -1 })
      toggle(key, denial)
      size++
      firstEnds[index] = Math.min(firstEnds[index] ?? 0, denial.until)
      // Amortised: the ledger never holds more than twice what was in force at the last sweep.
      if (size > sweptAt) sweep(now)
      return true
    },
    find(subject, now, since) {
      // Nearly always: then no id has to be digested.
      if (size === 0) return undefined
      for (const key of denialKeys(subject)) {
        const heard = maps[shardOf(key)]?.get(key)
        const denial = heard && denialOfKey(key, heard.at, heard.until)
        if (heard === undefined || denial === undefined) continue
        if (isHitBy(denial, subject, now, clockSkew)) return denial
        const undated = subject.authenticatedAt === undefined && since !== undefined
        if (undated && since <= heard.heardAt && denial.until > now) return denial
      }
      return undefined
    },
    all(now) {
      sweep(now)
      const denials: Denial[] = []
      for (const map of maps) {
        for (const [key, { at, until }] of map) {
          const denial = until > now ? denialOfKey(key, at, until) : undefined
          if (denial !== undefined) denials.push(denial)
        }
      }
      return denials
    },
    kept(asOf, now) {
      sweep(Math.min(asOf, now))
      let [count, one, two] = [size, high, low]
      for (const [index, map] of maps.entries()) {
        if ((firstEnds[index] ?? 0) > asOf) continue
        for (const [key, { at, until }] of map) {
          if (until > asOf) continue
          const mark = denialMark(key, at, until)
          count--
          one ^= mark[0]
          two ^= mark[1]
        }
      }
      return { count, digest: `${one} ${two}` }
    },
    compare() {
      pass++
    },
    match({ kind, id, at, until }) {
      const key = `${kind}:${id}`
      const known = maps[shardOf(key)]?.get(key)
      if (known !== undefined && known.at <= at && known.until <= until) known.pass = pass
    },
    *unmatched(now, most) {
      // Each node begins elsewhere: several that fill one store share the work.
      const first = Math.floor(Math.random() * shards)
      let some: Denial[] = []
      for (let turn = 0; turn < shards; turn++) {
        for (const [key, heard] of maps[(first + turn) % shards] ?? []) {
          const denial = heard.pass !== pass && heard.until > now ? denialOfKey(key, heard.at, heard.until) : undefined
          if (denial === undefined) continue
          some.push(denial)
          if (some.length < most) continue
          yield some
          some = []
        }
      }
      if (some.length > 0) yield some
    },
    get size() {
      return size
    },
  }
}
