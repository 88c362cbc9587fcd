import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import type { DenialLedger } from '../session/denial-ledger.ts'
import { type Denial, type DenialPage, type DenialStore, denialOfKey, type KeptDenials } from '../session/denials.ts'

export interface CatchUpOptions {
  readonly store: DenialStore | undefined
  readonly ledger: DenialLedger
  readonly now: () => number
  /** Denials the store has. */
  readonly learn: (denials: readonly Denial[]) => void
  /** Denials the store had refused, and has taken now. */
  readonly tell: (denials: readonly Denial[]) => void
  /** Asks the other nodes for what they know of these names. */
  readonly doubt: (names: readonly Denial[]) => void
  /** Putting back has failed: it is tried again with the next `read`. */
  readonly onFailure: (error: unknown) => void
}

/** Keeping what this node knows and what the store holds the same, in both directions. */
export interface CatchUp {
  /** What the store has heard of since the last time; everything, where count and digest say that something is amiss. */
  read(): Promise<void>
  /**
   * Everything the store has. What the store has not is put back afterwards: this node knows it, so nobody has to wait for it.
   */
  reconcile(): Promise<void>
  /** The store refused a denial that is in force here: the next `read` puts it there. */
  missed(denial: Denial): void
  /** Says and puts back what is known here of names that another node found overwritten. */
  answer(names: readonly Denial[]): void
  /** How many the store has refused and not taken since, or has lost and not got back yet. */
  readonly unstored: number
  /** True while the store is young: others may be putting back what this node never heard of. */
  readonly unsettled: boolean
  /** The last chance, without a rest: puts there what it has refused, and returns how many it refuses still. Never rejects. */
  storeMissed(): Promise<number>
  /** Puts nothing back any more, and resolves when nothing is under way. */
  stop(): Promise<void>
}

/** Denials put back at once: a millisecond of signing. */
const batch = 100
/** Names asked for at once; more than these were overwritten by somebody who could as well have emptied the store. */
const mostDoubts = 1_000
/** How long a node waits for what others know of them, in ms. */
const longestDoubt = 500
/** No difference, as `differenceOf` says it. */
const same = '0 0 0'
/** Batches between two looks at what other nodes have put back meanwhile. */
const batchesAtOnce = 10

