import { randomUUID } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { createBusFaults } from './bus-faults.ts'
import { createLeases } from './capacity/leases.ts'
import type { Connection } from './connection/connection.ts'
import { CloseCode, SecureWsError } from './errors.ts'
import { addressKey } from './http/address.ts'
import { type Refusal, refuse } from './http/refusal.ts'
import type { ReplayGuard } from './inbound/replay.ts'
import { type Bus, roomTopic } from './relay/bus.ts'
import { reasonOf } from './relay/fault.ts'
import { createRelay, type RelayMessage } from './relay/relay.ts'
import type { Identities } from './revocation/identities.ts'
import type { Revalidation } from './revocation/revalidation.ts'
import { type Audience, type BroadcastOptions, createAudience, deliverTo } from './rooms/audience.ts'
import { packBroadcast, unpackBroadcast } from './rooms/broadcast.ts'
import { createPresence, type RoomMember } from './rooms/presence.ts'
import { roomName } from './rooms/room-name.ts'
import { createRooms, type Rooms } from './rooms/rooms.ts'
import { type Denial, denialKey, denialOf } from './session/denials.ts'
import type { Session } from './session/session.ts'
import type { Audit, AuditLogger } from './telemetry/audit.ts'

/** Whose sockets: exactly one of the three. */
export type Subject =
  | { readonly sessionId: string; readonly userId?: never; readonly tokenId?: never }
  | { readonly userId: string; readonly sessionId?: never; readonly tokenId?: never }
  | { readonly tokenId: string; readonly sessionId?: never; readonly userId?: never }

export interface NodeOptions {
  readonly bus: Bus
  readonly now: () => number
  readonly audit: Audit
  readonly log: AuditLogger
  readonly identities: Identities<Connection>
  /** How long a credential without an end of its own could live, in ms. */
  readonly lifetime: number
  readonly roomsPerSocket: number
  readonly revalidation: Revalidation
  /** Every open socket of this node. */
  readonly sockets: () => Iterable<Connection>
}

