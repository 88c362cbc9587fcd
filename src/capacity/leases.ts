import type { Holdings } from '../relay/holdings.ts'

/** Places under caps that hold across nodes, kept for as long as this node lives. */
export interface Leases {
  /** The function that gives the place back (once, whatever happens), or `undefined` when all are taken. Rejects when nobody can say. */
  take(key: string, holder: string, limit: number): Promise<(() => Promise<void>) | undefined>
  /** Says whether `take` would find a place, and takes none. Rejects when nobody can say. */
  hasRoom(key: string, limit: number): Promise<boolean>
}

/** @param holdings all that this node holds; a `holder` is its alone */
export function createLeases(holdings: Pick<Holdings, 'take' | 'drop' | 'holders'>): Leases {
  const capKey = (key: string) => `cap:${key}`
  return {
    async take(key, holder, limit) {
      if (!(await holdings.take(capKey(key), holder, limit))) return undefined
      return () => holdings.drop(capKey(key), holder)
    },
    hasRoom: async (key, limit) => (await holdings.holders(capKey(key))).length < limit,
  }
}