export function createCatchUp(options: CatchUpOptions): CatchUp {
  const { store, ledger, now, learn, tell, doubt, onFailure } = options
  let cursor: string | undefined
  let behind = false
  /** How the store differed at the last look. */
  let differed = same
  /** The difference for which all was compared the last time. */
  let compared = same
  /** The difference that was still there afterwards. */
  let accepted = same
  /** This node is about to stop. */
  let isLast = false
  let stopped = false
  let unsettled = false
  let puttingBack: Promise<void> | undefined
  /** Names under which the store has what nobody of us wrote, and of which nothing is known here. */
  const doubted = new Set<string>()
  /** Denials that the store has refused and has not taken since. */
  const refused = new Map<string, Denial>()

  function missed(denial: Denial): void {
    refused.set(`${denial.kind}:${denial.id}`, denial)
  }

  /** From `from` to the end, one page at a time, with everything else in between. Returns the last page, or the one that no longer follows. */
  async function readFrom(from: string | undefined, denialsOf: DenialStore): Promise<DenialPage & { lost: boolean }> {
    let page = await denialsOf.since(from)
    let follows = from !== undefined
    let forged = 0
    const end = (lost: boolean) => {
      if (forged > 0) onFailure(new Error(`${forged} stored revocations refused: bad signature`))
      return { ...page, lost }
    }
    for (;;) {
      if (page.reset && follows) return end(true)
      follows = true
      unsettled = page.young ?? false
      learn(page.denials)
      const { outdated } = page
      for (const denial of page.denials) {
        // Put back as if it were not there: after the end of its key nobody could read it.
        if (outdated === undefined || !outdated.has(`${denial.kind}:${denial.id}`)) ledger.match(denial)
      }
      forged += page.refused?.length ?? 0
      for (const key of page.refused ?? []) {
        const known = ledger.known(key)
        if (known !== undefined) missed(known)
        else if (doubted.size < mostDoubts) doubted.add(key)
      }
      if (!page.more || stopped) return end(false)
      await turn()
      page = await denialsOf.since(page.cursor)
    }
  }

  async function reconcile(): Promise<void> {
    if (store === undefined) return
    await puttingBack
    // Before the look, so that a denial refused during it is not forgotten.
    behind = false
    differed = same
    try {
      ledger.compare()
      const page = await readFrom(undefined, store)
      if (page.lost) throw new Error('the store of revocations was emptied while it was read')
      cursor = page.cursor
    } catch (error) {
      behind = true
      throw error
    }
    inBackground(putBack(store))
    await answered()
  }

  /**
   * Somebody who can write to the store has overwritten revocations that this node never knew: they are asked for, and nobody
   * is admitted meanwhile. What nobody knows was never one of ours.
   */
  async function answered(): Promise<void> {
    const names = [...doubted]
    doubted.clear()
    if (names.length === 0) return
    doubt(names.flatMap((key) => denialOfKey(key, 0, 0) ?? []))
    for (let waited = 0; waited < longestDoubt && !stopped; waited += 20) {
      if (names.every((key) => ledger.known(key) !== undefined)) return
      await sleep(20, undefined, { ref: false })
    }
  }

  function inBackground(work: Promise<void>): void {
    puttingBack = work
      .catch((error: unknown) => {
        behind = true
        if (!stopped) onFailure(error)
      })
      .finally(() => {
        puttingBack = undefined
      })
  }

  /**
   * All nodes do this at once when a store comes back empty: each begins elsewhere, and looks again and again at what the
   * others have done. Nobody waits for it, so each step is followed by a rest as long as it took: half of the store, and of this
   * node, are left to everybody else.
   */
  async function putBack(into: DenialStore): Promise<void> {
    await storeRefused(into)
    let count = 0
    for (const some of ledger.unmatched(now(), batch)) {
      if (stopped) return
      const began = performance.now()
      await into.deny(...some)
      for (const denial of some) ledger.match(denial)
      if (++count % batchesAtOnce === 0) {
        const page = await readFrom(cursor, into)
        // Not whole yet, or emptied once more: what is known here goes on being put there, and is compared afterwards.
        if (page.lost) behind = true
        else cursor = page.cursor
      }
      await (isLast ? turn() : sleep(performance.now() - began))
    }
  }

  /** First, and told to everybody: this node is the only one that knows them. */
  async function storeRefused(into: DenialStore): Promise<void> {
    const rest = [...refused].filter(([, { until }]) => until > now())
    for (let from = 0; from < rest.length; from += batch) {
      const some = rest.slice(from, from + batch)
      const denials = some.map(([, denial]) => denial)
      await into.deny(...denials)
      // Refused once more meanwhile, and saying more than this: that one stays.
      for (const [key, denial] of some) if (refused.get(key) === denial) refused.delete(key)
      tell(denials)
    }
  }

  /**
   * True for a difference at two looks in a row: one may be a denial that is told, and about to be stored. What remains when
   * everything was compared (an entry that nobody can read, a count that somebody else has changed) is said once, and not
   * looked for again: it would be read from the beginning for ever.
   */
  function isAmiss(kept: DenialPage['kept']): boolean {
    if (kept === undefined || puttingBack !== undefined) return false
    const difference = differenceOf(ledger.kept(kept.asOf, now()), kept)
    const before = differed
    differed = difference === accepted ? same : difference
    if (differed === same || before === same) return false
    if (difference !== compared) {
      compared = difference
      return true
    }
    accepted = difference
    differed = same
    onFailure(
      new Error('the store of revocations holds something that cannot be read, or counts what it does not hold'),
    )
    return false
  }

  return {
    reconcile,
    async read() {
      if (store === undefined) return
      // It reads, too, and two at once would each move the cursor.
      if (puttingBack !== undefined) return
      if (behind) return reconcile()
      if (refused.size > 0) inBackground(storeRefused(store))
      const page = await readFrom(cursor, store)
      if (page.lost) return reconcile()
      cursor = page.cursor
      if (isAmiss(page.kept)) return reconcile()
    },
    missed,
    answer(names) {
      const time = now()
      const known = names
        .flatMap(({ kind, id }) => ledger.known(`${kind}:${id}`) ?? [])
        .filter(({ until }) => until > time)
      if (known.length === 0) return
      // At once: whoever asks refuses everybody until it has heard.
      tell(known)
      for (const denial of known) missed(denial)
      if (store !== undefined && puttingBack === undefined && !behind) inBackground(storeRefused(store))
    },
    get unstored() {
      let count = refused.size
      if (puttingBack !== undefined) for (const some of ledger.unmatched(now(), batch)) count += some.length
      return count
    },
    get unsettled() {
      return unsettled
    },
    async storeMissed() {
      isLast = true
      await puttingBack
      if (refused.size === 0 || store === undefined) return 0
      await storeRefused(store).catch(() => {})
      const time = now()
      return [...refused.values()].filter(({ until }) => until > time).length
    },
    async stop() {
      stopped = true
      await puttingBack
    },
  }
}

/** What would have to be added to `own` to have `kept`. */
function differenceOf(own: Omit<KeptDenials, 'asOf'>, kept: KeptDenials): string {
  const [high = 0, low = 0] = own.digest.split(' ').map(Number)
  const [keptHigh = 0, keptLow = 0] = kept.digest.split(' ').map(Number)
  return `${kept.count - own.count} ${high ^ keptHigh} ${low ^ keptLow}`
}