/** This node among the others: its rooms, who was revoked, and what it tells and hears over the relay. */
export function createNode(options: NodeOptions) {
  const { bus, now, audit, log, identities, lifetime, roomsPerSocket, revalidation, sockets } = options
  const nodeId = randomUUID()
  const seen = new LRUCache<string, true>({ max: 10_000 })
  const usersHeard = new LRUCache<string, number>({ max: 20_000 })
  const relay = createRelay({
    bus,
    now,
    nodeId,
    onMessage: hear,
    // While the bus was away, rights may have changed without a word: everybody is asked again, a bounded number at a time.
    onCaughtUp() {
      faults.recovered()
      askAgain(sockets())
    },
    onFailure: failed,
  })
  const { stores, leaseTtl } = bus
  const bounds = leaseTtl === undefined ? {} : { ttl: leaseTtl }
  const presence =
    stores && createPresence({ store: stores.presence, ...bounds, onFailure: (error) => failed('presence', error) })
  // One process needs no shared counters: its own are exact, and cost no round trip.
  const leases =
    stores === undefined || bus.name === 'memory'
      ? undefined
      : createLeases({ counters: stores.counters, nodeId, ...bounds, onFailure: (error) => failed('caps', error) })
  const rooms: Rooms<Connection> = createRooms({
    roomsPerSocket,
    onFirst: (room) => relay.joinTopic(room),
    onLast: (room) => relay.leaveTopic(room),
    onJoined: (member, room) => presence?.enter(member, room),
    onLeft: (member, room) => presence?.leave(member, room),
  })

  const faults = createBusFaults(bus.name, log)
  const unwatch = bus.onFailure?.((error) => faults.failed(error))

  function failed(stage: string, error: unknown): void {
    audit({ type: 'relay.failed', code: stage, reason: reasonOf(error) })
    faults.failed(error)
  }

  function askAgain(connections: Iterable<Connection>): void {
    for (const connection of connections) revalidation.request(connection)
  }

  function hear(message: RelayMessage): void {
    if (message.kind === 'room') hearBroadcast(message.frame)
    else if (message.verb === 'close') closeDenied(message.subject)
    else askAgain(identities.of(`${message.subject.kind}:${message.subject.id}`))
  }

  function hearBroadcast(frame: string): void {
    const broadcast = unpackBroadcast(frame)
    if (broadcast === undefined) throw new SecureWsError('SWS_INVALID_OUTPUT', 'a broadcast that is none')
    if (broadcast.rooms.length > 1) {
      if (seen.has(broadcast.id)) return
      seen.set(broadcast.id, true)
    }
    const members = new Set(broadcast.rooms.flatMap((room) => [...rooms.members(room)]))
    for (const member of members) if (broadcast.except.includes(member.id)) members.delete(member)
    deliverTo(members, broadcast.message, { ...(broadcast.encode && { encode: broadcast.encode }) })
  }

  /** A denial is in force: what it hits is shut before this returns, and nothing is handled or sent on it any more. */
  function closeDenied(denial: Denial): void {
    if (denial.kind === 'user') usersHeard.set(`user:${denial.id}`, now())
    for (const connection of [...identities.of(`${denial.kind}:${denial.id}`)]) {
      const { session } = connection
      if (session === null || isLaterThan(denial, session)) continue
      connection.end(CloseCode.Unauthorized, `${denial.kind} revoked`)
      // A user may sign in again; these very sessions may not come back, whether or not they say when they began.
      if (denial.kind === 'user') void relay.deny(denialOf('session', session.id, denial.at, denial.until))
    }
  }

  function prepare(
    names: readonly string[],
    except: readonly string[],
    message: unknown,
    options: BroadcastOptions,
  ): (() => void) | undefined {
    const heard = names.filter(
      (room) => (bus.audience?.(roomTopic(room)) ?? 2) > (rooms.members(room).size > 0 ? 1 : 0),
    )
    if (heard.length === 0) return undefined
    if (options.perMember !== undefined) {
      throw new SecureWsError(
        'SWS_NOT_ENCODABLE',
        "perMember is a function and does not travel to other nodes. Send to each user's own room instead.",
      )
    }
    const frame = packBroadcast({ id: randomUUID(), rooms: names, except, encode: options.encode, message })
    return () => {
      for (const room of heard) relay.publish({ kind: 'room', room, frame })
    }
  }

  return {
    rooms,
    /** Why no session can be judged right now; `undefined` while all revocations are known. */
    get unjudgeable(): string | undefined {
      return relay.ready ? undefined : 'the bus is away: revocations may be missing'
    },
    start: () => relay.start(),
    async close(): Promise<void> {
      await presence?.close()
      await leases?.close()
      await relay.close()
      unwatch?.()
    },
    leases,
    /** The handshake rate that holds across nodes. When the store is away the local one goes on alone. */
    sharedRate: (perMinute: number) => {
      if (leases === undefined || stores === undefined) return undefined
      return async (address: string | undefined): Promise<Refusal | undefined> => {
        const key = `handshakes:${addressKey(address)}`
        const within = await stores.counters.hit(key, 60_000, perMinute, now()).catch((error: unknown) => {
          failed('rate', error)
          return true
        })
        if (within) return undefined
        return refuse('SWS_TOO_MANY_HANDSHAKES', `${key} on all nodes`, { headers: { 'retry-after': '60' } })
      }
    },
    /**
     * CS-16: one nonce counts once on all nodes. This node's own guard first, which costs no round trip; a place that only one
     * can take then decides between nodes. Rejects when the store is away: the message is refused.
     */
    sharedReplayGuard(own: ReplayGuard): ReplayGuard {
      if (leases === undefined || stores === undefined) return own
      const { counters } = stores
      // A node whose clock is behind still takes the message for fresh when ours would not.
      const skew = bus.clockSkew ?? 30_000
      return {
        async remember(owner, nonce, expiresAt, time) {
          const verdict = await own.remember(owner, nonce, expiresAt, time)
          // An anonymous socket is its own session, and is on this node only.
          if (verdict !== 'fresh' || typeof owner !== 'string') return verdict
          const key = `nonce:${JSON.stringify([owner, nonce])}`
          return (await counters.acquire(key, randomUUID(), 1, expiresAt - time + skew)) ? 'fresh' : 'seen'
        },
      }
    },
    async members(room: string): Promise<readonly RoomMember[]> {
      const name = roomName(room)
      if (presence !== undefined) return presence.members(name)
      return [...rooms.members(name)].map(({ id, session }) => ({ socket: id, userId: session?.userId }))
    },
    audience: (names: readonly string[], except: readonly string[] = []): Audience =>
      createAudience({ rooms, prepare }, names, except),
    /**
     * @param since when the handshake began that showed this session, in ms. A session that does not say when it was
     * authenticated is at least as old as that: a log-out heard in between hits it, and nobody else would remember to.
     */
    isDenied({ id, userId, tokenId, authenticatedAt }: Session, since: number): boolean {
      if (relay.findDenial({ sessionId: id, userId, tokenId, authenticatedAt }) !== undefined) return true
      if (userId === undefined || authenticatedAt !== undefined) return false
      return (usersHeard.get(denialKey('user', userId)) ?? Number.NEGATIVE_INFINITY) >= since
    },
    async revoke(subject: Subject, until: number | undefined): Promise<void> {
      const [kind, id] = checkSubject(subject)
      const at = now()
      // With an end it is a ban: nobody of this identity comes back before, however freshly authenticated.
      await relay.deny(denialOf(kind, id, until ?? at, until ?? at + lifetime))
    },
    /** Asks again, here and everywhere, what a user may do. */
    reauthorize(subject: Subject): void {
      const [kind, id] = checkSubject(subject)
      const told = denialOf(kind, id, now(), now())
      askAgain(identities.of(`${told.kind}:${told.id}`))
      relay.publish({ kind: 'identity', verb: 'reauthorize', subject: told })
    },
    socketsOf(subject: Subject): readonly Connection[] {
      const [kind, id] = checkSubject(subject)
      const { id: digest } = denialOf(kind, id, 0, 0)
      return [...identities.of(`${kind}:${digest}`)]
    },
  }
}

export type { RoomMember }
export type Node = ReturnType<typeof createNode>

function isLaterThan(denial: Denial, { authenticatedAt }: Session): boolean {
  return denial.kind === 'user' && authenticatedAt !== undefined && authenticatedAt > denial.at
}

function checkSubject(subject: Subject): [Denial['kind'], string] {
  const given = Object.entries({ session: subject?.sessionId, user: subject?.userId, token: subject?.tokenId }).filter(
    (entry): entry is [Denial['kind'], string] => typeof entry[1] === 'string' && entry[1] !== '',
  )
  const [only] = given
  if (only === undefined || given.length > 1) {
    throw new SecureWsError(
      'SWS_BAD_SUBJECT',
      'Name one of { sessionId }, { userId } or { tokenId }, as a non-empty string.',
    )
  }
  return only
}
