import { setTimeout as sleep } from 'node:timers/promises'
import type { Claim, CounterStore } from '../relay/counters.ts'

export interface LeasesOptions {
  readonly counters: CounterStore
  /** Unique per start of a node: its holders are told from those of all others. */
  readonly nodeId: string
  /** How long a place stays taken when its node is killed, ms. Default 30,000; renewed three times as often. */
  readonly ttl?: number
  readonly onFailure: (error: unknown) => void
}

/** Places under caps that hold across nodes, kept for as long as this node lives. */
export interface Leases {
  /** The function that gives the place back (once, whatever happens), or `undefined` when all are taken. Rejects when nobody can say. */
  take(key: string, holder: string, limit: number): Promise<(() => Promise<void>) | undefined>
  /** Says whether `take` would find a place, and takes none. Rejects when nobody can say. */
  hasRoom(key: string, limit: number): Promise<boolean>
  /** Stops renewing and gives every place back. */
  close(): Promise<void>
}

const batch = 500

export function createLeases({ counters, nodeId, ttl = 30_000, onFailure }: LeasesOptions): Leases {
  const claims = new Set<Claim>()
  const stopped = new AbortController()

  const renew = async (): Promise<void> => {
    for (;;) {
      await sleep(ttl / 3, undefined, { ref: false, signal: stopped.signal })
      try {
        const all = [...claims]
        for (let from = 0; from < all.length; from += batch) {
          // Given back meanwhile: renewing it now would take the place again, for nobody.
          const held = all.slice(from, from + batch).filter((claim) => claims.has(claim))
          await counters.renew(held, ttl)
        }
      } catch (error) {
        onFailure(error)
      }
    }
  }
  const renewing = renew().catch(() => {})

  const give = async (claim: Claim): Promise<void> => {
    if (!claims.delete(claim)) return
    // Failing, the place is free all the same when its time is over.
    await counters.release(claim.key, claim.holder).catch(onFailure)
  }

  return {
    async take(key, holder, limit) {
      const claim = { key, holder: `${nodeId} ${holder}` }
      if (!(await counters.acquire(key, claim.holder, limit, ttl))) return undefined
      claims.add(claim)
      // Closed while the store was asked: nobody would ever give it back.
      if (stopped.signal.aborted) await give(claim)
      return () => give(claim)
    },
    hasRoom: (key, limit) => counters.hasRoom(key, limit),
    async close() {
      stopped.abort()
      await renewing
      await Promise.all([...claims].map(give))
    },
  }
}
