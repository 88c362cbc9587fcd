import { randomUUID } from 'node:crypto'
import { createLeases } from './capacity/leases.ts'
import type { Connection } from './connection/connection.ts'
import type { Held } from './connection/held.ts'
import { CloseCode, SecureWsError } from './errors.ts'
import { addressKey } from './http/address.ts'
import { type Refusal, refuse } from './http/refusal.ts'
import type { ReplayGuard } from './inbound/replay.ts'
import { type Bus, roomTopic } from './relay/bus.ts'
import { createBusFaults } from './relay/bus-faults.ts'
import { reasonOf } from './relay/fault.ts'
import { createHoldings } from './relay/holdings.ts'
import { createRelay, type RelayMessage } from './relay/relay.ts'
import { everyNode } from './remote/order.ts'
import { createRemoteSockets } from './remote/remote-sockets.ts'
import type { Identities } from './revocation/identities.ts'
import { createReauthorized } from './revocation/reauthorized.ts'
import type { Revalidation } from './revocation/revalidation.ts'
import { type Audience, createAudience } from './rooms/audience.ts'
import { createPresence, type RoomMember } from './rooms/presence.ts'
import { createRemoteRooms } from './rooms/remote-rooms.ts'
import { roomName } from './rooms/room-name.ts'
import { createRooms, type Rooms } from './rooms/rooms.ts'
import { type Denial, defaultClockSkew, denialOf, hitsOpenSocket } from './session/denials.ts'
import type { Identity } from './session/identity.ts'
import { checkSubject, type Subject } from './session/subject.ts'
import { checkUntil } from './session/until.ts'
import type { Audit, AuditLogger } from './telemetry/audit.ts'
import type { BusHealth } from './telemetry/health.ts'
import type { Traces } from './telemetry/traces.ts'

/** The result of a revocation, known when its promise resolves. */
export interface Revoked {
  /** Sockets closed on this node. */
  readonly closed: number
  /** Whether it is kept where the other nodes will find it. `false`: only this node knows; it is tried again, and once more at the end. */
  readonly stored: boolean
}

export interface NodeOptions {
  readonly bus: Bus
  readonly now: () => number
  /** A clock that nobody can set. */
  readonly uptime: () => number
  readonly audit: Audit
  readonly log: AuditLogger
  readonly identities: Identities<Held>
  /** How long a credential could live, in ms: for so long a revocation is remembered. */
  readonly maxAge: number
  readonly traces: Traces | undefined
  /** Told how old an envelope of another node was when it came, in ms. */
  readonly onAge: ((age: number) => void) | undefined
  readonly roomsPerSocket: number
  readonly revalidation: Revalidation
  /** Whose message is being dealt with, and how to go on in the name of a sender. */
  readonly senders: { current(): string | undefined; as<T>(name: string, work: () => T): T }
  /** Every open socket of this node. */
  readonly sockets: () => Iterable<Held>
}

