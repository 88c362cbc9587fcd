import { randomUUID } from 'node:crypto'
import type { Connection } from '../connection/connection.ts'
import { CloseCode } from '../errors.ts'
import { type Refusal, refuse } from '../http/refusal.ts'
import type { Identities } from '../revocation/identities.ts'
import { type Identity, identityKey } from '../session/identity.ts'
import { createHolders, type Reservation } from './capacity.ts'
import type { Leases } from './leases.ts'
import { Slots } from './slots.ts'

/** What happens to one more connection of a session or user that has all it may have. */
export type WhenFull = 'refuse' | 'evict-oldest'

/** The `limits` on the sockets of one person. */
export interface CapLimits {
  /**
   * Open sockets of one session; with a shared bus, on all nodes. What happens to one more, `session.whenFull` says.
   * Default 10.
   */
  readonly connectionsPerSession: number
  /** Open sockets of one user, over all sessions; with a shared bus, on all nodes. Default 50. */
  readonly connectionsPerUser: number
}

export interface CapsOptions {
  readonly whenFull: WhenFull
  readonly identities: Identities<Connection>
  /** Places that hold across nodes; `undefined` when there is only this one. */
  readonly leases: Leases | undefined
}

/**
 * How many sockets one session and one user may have (ASVS 7.1.2). Check and take are one step, on this node and in the
 * shared store; whatever was taken is given back by the one slot, or at once when a later cap says no.
 */
export function createCaps({ whenFull, identities, leases }: CapsOptions) {
  const perSession = createHolders('session')
  const perUser = createHolders('user')

  function reserve({ sessionId, userId }: Identity, limits: CapLimits): Reservation | Promise<Reservation> {
    const caps: [kind: 'session' | 'user', id: string, limit: number][] = [
      ['session', sessionId, limits.connectionsPerSession],
    ]
    if (userId !== undefined) caps.push(['user', userId, limits.connectionsPerUser])
    const here = new Slots()
    for (const [kind, id, limit] of caps) {
      const { slot, refusal } = reserveHere(kind, id, limit)
      if (slot === undefined) {
        here.release()
        return { refusal }
      }
      here.push(slot)
    }
    return leases === undefined ? { slot: here } : reserveEverywhere(caps, here, leases)
  }

  function reserveHere(kind: 'session' | 'user', id: string, limit: number): Reservation {
    const holders = kind === 'session' ? perSession : perUser
    const place = holders.reserve(id, limit)
    if (place.slot !== undefined || whenFull === 'refuse' || !evictOldest(identityKey(kind, id))) return place
    return holders.reserve(id, limit)
  }

  /** Its place is free in this turn; its TCP connection goes when the closing handshake is over. */
  function evictOldest(key: string): boolean {
    for (const connection of identities.of(key)) {
      if (connection.ended) continue
      connection.end(CloseCode.PolicyViolation, 'a newer connection took this place')
      connection.admitted.place?.release()
      return true
    }
    return false
  }

  async function reserveEverywhere(
    caps: readonly (readonly ['session' | 'user', string, number])[],
    slots: Slots,
    shared: Leases,
  ): Promise<Reservation> {
    const holder = randomUUID()
    try {
      for (const [kind, id, limit] of caps) {
        const key = identityKey(kind, id)
        let give = await shared.take(key, holder, limit)
        if (give === undefined && whenFull === 'evict-oldest' && evictOldest(key))
          give = await shared.take(key, holder, limit)
        if (give === undefined) {
          slots.release()
          return { refusal: full(kind, limit) }
        }
        slots.push({ release: give })
      }
      return { slot: slots }
    } catch {
      // Nobody can say how many there are: refused (ASVS 16.5.3).
      slots.release()
      return {
        refusal: refuse('SWS_UNAVAILABLE', 'the shared caps cannot be asked', { headers: { 'retry-after': '5' } }),
      }
    }
  }

  return {
    reserve,
    counts: () => ({ sessions: perSession.size, users: perUser.size }),
  }
}

export type Caps = ReturnType<typeof createCaps>

function full(kind: string, limit: number): Refusal {
  return refuse('SWS_TOO_MANY_CONNECTIONS', `this ${kind} already has ${limit} connections on all nodes`, {
    status: 429,
    headers: { 'retry-after': '10' },
  })
}
