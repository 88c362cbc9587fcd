import type { Denial, DenialLedger, DenialStore } from '../session/denials.ts'

export interface CatchUpOptions {
  readonly store: DenialStore | undefined
  readonly ledger: DenialLedger
  readonly now: () => number
  /** A denial the store has. */
  readonly learn: (denial: Denial) => void
  /** A denial the store had not. */
  readonly tell: (denial: Denial) => void
}

/** Keeping what this node knows and what the store holds the same, in both directions. */
export interface CatchUp {
  /** What the store has heard of since the last time. */
  read(): Promise<void>
  /** Everything the store has, and into the store everything it has not: it was emptied, failed over, or away. */
  reconcile(): Promise<void>
  /** The store refused a denial that is in force here: the next `read` puts it there. */
  missed(denial: Denial): void
  /** How many the store has refused and not taken since. */
  readonly unstored: number
  /** Puts there what it has refused, and returns how many it refuses still. Never rejects. */
  storeMissed(): Promise<number>
}

export function createCatchUp({ store, ledger, now, learn, tell }: CatchUpOptions): CatchUp {
  let cursor: string | undefined
  let behind = false
  /** What the store has refused and has not taken since. */
  const refused = new Map<string, Denial>()

  const reconcile = async (): Promise<void> => {
    if (store === undefined) return
    // Before the look, so that a denial refused during it is not forgotten.
    behind = false
    try {
      const answer = await store.since(undefined)
      const kept = new Map(answer.denials.map((denial) => [`${denial.kind}:${denial.id}`, denial]))
      for (const denial of answer.denials) learn(denial)
      const missing = ledger.all(now()).filter((mine) => {
        const theirs = kept.get(`${mine.kind}:${mine.id}`)
        return theirs === undefined || theirs.at < mine.at || theirs.until < mine.until
      })
      if (missing.length > 0) await store.deny(...missing)
      for (const denial of missing) refused.delete(`${denial.kind}:${denial.id}`)
      // A node that came up in between has caught up with an empty store: it must hear what was missing.
      for (const denial of missing) tell(denial)
      cursor = answer.cursor
    } catch (error) {
      behind = true
      throw error
    }
  }

  return {
    reconcile,
    async read() {
      if (store === undefined) return
      if (behind) return reconcile()
      const answer = await store.since(cursor)
      if (answer.reset) return reconcile()
      for (const denial of answer.denials) learn(denial)
      cursor = answer.cursor
    },
    missed(denial) {
      behind = true
      refused.set(`${denial.kind}:${denial.id}`, denial)
    },
    get unstored() {
      return refused.size
    },
    async storeMissed() {
      const rest = [...refused.values()].filter(({ until }) => until > now())
      if (rest.length === 0) return 0
      try {
        await store?.deny(...rest)
      } catch {
        return rest.length
      }
      for (const denial of rest) tell(denial)
      return 0
    },
  }
}
