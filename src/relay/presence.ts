import type { Claim } from './counters.ts'
import { memoryLeases } from './memory-leases.ts'

/** The members of rooms, on whichever node. A member whose node was killed is gone after `ttlMs` at the latest. */
export interface PresenceStore {
  /** Adds a member for `ttlMs`. */
  enter(room: string, member: string, ttlMs: number): Promise<void>
  /** `key` is the room, `holder` the member. */
  renew(claims: readonly Claim[], ttlMs: number): Promise<void>
  /** Takes a member out. */
  leave(room: string, member: string): Promise<void>
  /** All members whose time is not over. */
  members(room: string): Promise<string[]>
}

export function memoryPresence(now: () => number = () => performance.now()): PresenceStore {
  const leases = memoryLeases(now)
  return {
    enter: async (room, member, ttlMs) => leases.keep(room, member, ttlMs),
    renew: async (claims, ttlMs) => {
      for (const { key, holder } of claims) leases.keep(key, holder, ttlMs)
    },
    leave: async (room, member) => leases.free(room, member),
    members: async (room) => leases.holders(room),
  }
}
