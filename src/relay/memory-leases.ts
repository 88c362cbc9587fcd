import type { LeaseStore } from './stores.ts'

interface Place {
  readonly endsAt: number
  readonly tenure: string | undefined
}

/** For one process: sets whose members leave by themselves. */
export function memoryLeases(now: () => number = () => performance.now()): LeaseStore {
  const tenures = new Map<string, number>()
  const sets = new Map<string, Map<string, Place>>()

  const isAlive = ({ endsAt, tenure }: Place, time: number): boolean =>
    endsAt > time && (tenure === undefined || (tenures.get(tenure) ?? 0) > time)

  const alive = (key: string): Map<string, Place> => {
    const time = now()
    const places = sets.get(key) ?? new Map<string, Place>()
    for (const [holder, place] of places) if (!isAlive(place, time)) places.delete(holder)
    if (places.size === 0) sets.delete(key)
    return places
  }

  return {
    async keep(tenure, ttlMs) {
      const time = now()
      for (const [name, endsAt] of tenures) if (endsAt <= time) tenures.delete(name)
      const wasThere = tenures.has(tenure)
      if (ttlMs > 0) tenures.set(tenure, time + ttlMs)
      else tenures.delete(tenure)
      return wasThere
    },
    async take({ key, holder, tenure }, limit, ttlMs) {
      const places = alive(key)
      if (!places.has(holder) && places.size >= limit) return false
      places.set(holder, { endsAt: now() + ttlMs, tenure })
      sets.set(key, places)
      return true
    },
    async free(key, holder) {
      const places = alive(key)
      places.delete(holder)
      if (places.size === 0) sets.delete(key)
    },
    holders: async (key) => [...alive(key).keys()],
  }
}
