import { randomUUID } from 'node:crypto'
import type { Held } from '../connection/held.ts'
import { CloseCode } from '../errors.ts'
import { type Refusal, refuse } from '../http/refusal.ts'
import type { Identities } from '../revocation/identities.ts'
import { type Identity, identityKey } from '../session/identity.ts'
import { createHolders } from './capacity.ts'
import type { Leases } from './leases.ts'
import type { FurtherPlaces, Places } from './places.ts'

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

/**
 * How many sockets one session and one user may have (ASVS 7.1.2). Check and take are one step, on this node and in the
 * shared store; whatever was taken is given back by the one place, or at once when a later cap says no.
 */
export function createCaps({ whenFull, identities, leases }: CapsOptions) {
  const perSession = createHolders('session')
  const perUser = createHolders('user')
  /** The sockets that are to go for a handshake that is not over: no two handshakes count on the same one. */
  const leaving = new Set<Held>()

  /** Returns the refusal where a cap has no place left; with a shared store, later. */
  function reserve(
    places: Places,
    identity: Identity,
    limits: CapLimits,
  ): Refusal | undefined | Promise<Refusal | undefined> {
    if (places.gone) return undefined
    const refusal = reserveHere(places, identity, limits)
    if (refusal !== undefined) {
      release(places)
      return refusal
    }
    return leases === undefined ? undefined : reserveEverywhere(capsOf(identity, limits), places, leases)
  }

  function reserveHere(places: Places, { sessionId, userId }: Identity, limits: CapLimits): Refusal | undefined {
    const ofSession = take('session', sessionId, limits.connectionsPerSession, places)
    if (ofSession !== undefined) return ofSession
    places.heldBySession = sessionId
    if (userId === undefined) return undefined
    const ofUser = take('user', userId, limits.connectionsPerUser, places)
    if (ofUser === undefined) places.heldByUser = userId
    return ofUser
  }

  function take(kind: 'session' | 'user', id: string, limit: number, places: Places): Refusal | undefined {
    const holders = kind === 'session' ? perSession : perUser
    const first = holders.take(id, limit)
    if (first === undefined || whenFull === 'refuse') return first
    const key = identityKey(kind, id)
    const again = holders.take(id, limit + leavingOf(key))
    if (again === undefined || !claimOldest(key, furtherOf(places))) return again
    return holders.take(id, limit + leavingOf(key))
  }

  /** Gives back what one socket has under the caps. Doing it again does nothing. */
  function release(places: Places): void {
    const { heldBySession, heldByUser, further } = places
    places.heldBySession = places.heldByUser = places.further = undefined
    if (heldBySession !== undefined) perSession.giveBack(heldBySession)
    if (heldByUser !== undefined) perUser.giveBack(heldByUser)
    further?.release()
  }

  function furtherOf(places: Places): Further {
    if (places.further instanceof Further) return places.further
    const further = new Further(leaving, release)
    places.further = further
    return further
  }

  function leavingOf(key: string): number {
    let count = 0
    for (const connection of identities.of(key)) if (leaving.has(connection)) count++
    return count
  }

  /** Told to go when the newcomer is a socket, and not before: a handshake that is refused in the end closes nobody. */
  function claimOldest(key: string, further: Further): boolean {
    const oldest = oldestOf(key)
    if (oldest !== undefined) further.claim(oldest)
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

  async function reserveEverywhere(caps: readonly Cap[], places: Places, shared: Leases): Promise<Refusal | undefined> {
    const holder = randomUUID()
    const further = furtherOf(places)
    try {
      for (const [kind, id, limit] of caps) {
        const key = identityKey(kind, id)
        const ask = () => shared.take(key, holder, limit + leavingOf(key))
        let give = await ask()
        // Full by the sockets of other nodes: one of ours makes room.
        if (give === undefined && whenFull === 'evict-oldest' && claimOldest(key, further)) give = await ask()
        if (give === undefined) {
          release(places)
          return full(kind, limit)
        }
        further.hold(give)
      }
      return undefined
    } catch {
      // Nobody can say how many there are: refused (ASVS 16.5.3).
      release(places)
      return unanswered()
    }
  }

  return {
    reserve,
    release,
    check,
    counts: () => ({ sessions: perSession.size, users: perUser.size }),
  }
}

export type Caps = ReturnType<typeof createCaps>

/** The places of one socket at the shared store, and those that older sockets are to leave to it. */
class Further implements FurtherPlaces {
  readonly #leaving: Set<Held>
  readonly #giveBack: (places: Places) => void
  readonly #held: (() => unknown)[] = []
  #claimed: readonly Held[] = []
  #over = false

  /** @param giveBack what one of the older sockets has under the caps */
  constructor(leaving: Set<Held>, giveBack: (places: Places) => void) {
    this.#leaving = leaving
    this.#giveBack = giveBack
  }

  /** Race: the connection may have gone while the store was asked, and nobody would ever give this back. */
  hold(give: () => unknown): void {
    if (this.#over) give()
    else this.#held.push(give)
  }

  claim(connection: Held): void {
    if (this.#over) return
    this.#leaving.add(connection)
    this.#claimed = [...this.#claimed, connection]
  }

  /** Their places are free in this turn; their TCP connections go when the closing handshake is over. */
  open(): void {
    const claimed = this.#unclaimed()
    for (const connection of claimed) {
      if (!connection.ended) connection.end(CloseCode.PolicyViolation, 'a newer connection took this place')
      this.#giveBack(connection.admitted.places)
    }
  }

  release(): void {
    this.#over = true
    this.#unclaimed()
    for (const give of this.#held.splice(0)) give()
  }

  #unclaimed(): readonly Held[] {
    const claimed = this.#claimed
    this.#claimed = []
    for (const connection of claimed) this.#leaving.delete(connection)
    return claimed
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
