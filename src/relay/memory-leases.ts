/** Sets whose members leave by themselves: what caps and presence are made of, in one process. */
export interface MemoryLeases {
  take(key: string, holder: string, limit: number, ttlMs: number): boolean
  keep(key: string, holder: string, ttlMs: number): void
  free(key: string, holder: string): void
  holders(key: string): string[]
}

export function memoryLeases(now: () => number): MemoryLeases {
  const sets = new Map<string, Map<string, number>>()

  const alive = (key: string): Map<string, number> => {
    const time = now()
    const holders = sets.get(key) ?? new Map<string, number>()
    for (const [holder, expiresAt] of holders) if (expiresAt <= time) holders.delete(holder)
    if (holders.size === 0) sets.delete(key)
    return holders
  }

  const put = (key: string, holders: Map<string, number>, holder: string, ttlMs: number): void => {
    holders.set(holder, now() + ttlMs)
    sets.set(key, holders)
  }

  return {
    take(key, holder, limit, ttlMs) {
      const holders = alive(key)
      if (!holders.has(holder) && holders.size >= limit) return false
      put(key, holders, holder, ttlMs)
      return true
    },
    keep(key, holder, ttlMs) {
      put(key, alive(key), holder, ttlMs)
    },
    free(key, holder) {
      const holders = alive(key)
      holders.delete(holder)
      if (holders.size === 0) sets.delete(key)
    },
    holders: (key) => [...alive(key).keys()],
  }
}
