import { memoryLeases } from './memory-leases.ts'

/** Counts that hold across nodes: handshake rates, and caps (connections per session, user or address). */
export interface CounterStore {
  /**
   * Counts one hit if it is within `limit` per `windowMs` (sliding: the last window counts by how much of it still overlaps)
   * and says whether it was. A refused hit is not counted, so a client that keeps trying gets in again at the pace allowed.
   * `now` is used by the memory form; a shared store counts by its own clock, the only one that all nodes agree on.
   */
  hit(key: string, windowMs: number, limit: number, now: number): Promise<boolean>
  /** Says whether `hit` would be within the limit, and counts nothing. */
  wouldHit(key: string, windowMs: number, limit: number, now: number): Promise<boolean>
  /** Takes one of `limit` places under `key` for `ttlMs`; true also when `holder` already has it. Check and take are one step. */
  acquire(key: string, holder: string, limit: number, ttlMs: number): Promise<boolean>
  /** Says whether fewer than `limit` places are taken under `key`, and takes none. */
  hasRoom(key: string, limit: number): Promise<boolean>
  /** Keeps places for another `ttlMs`, and puts back those that the store lost (never refused: their sockets are open). */
  renew(claims: readonly Claim[], ttlMs: number): Promise<void>
  /** Gives a place back. */
  release(key: string, holder: string): Promise<void>
}

/** A place held: `holder` names the node and the socket. Not renewed (its node was killed), it is free after its time. */
export interface Claim {
  /** The name of what is limited. */
  readonly key: string
  /** The node and the socket. */
  readonly holder: string
}

export function memoryCounters(now: () => number = () => performance.now()): CounterStore {
  const windows = new Map<string, SlidingWindow>()
  const leases = memoryLeases(now)
  let sweepAt = 1024
  return {
    async hit(key, windowMs, limit, time) {
      const [allowed, next] = slide(windows.get(key), windowMs, limit, time)
      windows.set(key, next)
      if (windows.size > sweepAt) {
        for (const [name, window] of windows) if (window.expiresAt <= time) windows.delete(name)
        sweepAt = Math.max(1024, windows.size * 2)
      }
      return allowed
    },
    wouldHit: async (key, windowMs, limit, time) => slide(windows.get(key), windowMs, limit, time)[0],
    hasRoom: async (key, limit) => leases.holders(key).length < limit,
    acquire: async (key, holder, limit, ttlMs) => leases.take(key, holder, limit, ttlMs),
    renew: async (claims, ttlMs) => {
      for (const { key, holder } of claims) leases.keep(key, holder, ttlMs)
    },
    release: async (key, holder) => leases.free(key, holder),
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
