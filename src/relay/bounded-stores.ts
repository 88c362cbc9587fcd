import { answered } from './answered.ts'
import type { SharedStores } from './stores.ts'

/**
 * Stores of which each answer comes or is given up. A store of somebody's own that says nothing is a store that is away: without
 * an end a node would go on admitting by what it knew when it asked last, and `revoke` would never say that nothing was kept.
 */
export function boundStores({ denials, leases, rates }: SharedStores, deadline?: number): SharedStores {
  const ask = <T>(question: () => Promise<T>): Promise<T> => answered(question, deadline)
  return {
    denials: {
      deny: (...all) => ask(() => denials.deny(...all)),
      since: (cursor) => ask(() => denials.since(cursor)),
    },
    leases: {
      keep: (...given) => ask(() => leases.keep(...given)),
      take: (...given) => ask(() => leases.take(...given)),
      free: (...given) => ask(() => leases.free(...given)),
      holders: (key) => ask(() => leases.holders(key)),
    },
    rates: { hit: (...given) => ask(() => rates.hit(...given)) },
  }
}
