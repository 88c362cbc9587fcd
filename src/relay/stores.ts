import type { DenialStore } from '../session/denials.ts'

/**
 * The stores that outlive a node and that all nodes share: seven methods. `Bus.stores` is optional, and whoever gives it gives
 * all of it.
 *
 * Each method MUST reject when it cannot answer soon (Redis: 2 seconds), and MUST NOT answer by a guess: what asks is closed
 * then. What was rejected may have been carried out all the same. Keys and holders are any text, and MUST be taken literally.
 * Every time is by one clock, the store's own.
 */
export interface SharedStores {
  /** Revocations: `deny`, `since`. */
  readonly denials: DenialStore
  /** Places under caps, members of rooms, used nonces: `keep`, `take`, `free`, `holders`. */
  readonly leases: LeaseStore
  /** Handshakes per minute: `hit`. */
  readonly rates: RateStore
}

/** A place that somebody has under a key. */
export interface Lease {
  /** The name of a cap, a room or a nonce. */
  readonly key: string
  /** Unique under its key; the same one whenever the place is taken again. */
  readonly holder: string
  /** The place ends with this tenure, or by its own time, whichever is sooner. Absent: by its own time. */
  readonly tenure?: string
}

/**
 * Places that end by themselves. Each has a long time of its own; besides, all that a node has taken ends with its tenure, which
 * is one entry and short: a node that is killed is forgotten soon, and one that lives costs one write however many places it has.
 */
export interface LeaseStore {
  /**
   * Keeps a tenure for another `ttlMs`; 0 ends it now, with every place that was taken in it. Resolves to whether the store knew
   * it until now. Where it did not (first time, too late, emptied), places of this tenure may be lost.
   */
  keep(tenure: string, ttlMs: number): Promise<boolean>
  /**
   * Takes one of `limit` places under a key for `ttlMs` (`Infinity`: as many as come). Also true, and from now on of this tenure
   * and time, where the holder has it already. Only living places count. Check and take are one step.
   */
  take(lease: Lease, limit: number, ttlMs: number): Promise<boolean>
  /** Gives a place back. Doing it again does nothing. */
  free(key: string, holder: string): Promise<void>
  /** Everybody who has a place under a key: whose time is not over, and whose tenure has not ended. */
  holders(key: string): Promise<string[]>
}

/** Counts per time that hold on all nodes together. */
export interface RateStore {
  /**
   * Says whether one more is within `limit` per `windowMs` (sliding: the last window counts by how much of it still overlaps),
   * and counts it if it is. A refused one is not counted, so a client that keeps trying gets in again at the pace allowed.
   * `count: 0` only asks.
   */
  hit(key: string, windowMs: number, limit: number, count: 0 | 1): Promise<boolean>
}
