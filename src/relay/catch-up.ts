import { setImmediate as turn } from 'node:timers/promises'
import type { Denial, DenialLedger, DenialStore } from '../session/denials.ts'

export interface CatchUpOptions {
  readonly store: DenialStore | undefined
  readonly ledger: DenialLedger
  readonly now: () => number
  /** Denials the store has. */
  readonly learn: (denials: readonly Denial[]) => void
  /** Denials the store had not. */
  readonly tell: (denials: readonly Denial[]) => void
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
  /** Denials that the store has refused and has not taken since. */
  const refused = new Map<string, Denial>()

  const reconcile = async (): Promise<void> => {
    if (store === undefined) return
    // Before the look, so that a denial refused during it is not forgotten.
    behind = false
    try {
      const answer = await store.since(undefined)
      const kept = new Map(answer.denials.map((denial) => [`${denial.kind}:${denial.id}`, denial]))
      await inBatches(answer.denials, learn)
      const missing = ledger.all(now()).filter((mine) => {
        const theirs = kept.get(`${mine.kind}:${mine.id}`)
        return theirs === undefined || theirs.at < mine.at || theirs.until < mine.until
      })
      await inBatches(missing, (some) => store.deny(...some))
      for (const denial of missing) refused.delete(`${denial.kind}:${denial.id}`)
      // A node that came up in between has caught up with an empty store: it must hear what was missing.
      await inBatches(missing, tell)
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
      await inBatches(answer.denials, learn)
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
        await inBatches(rest, (some) => store?.deny(...some))
      } catch {
        return rest.length
      }
      tell(rest)
      return 0
    },
  }
}

const batch = 500

/** Some at a time, and the loop in between: a store that comes back empty must not stop everything else. */
async function inBatches(denials: readonly Denial[], step: (some: readonly Denial[]) => unknown): Promise<void> {
  for (let from = 0; from < denials.length; from += batch) {
    await step(denials.slice(from, from + batch))
    if (from + batch < denials.length) await turn()
  }
}
