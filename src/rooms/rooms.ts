import { SecureWsError } from '../errors.ts'
import type { Identity } from '../session/identity.ts'
import type { Session } from '../session/session.ts'
import { roomName } from './room-name.ts'

/** What a room needs of a socket. `connection` satisfies it; neither imports the other. */
export interface Member {
  readonly id: string
  readonly session: Session | null
  readonly identity: Identity | null
}

/** How long a member may stay, and whether it is asked again if it may. */
export interface Grant {
  /** Milliseconds since the epoch; afterwards the member is out of the room, not off the server. Default: no end. */
  readonly until?: number
  /**
   * Asked at the join, then at each revalidation and by `reauthorize`; anything but `true` refuses the join, or ends the
   * membership. A question that throws, or stays unanswered for `limits.lookup`, is a no. Default: the
   * membership stays.
   */
  readonly authorize?: (session: Session | null) => boolean | Promise<boolean>
}

export interface Rooms<M extends Member> {
  /**
   * Says whether the member was not in the room before.
   * @throws SecureWsError `SWS_BAD_ROOM`, `SWS_TOO_MANY_ROOMS`
   */
  join(member: M, room: string, grant?: Grant): boolean
  /**
   * A place for a member whom somebody is asked about: it counts among its rooms, and is gone when the member leaves the
   * room, is taken out of it, joins it otherwise or closes. @throws as `join`
   */
  reserve(member: M, room: string): Reservation
  /** True when it was in the room; who was about to come in does not come in. */
  leave(member: M, room: string): boolean
  /** Called once when a socket has closed: afterwards nothing here refers to it. */
  forget(member: M): void
  of(member: M): ReadonlySet<string>
  grants(member: M): ReadonlyMap<string, Grant>
  members(room: string): ReadonlySet<M>
  /** Ends the grants whose time is over and returns them. */
  expire(now: number): readonly { readonly member: M; readonly room: string }[]
  readonly size: number
}

/** A place in a room until the answer is there. */
export interface Reservation {
  /** Is it still asked for? */
  readonly stands: boolean
  /** Turns it into a membership, and says whether it is a new one. Does nothing when it no longer stands. */
  enter(grant: Grant): boolean
  cancel(): void
}

export interface RoomsOptions {
  readonly roomsPerSocket: number
  /** The first local member of a room has joined, the last one has left: when the relay listens for it. */
  readonly onFirst?: (room: string) => void
  readonly onLast?: (room: string) => void
  readonly onJoined?: (member: Member, room: string) => void
  readonly onLeft?: (member: Member, room: string) => void
}

const nobody: ReadonlySet<never> = new Set()
const nowhere: ReadonlyMap<string, Grant> = new Map()
const noGrant: Grant = Object.freeze({})

/** Who is in which room, on this node. Two maps that always agree: room to members, member to grants. */
export function createRooms<M extends Member>(options: RoomsOptions): Rooms<M> {
  const { roomsPerSocket, onFirst, onLast, onJoined, onLeft } = options
  const membersOf = new Map<string, Set<M>>()
  const grantsOf = new Map<M, Map<string, Grant>>()
  const timed = new Map<M, number>()
  const awaited = new Map<M, Map<string, Reservation>>()

  function unawait(member: M, room: string): void {
    const rooms = awaited.get(member)
    if (rooms?.delete(room) && rooms.size === 0) awaited.delete(member)
  }

  function checkRoomFor(member: M, room: string): void {
    const grants = grantsOf.get(member)
    const coming = awaited.get(member)
    if (grants?.has(room) === true || coming?.has(room) === true) return
    if ((grants?.size ?? 0) + (coming?.size ?? 0) < roomsPerSocket) return
    throw new SecureWsError(
      'SWS_TOO_MANY_ROOMS',
      `This socket is in ${roomsPerSocket} rooms already. Leave one first, or raise \`limits.roomsPerSocket\`.`,
    )
  }

  function join(member: M, room: string, grant: Grant): boolean {
    checkRoomFor(member, room)
    unawait(member, room)
    const grants = grantsOf.get(member)
    const known = grants?.get(room)
    if (known?.until !== undefined) untime(member)
    if (grant.until !== undefined) timed.set(member, (timed.get(member) ?? 0) + 1)
    if (grants === undefined) grantsOf.set(member, new Map([[room, grant]]))
    else grants.set(room, grant)
    if (known === undefined) onJoined?.(member, room)
    const members = membersOf.get(room)
    if (members !== undefined) {
      members.add(member)
      return known === undefined
    }
    membersOf.set(room, new Set([member]))
    onFirst?.(room)
    return true
  }

  function leave(member: M, room: string): boolean {
    unawait(member, room)
    const grants = grantsOf.get(member)
    const grant = grants?.get(room)
    if (grants === undefined || grant === undefined) return false
    grants.delete(room)
    if (grants.size === 0) grantsOf.delete(member)
    if (grant.until !== undefined) untime(member)
    onLeft?.(member, room)
    const members = membersOf.get(room)
    members?.delete(member)
    if (members?.size === 0) {
      membersOf.delete(room)
      onLast?.(room)
    }
    return true
  }

  function untime(member: M): void {
    const left = (timed.get(member) ?? 1) - 1
    if (left === 0) timed.delete(member)
    else timed.set(member, left)
  }

  return {
    join: (member, name, grant = noGrant) => join(member, roomName(name), grant),
    leave: (member, name) => leave(member, roomName(name)),
    reserve(member, name) {
      const room = roomName(name)
      checkRoomFor(member, room)
      const mine: Reservation = {
        get stands() {
          return awaited.get(member)?.get(room) === mine
        },
        enter: (grant) => mine.stands && join(member, room, grant),
        cancel: () => (mine.stands ? unawait(member, room) : undefined),
      }
      const rooms = awaited.get(member)
      if (rooms === undefined) awaited.set(member, new Map([[room, mine]]))
      else rooms.set(room, mine)
      return mine
    },
    forget(member) {
      awaited.delete(member)
      const grants = grantsOf.get(member)
      if (grants !== undefined) for (const room of [...grants.keys()]) leave(member, room)
    },
    of: (member) => new Set(grantsOf.get(member)?.keys() ?? []),
    grants: (member) => grantsOf.get(member) ?? nowhere,
    members: (name) => membersOf.get(roomName(name)) ?? nobody,
    expire(now) {
      const ended = []
      for (const member of [...timed.keys()]) {
        for (const [room, grant] of [...(grantsOf.get(member) ?? nowhere)]) {
          if (grant.until === undefined || grant.until > now) continue
          leave(member, room)
          ended.push({ member, room })
        }
      }
      return ended
    },
    get size() {
      return membersOf.size
    },
  }
}
