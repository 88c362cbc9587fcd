import { wholeNumber } from '../option-checks.ts'
import type { AskAgain } from '../session/identity.ts'
import type { Session } from '../session/session.ts'

/** The record of a ticket until it is redeemed: everything but the ticket, of which only the hash is stored. */
export interface StoredTicket {
  /** The id of the session that the ticket stands for. */
  readonly sessionId: string
  /** Its user, where it has one. */
  readonly userId?: string
  /** The `Origin` the ticket was asked from; `null` when the client sent none. Redeemed only with the same. */
  readonly origin: string | null
  /** The path (`/rooms/7`) or the route (`/rooms/:id`) the ticket opens. */
  readonly route: string
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
  /** Only in a store whose `keepsSessions` is true: the very object, so that no `load` is needed. Never serialized. */
  readonly session?: Session
  /** When the ticket was issued, ms since the epoch: a log-out since then hits it. Left out: nobody knows, and only a ban does. */
  readonly issuedAt?: number
  /** Only beside `session`: how to ask whether it still stands. Never serialized. */
  readonly askAgain?: AskAgain | undefined
}

/**
 * The store in which tickets wait. It MUST make `take` atomic (two takes of one hash, one ticket), on all nodes that
 * share it, and MUST forget a ticket after `ttlMs`. It MUST NOT answer a `take` twice, nor keep a ticket that was
 * taken. Either method may throw: the ticket is then not issued, or refused.
 */
export interface TicketStore {
  /** True when `StoredTicket.session` comes back as the same object. Left out: it is not handed over, and `load` is required. */
  readonly keepsSessions?: boolean
  /** Keeps a ticket under its hash, for `ttlMs`. */
  put(hash: string, ticket: StoredTicket, ttlMs: number): Promise<void> | void
  /** Reads and deletes in one step. `undefined` when unknown, taken before or expired. */
  take(hash: string): Promise<StoredTicket | undefined> | StoredTicket | undefined
  /**
   * Reads, and leaves the ticket where it is: for a client that asks why its handshake fails. Left out: what would become of
   * its ticket is not known without spending it, and it is told `SWS_UNAVAILABLE`.
   */
  peek?(hash: string): Promise<StoredTicket | undefined> | StoredTicket | undefined
  /** Gives back what the store holds. */
  close?(): Promise<void> | void
}

/** Options of `memoryTickets`. */
export interface MemoryTicketsOptions {
  /** Tickets held at once, default 100,000. When full, issuing fails: nobody else's ticket is thrown away for it. */
  readonly max?: number
  /** Tickets held for one session, default 32. One more drops that session's oldest, so one account cannot fill the store. */
  readonly maxPerSession?: number
  /** The clock, in milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number
}

const sweepAtLeast = 1024

/**
 * Tickets in this process's memory: right for one node. With several, a ticket issued by one is unknown to the others;
 * use `redisTickets` there.
 * @throws SecureWsError `SWS_BAD_OPTION` for a bound that is not a whole number of at least 1.
 */
export function memoryTickets(options: MemoryTicketsOptions = {}): TicketStore {
  const { max = 100_000, maxPerSession = 32, now = () => Date.now() } = options
  wholeNumber(max, 'memoryTickets.max', '10_000')
  wholeNumber(maxPerSession, 'memoryTickets.maxPerSession', '20')
  const tickets = new Map<string, StoredTicket>()
  const bySession = new Map<string, Set<string>>()
  let sweepAt = Math.min(sweepAtLeast, max)

  function take(hash: string): StoredTicket | undefined {
    const ticket = tickets.get(hash)
    if (ticket === undefined) return undefined
    // No await between the read and the delete: of any number of concurrent takes, the first gets the ticket.
    tickets.delete(hash)
    const ofSession = bySession.get(ticket.sessionId)
    ofSession?.delete(hash)
    if (ofSession?.size === 0) bySession.delete(ticket.sessionId)
    return ticket.expiresAt > now() ? ticket : undefined
  }

  // Swept when the map has doubled, not by a timer: nothing to release, and the cost per ticket stays constant.
  function sweep(): void {
    const at = now()
    for (const [hash, ticket] of tickets) if (ticket.expiresAt <= at) take(hash)
    sweepAt = Math.min(Math.max(sweepAtLeast, tickets.size * 2), max)
  }

  return {
    keepsSessions: true,
    put(hash, ticket) {
      if (tickets.size >= sweepAt) sweep()
      const ofSession = bySession.get(ticket.sessionId) ?? new Set()
      if (ofSession.size >= maxPerSession) {
        const [oldest] = ofSession
        if (oldest !== undefined) take(oldest)
      }
      if (tickets.size >= max) throw new Error('memoryTickets is full')
      tickets.set(hash, ticket)
      // Set again after the oldest was taken: taking the last one removes the session's entry.
      bySession.set(ticket.sessionId, ofSession.add(hash))
    },
    take,
    peek(hash) {
      const ticket = tickets.get(hash)
      return ticket !== undefined && ticket.expiresAt > now() ? ticket : undefined
    },
    close() {
      tickets.clear()
      bySession.clear()
    },
  }
}
