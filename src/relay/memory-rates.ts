import type { RateStore } from './stores.ts'

export function memoryRates(now: () => number = () => performance.now()): RateStore {
  const windows = new Map<string, SlidingWindow>()
  let sweepAt = 1024
  return {
    async hit(key, windowMs, limit, count) {
      const time = now()
      const [allowed, next] = slide(windows.get(key), windowMs, limit, time)
      if (count === 0) return allowed
      windows.set(key, next)
      if (windows.size > sweepAt) {
        for (const [name, window] of windows) if (window.expiresAt <= time) windows.delete(name)
        sweepAt = Math.max(1024, windows.size * 2)
      }
      return allowed
    },
  }
}

export interface SlidingWindow {
  readonly slot: number
  readonly current: number
  readonly previous: number
  readonly expiresAt: number
}

/** Two counters per key instead of one entry per hit: memory does not grow with the number of hits. */
export function slide(
  before: SlidingWindow | undefined,
  windowMs: number,
  limit: number,
  now: number,
): readonly [allowed: boolean, next: SlidingWindow] {
  const slot = Math.floor(now / windowMs)
  const current = before?.slot === slot ? before.current : 0
  const previous = before?.slot === slot ? before.previous : before?.slot === slot - 1 ? before.current : 0
  const overlap = 1 - (now - slot * windowMs) / windowMs
  const allowed = current + previous * overlap + 1 <= limit
  return [allowed, { slot, current: allowed ? current + 1 : current, previous, expiresAt: (slot + 2) * windowMs }]
}
