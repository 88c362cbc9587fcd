import { createLeases } from '../capacity/leases.ts'
import { createSharedRate, createSharedReplayGuard } from '../capacity/on-all-nodes.ts'
import type { Connection } from '../connection/connection.ts'
import type { Held } from '../connection/held.ts'
import { SecureWsError } from '../errors.ts'
import type { ReplayGuard } from '../inbound/replay.ts'
import { boundStores } from '../relay/bounded-stores.ts'
import { type Bus, roomTopic } from '../relay/bus.ts'
import { createBusFaults } from '../relay/bus-faults.ts'
import { reasonOf } from '../relay/fault.ts'
import { createHoldings } from '../relay/holdings.ts'
import { createRelay, type RelayMessage } from '../relay/relay.ts'
import type { Identities } from '../revocation/identities.ts'
import type { Revalidation } from '../revocation/revalidation.ts'
import { createRevocation } from '../revocation/revocation.ts'
import { type Audience, createAudience } from '../rooms/audience.ts'
import { createPresence, type RoomMember } from '../rooms/presence.ts'
import { createRemoteRooms } from '../rooms/remote-rooms.ts'
import { roomName } from '../rooms/room-name.ts'
import { createRooms, type Member, type Rooms } from '../rooms/rooms.ts'
import { defaultClockSkew } from '../session/denials.ts'
import type { Audit, AuditLogger } from '../telemetry/audit.ts'
import type { BusHealth } from '../telemetry/health.ts'
import type { Traces } from '../telemetry/traces.ts'
import { everyNode, oneNode } from './order.ts'
import { createRemoteSockets } from './remote-sockets.ts'

export interface RemoteOptions {
  readonly bus: Bus
  /** Nobody else has this bus: there is no other node, and none that could ask for the places of this one. */
  readonly isAlone: boolean
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

/** This node among the others: all that crosses the bus, and whose it is. */
export function createRemote(options: RemoteOptions) {
  const { bus, isAlone, now, uptime, audit, identities, revalidation, senders, sockets } = options
  const { leaseTtl, clockSkew } = bus
  const stores = isAlone ? undefined : bus.stores && boundStores(bus.stores)
  const faults = createBusFaults(bus.name, options.log)
  const unwatch = bus.onFailure?.((error) => faults.failed(error))
  /** When the first failure was since all was well, on the clock that nobody can set. */
  let failedAt: number | undefined

  const relay = createRelay({
    bus,
    now,
    onMessage: hear,
    onCaughtUp: caughtUp,
    onFailure: failed,
    onTwin: separate,
    onAge: options.onAge,
    onRefused: (reason) => audit({ type: 'relay.refused', reason }),
  })
  /** Its name among the nodes, and of its inbox. */
  let { nodeId } = relay
  const revocation = createRevocation({ ...options, relay, clockSkew })
  const holdings =
    stores &&
    createHoldings({
      store: stores.leases,
      uptime,
      ...(leaseTtl !== undefined && { ttl: leaseTtl }),
      onFailure: (error) => failed('leases', error),
    })
  const presence = holdings && createPresence(holdings)
  /** One process needs no shared counts: its own are exact, and cost no round trip. */
  const shared = bus.name === 'memory' ? undefined : stores
  const rooms: Rooms<Connection> = createRooms({
    roomsPerSocket: options.roomsPerSocket,
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
  const remoteSockets = createRemoteSockets({
    nodeId: () => nodeId,
    rooms,
    socketsOf: (key) => (key === undefined ? sockets() : identities.of(key)),
    publish: (room, frame) => relay.publish({ kind: 'room', room, frame }),
    nodes: isAlone
      ? async () => [nodeId]
      : presence && (async () => (await presence.members(everyNode)).map(({ socket }) => socket)),
  })

  function hear(message: RelayMessage): void {
    if (message.kind === 'identity') revocation.hear(message)
    else if (remoteSockets.isInbox(message.room)) hearNode(message.room, message.frame)
    else remoteRooms.hear(message.frame)
  }

  function hearNode(room: string, frame: string): void {
    if (!remoteSockets.hear(room, frame)) {
      throw new SecureWsError('SWS_INVALID_OUTPUT', 'not an order, and not an answer')
    }
  }

  function failed(stage: string, error: unknown): void {
    if (!relay.ready) failedAt ??= uptime()
    audit({ type: 'relay.failed', code: stage, reason: reasonOf(error) })
    faults.failed(error)
  }

  /**
   * A copy of this process has the inbox, the entry among the nodes and the tenure of this one. The tenure ends: whichever of the two
   * notices last writes what it has into one of its own.
   */
  function separate(renamed: string): void {
    const before = nodeId
    nodeId = renamed
    relay.joinTopic(oneNode(nodeId))
    relay.leaveTopic(oneNode(before))
    presence?.enter(memberOf(nodeId), everyNode)
    presence?.leave(memberOf(before), everyNode)
    holdings?.renew()
  }

  /** While the bus was away, rights may have changed without a word: everybody is asked again, a bounded number at a time. */
  function caughtUp(): void {
    faults.recovered()
    if (failedAt !== undefined) audit({ type: 'relay.recovered', durationMs: Math.round(uptime() - failedAt) })
    failedAt = undefined
    for (const connection of sockets()) revalidation.request(connection)
    holdings?.renew()
  }

  return {
    rooms,
    revocation,
    sockets: remoteSockets,
    leases: holdings && shared && createLeases(holdings),
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
      for (const inbox of [everyNode, oneNode(nodeId)]) relay.joinTopic(inbox)
      await started
      presence?.enter(memberOf(nodeId), everyNode)
      // Before the first client: from then on this node answers for its sockets, and must be missed where it does not.
      await presence?.members(everyNode).catch((error: unknown) => failed('leases', error))
    },
    async stop(): Promise<void> {
      await holdings?.close()
      await relay.close()
      unwatch?.()
    },
    sharedRate: (perMinute: number) =>
      shared && createSharedRate(shared.rates, perMinute, (error) => failed('rate', error)),
    replayGuard: (own: ReplayGuard) =>
      shared === undefined ? own : createSharedReplayGuard(own, shared.leases, clockSkew ?? defaultClockSkew),
    async members(room: string): Promise<readonly RoomMember[]> {
      const name = roomName(room)
      if (presence !== undefined) return presence.members(name)
      return [...rooms.members(name)].map(({ id, identity }) => ({ socket: id, userId: identity?.userId }))
    },
    audience: (names: readonly string[], except: readonly string[] = []): Audience =>
      createAudience({ rooms, prepare: remoteRooms.prepare }, names.map(roomName), except),
  }
}

/** A node as a member of the room of all nodes. */
function memberOf(nodeId: string): Member {
  return { id: nodeId, session: null, identity: null }
}

export type Remote = ReturnType<typeof createRemote>
