import { randomUUID } from 'node:crypto'
import type { Held } from '../connection/held.ts'
import { CloseCode } from '../errors.ts'
import { type Refusal, refuse } from '../http/refusal.ts'
import type { Identities } from '../revocation/identities.ts'
import { type Identity, identityKey } from '../session/identity.ts'
import { createHolders, type Reservation, type Slot } from './capacity.ts'
import type { Leases } from './leases.ts'
import { Slots } from './slots.ts'

/** The fate of one more connection of a session or user that has all it may have. */
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
  readonly identities: Identities<Held>
  /** Places that hold across nodes; `undefined` when there is only this one. */
  readonly leases: Leases | undefined
}

/** The place of one socket under the caps of its session and of its user. */
export interface IdentityPlace extends Slot {
  /** The handshake has become a socket: whoever has to make room for it is closed. */
  open(): void
}

export type IdentityReservation =
  | { readonly place: IdentityPlace; readonly refusal?: undefined }
  | { readonly refusal: Refusal; readonly place?: undefined }

/**
 * How many sockets one session and one user may have (ASVS 7.1.2). Check and take are one step, on this node and in the
 * shared store; whatever was taken is given back by the one place, or at once when a later cap says no.
 */
export function createCaps({ whenFull, identities, leases }: CapsOptions) {
  const perSession = createHolders('session')
  const perUser = createHolders('user')
  /** The sockets that are to go for a handshake that is not over: no two handshakes count on the same one. */
  const leaving = new Set<Held>()

  function reserve(identity: Identity, limits: CapLimits): IdentityReservation | Promise<IdentityReservation> {
    const { sessionId, userId } = identity
    const place = new Place(leaving)
    const refusal =
      holdHere('session', sessionId, limits.connectionsPerSession, place) ??
      (userId === undefined ? undefined : holdHere('user', userId, limits.connectionsPerUser, place))
    if (refusal !== undefined) {
      place.release()
      return { refusal }
    }
    return leases === undefined ? { place } : reserveEverywhere(capsOf(identity, limits), place, leases)
  }

  function holdHere(kind: 'session' | 'user', id: string, limit: number, place: Place): Refusal | undefined {
    const { slot, refusal } = reserveHere(kind, id, limit, place)
    if (slot !== undefined) place.push(slot)
    return refusal
  }

  function reserveHere(kind: 'session' | 'user', id: string, limit: number, place: Place): Reservation {
    const holders = kind === 'session' ? perSession : perUser
    const first = holders.reserve(id, limit)
    if (first.slot !== undefined || whenFull === 'refuse') return first
    const key = identityKey(kind, id)
    const again = holders.reserve(id, limit + leavingOf(key))
    if (again.slot !== undefined || !claimOldest(key, place)) return again
    return holders.reserve(id, limit + leavingOf(key))
  }

  function leavingOf(key: string): number {
    let count = 0
    for (const connection of identities.of(key)) if (leaving.has(connection)) count++
    return count
  }

  /** Told to go when the newcomer is a socket, and not before: a handshake that is refused in the end closes nobody. */
  function claimOldest(key: string, place: Place): boolean {
    const oldest = oldestOf(key)
    if (oldest !== undefined) place.claim(oldest)
    return oldest !== undefined
  }

  function oldestOf(key: string): Held | undefined {
    for (const connection of identities.of(key)) if (!connection.ended && !leaving.has(connection)) return connection
    return undefined
  }

  /** The refusal that `reserve` would answer with now. Takes no place, and nobody has to make room. */
  function check(identity: Identity, limits: CapLimits): Refusal | undefined | Promise<Refusal | undefined> {
    const caps = capsOf(identity, limits)
    for (const [kind, id, limit] of caps) {
      const key = identityKey(kind, id)
      const holders = kind === 'session' ? perSession : perUser
      const refusal = holders.check(id, whenFull === 'refuse' ? limit : limit + leavingOf(key))
      if (refusal !== undefined && (whenFull === 'refuse' || oldestOf(key) === undefined)) return refusal
    }
    return leases === undefined ? undefined : checkEverywhere(caps, leases)
  }

  async function checkEverywhere(caps: readonly Cap[], shared: Leases): Promise<Refusal | undefined> {
    try {
      for (const [kind, id, limit] of caps) {
        const key = identityKey(kind, id)
        if (await shared.hasRoom(key, limit + leavingOf(key))) continue
        if (whenFull === 'refuse' || oldestOf(key) === undefined) return full(kind, limit)
      }
      return undefined
    } catch {
      return unanswered()
    }
  }

  async function reserveEverywhere(caps: readonly Cap[], place: Place, shared: Leases): Promise<IdentityReservation> {
    const holder = randomUUID()
    try {
      for (const [kind, id, limit] of caps) {
        const key = identityKey(kind, id)
        const take = () => shared.take(key, holder, limit + leavingOf(key))
        let give = await take()
        // Full by the sockets of other nodes: one of ours makes room.
        if (give === undefined && whenFull === 'evict-oldest' && claimOldest(key, place)) give = await take()
        if (give === undefined) {
          place.release()
          return { refusal: full(kind, limit) }
        }
        place.push({ release: give })
      }
      return { place }
    } catch {
      // Nobody can say how many there are: refused (ASVS 16.5.3).
      place.release()
      return { refusal: unanswered() }
    }
  }

  return {
    reserve,
    check,
    counts: () => ({ sessions: perSession.size, users: perUser.size }),
  }
}

export type Caps = ReturnType<typeof createCaps>

const none: readonly Held[] = []

class Place extends Slots implements IdentityPlace {
  readonly #leaving: Set<Held>
  #claimed: Held[] | undefined

  constructor(leaving: Set<Held>) {
    super()
    this.#leaving = leaving
  }

  claim(connection: Held): void {
    this.#leaving.add(connection)
    this.#claimed ??= []
    this.#claimed.push(connection)
  }

  /** Their places are free in this turn; their TCP connections go when the closing handshake is over. */
  open(): void {
    for (const connection of this.#claimed ?? none) {
      this.#leaving.delete(connection)
      if (!connection.ended) connection.end(CloseCode.PolicyViolation, 'a newer connection took this place')
      connection.admitted.place?.release()
    }
    this.#claimed = undefined
  }

  override release(): void {
    for (const connection of this.#claimed ?? none) this.#leaving.delete(connection)
    this.#claimed = undefined
    super.release()
  }
}

type Cap = readonly [kind: 'session' | 'user', id: string, limit: number]

function capsOf({ sessionId, userId }: Identity, limits: CapLimits): readonly Cap[] {
  const ofSession: Cap = ['session', sessionId, limits.connectionsPerSession]
  return userId === undefined ? [ofSession] : [ofSession, ['user', userId, limits.connectionsPerUser]]
}

function unanswered(): Refusal {
  return refuse('SWS_UNAVAILABLE', 'the shared caps cannot be asked', { headers: { 'retry-after': '5' } })
}

function full(kind: string, limit: number): Refusal {
  return refuse('SWS_TOO_MANY_CONNECTIONS', `this ${kind} already has ${limit} connections on all nodes`, {
    status: 429,
    headers: { 'retry-after': '10' },
  })
}