/** This node among the others: its rooms, who was revoked, and what it tells and hears over the relay. */
export function createNode(options: NodeOptions) {
  const { bus, now, uptime, audit, log, identities, maxAge, roomsPerSocket, revalidation, senders, sockets } = options
  const nodeId = randomUUID()
  const reauthorized = createReauthorized()
  const relay = createRelay({
    bus,
    now,
    nodeId,
    onMessage: hear,
    // While the bus was away, rights may have changed without a word: everybody is asked again, a bounded number at a time.
    onCaughtUp() {
      faults.recovered()
      if (failedAt !== undefined) audit({ type: 'relay.recovered', durationMs: Math.round(uptime() - failedAt) })
      failedAt = undefined
      askAgain(sockets())
      holdings?.renew()
    },
    onFailure: failed,
    onAge: options.onAge,
    onRefused: (reason) => audit({ type: 'relay.refused', reason }),
  })
  const { stores, leaseTtl } = bus
  const holdings =
    stores &&
    createHoldings({
      store: stores.leases,
      uptime,
      ...(leaseTtl !== undefined && { ttl: leaseTtl }),
      onFailure: (error) => failed('leases', error),
    })
  const presence = holdings && createPresence(holdings)
  // One process needs no shared counts: its own are exact, and cost no round trip.
  const leases = holdings === undefined || bus.name === 'memory' ? undefined : createLeases(holdings)
  const rooms: Rooms<Connection> = createRooms({
    roomsPerSocket,
    onFirst: (room) => relay.joinTopic(room),
    onLast: (room) => relay.leaveTopic(room),
    onJoined: (member, room) => presence?.enter(member, room),
    onLeft: (member, room) => presence?.leave(member, room),
  })

  const remoteRooms = createRemoteRooms({
    rooms,
    audience: (room) => bus.audience?.(roomTopic(room)),
    publish: (room, frame) => void relay.publish({ kind: 'room', room, frame }),
    senders,
    traces: options.traces,
  })
  const remote = createRemoteSockets({
    nodeId,
    rooms,
    socketsOf: (key) => (key === undefined ? sockets() : identities.of(key)),
    publish: (room, frame) => relay.publish({ kind: 'room', room, frame }),
    nodes: presence && (async () => (await presence.members(everyNode)).map(({ socket }) => socket)),
  })
  const faults = createBusFaults(bus.name, log)
  const unwatch = bus.onFailure?.((error) => faults.failed(error))

  /** When the first failure was since all was well, on the clock that nobody can set. */
  let failedAt: number | undefined
  /** A revocation of this node's own is told where it was called. */
  let isOwn = false

  function failed(stage: string, error: unknown): void {
    if (!relay.ready) failedAt ??= uptime()
    audit({ type: 'relay.failed', code: stage, reason: reasonOf(error) })
    faults.failed(error)
  }

  function askAgain(connections: Iterable<Held>, urgent = false): void {
    for (const connection of connections) revalidation.request(connection, urgent)
  }

  function hear(message: RelayMessage): void {
    if (message.kind === 'room' && remote.isInbox(message.room)) hearNode(message.room, message.frame)
    else if (message.kind === 'room') remoteRooms.hear(message.frame)
    else if (message.verb === 'close') denied(message.subjects)
    else for (const subject of message.subjects) rightsChanged(subject)
  }

  function hearNode(room: string, frame: string): void {
    if (!remote.hear(room, frame)) throw new SecureWsError('SWS_INVALID_OUTPUT', 'not an order, and not an answer')
  }

  function rightsChanged({ kind, id }: Denial): void {
    const key = `${kind}:${id}`
    reauthorized.note(key, uptime())
    askAgain(identities.of(key), true)
  }

  function denied(denials: readonly Denial[]): void {
    const count = closeDenied(denials)
    if (count === 0 || isOwn) return
    // By the clocks of two machines; a ban is dated ahead.
    const at = Math.min(...denials.map((denial) => denial.at))
    audit({ type: 'session.revocation-heard', count, durationMs: Math.max(0, now() - at) })
  }

  /** Has the relay learn of denials of this node's own. */
  function deny(...denials: readonly Denial[]): Promise<boolean> {
    const before = isOwn
    isOwn = true
    try {
      return relay.deny(...denials)
    } finally {
      isOwn = before
    }
  }

  /**
   * Denials are in force: what they hit is shut before this returns, and nothing is handled or sent on it any more. A user
   * may sign in again; the very sessions that were closed may not come back, whether or not they say when they began: they
   * are denied by name, in one list.
   *
   * @returns how many sockets it has shut
   */
  function closeDenied(denials: readonly Denial[]): number {
    const byName = new Map<string, Denial>()
    let count = 0
    for (const denial of denials) {
      for (const connection of [...identities.of(`${denial.kind}:${denial.id}`)]) {
        const { identity } = connection
        if (identity === null) continue
        if (!hitsOpenSocket(denial, identity, connection.openedAt, bus.clockSkew)) continue
        if (!connection.ended) count++
        connection.end(CloseCode.Unauthorized, `${denial.kind} revoked`)
        const known = relay.findDenial({ keys: [identity.keys[0]] })
        if (denial.kind !== 'user' || (known !== undefined && known.until >= denial.until)) continue
        byName.set(identity.sessionId, denialOf('session', identity.sessionId, denial.at, denial.until))
      }
    }
    if (byName.size > 0) void deny(...byName.values())
    return count
  }

  return {
    rooms,
    /** Why no session can be judged right now; `undefined` while all revocations are known. */
    get unjudgeable(): string | undefined {
      return relay.ready ? undefined : 'the bus is away: revocations may be missing'
    },
    get busHealth(): BusHealth {
      if (bus.state === 'down') return 'away'
      return relay.ready ? 'up' : 'catching-up'
    },
    async start(): Promise<void> {
      const started = relay.start()
      for (const inbox of remote.inboxes) relay.joinTopic(inbox)
      await started
      presence?.enter({ id: nodeId, session: null, identity: null }, everyNode)
      // Before the first client: from then on this node answers for its sockets, and must be missed where it does not.
      await presence?.members(everyNode).catch((error: unknown) => failed('leases', error))
    },
    remote,
    async close(): Promise<void> {
      await holdings?.close()
      await relay.close()
      unwatch?.()
    },
    leases,
    /** The handshake rate that holds across nodes. When the store is away the local one goes on alone. */
    sharedRate: (perMinute: number) => {
      if (leases === undefined || stores === undefined) return undefined
      return async (address: string | undefined, side: 'check' | 'take'): Promise<Refusal | undefined> => {
        const key = `handshakes:${addressKey(address)}`
        const within = await stores.rates
          .hit(key, 60_000, perMinute, side === 'take' ? 1 : 0)
          .catch((error: unknown) => {
            failed('rate', error)
            return true
          })
        if (within) return undefined
        return refuse('SWS_TOO_MANY_HANDSHAKES', 'this address has made too many handshakes on all nodes', {
          headers: { 'retry-after': '60' },
        })
      }
    },
    /**
     * CS-16: one nonce counts once on all nodes. This node's own guard first, which costs no round trip; a place that only one
     * can take then decides between nodes. Rejects when the store is away: the message is refused.
     */
    sharedReplayGuard(own: ReplayGuard): ReplayGuard {
      if (leases === undefined || stores === undefined) return own
      const store = stores.leases
      // A node whose clock is behind still takes the message for fresh when ours would not.
      const skew = bus.clockSkew ?? defaultClockSkew
      return {
        async remember(owner, nonce, expiresAt, time) {
          const verdict = await own.remember(owner, nonce, expiresAt, time)
          // An anonymous socket is its own session, and is on this node only.
          if (verdict !== 'fresh' || typeof owner !== 'string') return verdict
          const key = `nonce:${JSON.stringify([owner, nonce])}`
          // Of no tenure: it counts as used also when this node has gone.
          return (await store.take({ key, holder: randomUUID() }, 1, expiresAt - time + skew)) ? 'fresh' : 'seen'
        },
      }
    },
    async members(room: string): Promise<readonly RoomMember[]> {
      const name = roomName(room)
      if (presence !== undefined) return presence.members(name)
      return [...rooms.members(name)].map(({ id, identity }) => ({ socket: id, userId: identity?.userId }))
    },
    audience: (names: readonly string[], except: readonly string[] = []): Audience =>
      createAudience({ rooms, prepare: remoteRooms.prepare }, names.map(roomName), except),
    /** @param since when the handshake began that showed this identity, on the clock that nobody can set */
    isDenied: (identity: Identity, since: number): boolean => relay.findDenial(identity, since) !== undefined,
    isStale: (identity: Identity, since: number): boolean => reauthorized.isStale(identity, since),
    async revoke(subject: Subject, until: number | undefined): Promise<Revoked> {
      const [kind, id] = checkSubject(subject)
      const at = now()
      checkUntil('revoke.until', until, at)
      // With an end it is a ban: nobody of this identity comes back before, however freshly authenticated.
      const denial = denialOf(kind, id, until ?? at, until ?? at + maxAge)
      const open = [...identities.of(`${kind}:${denial.id}`)].filter(({ ended }) => !ended)
      const keeping = deny(denial)
      // Revoked twice within a millisecond, the second one says nothing new; who came in between is closed all the same.
      closeDenied([denial])
      const closed = open.filter(({ ended }) => ended).length
      return { closed, stored: await keeping }
    },
    /** Asks again, here and everywhere, what a user may do. @returns how many sockets of this node it concerns */
    reauthorize(subject: Subject): number {
      const [kind, id] = checkSubject(subject)
      const told = denialOf(kind, id, now(), now())
      rightsChanged(told)
      void relay.publish({ kind: 'identity', verb: 'reauthorize', subjects: [told] })
      return [...identities.of(`${kind}:${told.id}`)].filter(({ ended }) => !ended).length
    },
    socketsOf(subject: Subject): readonly Held[] {
      const [kind, id] = checkSubject(subject)
      const { id: digest } = denialOf(kind, id, 0, 0)
      return [...identities.of(`${kind}:${digest}`)]
    },
  }
}

export type { RoomMember }
export type Node = ReturnType<typeof createNode>
