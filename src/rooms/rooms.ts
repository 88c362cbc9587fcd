import { SecureWsError } from '../errors.ts'
import type { Identity } from '../session/identity.ts'
import type { Session } from '../session/session.ts'
import { roomName } from './room-name.ts'

/** What a room needs of a socket. `connection` satisfies it; neither imports the other. */
export interface Member {
  readonly id: string
  readonly session: Session | null
  readonly identity: Identity | null
  /** The first of its memberships, which the rooms alone read and write. */
  membership?: Membership | undefined
}

/** That a member is in a room. Linked: most are in one or two, and a map for each took more than the rest of the membership. */
export interface Membership {
  readonly room: string
  grant: Grant
  next: Membership | undefined
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
  /** The grants of all its rooms. */
  grants(member: M): readonly (readonly [room: string, Grant])[]
  /** The grant by which it is in a room; `undefined` when it is not. */
  grant(member: M, room: string): Grant | undefined
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
const noGrant: Grant = Object.freeze({})

/** The members of the rooms, on this node: a room has its members and a member its memberships, which always agree. */
export function createRooms<M extends Member>(options: RoomsOptions): Rooms<M> {
  const { roomsPerSocket, onFirst, onLast, onJoined, onLeft } = options
  const membersOf = new Map<string, Set<M>>()
  const timed = new Map<M, number>()
  const awaited = new Map<M, Map<string, Reservation>>()

  function unawait(member: M, room: string): void {
    const rooms = awaited.get(member)
    if (rooms?.delete(room) && rooms.size === 0) awaited.delete(member)
  }

  function checkRoomFor(member: M, room: string): void {
    const coming = awaited.get(member)
    if (coming?.has(room) === true) return
    let count = coming?.size ?? 0
    for (let each = member.membership; each !== undefined; each = each.next) {
      if (each.room === room) return
      count++
    }
    if (count < roomsPerSocket) return
    throw new SecureWsError(
      'SWS_TOO_MANY_ROOMS',
      `This socket is in ${roomsPerSocket} rooms already. Leave one first, or raise \`limits.roomsPerSocket\`.`,
    )
  }

  function join(member: M, room: string, grant: Grant): boolean {
    checkRoomFor(member, room)
    unawait(member, room)
    const known = membershipOf(member, room)
    if (known?.grant.until !== undefined) untime(member)
    if (grant.until !== undefined) timed.set(member, (timed.get(member) ?? 0) + 1)
    if (known !== undefined) {
      known.grant = grant
      return false
    }
    enter(member, room, grant)
    onJoined?.(member, room)
    const members = membersOf.get(room)
    if (members !== undefined) {
      members.add(member)
      return true
    }
    membersOf.set(room, new Set([member]))
    onFirst?.(room)
    return true
  }

  function leave(member: M, room: string): boolean {
    unawait(member, room)
    const membership = membershipOf(member, room)
    if (membership === undefined) return false
    exit(member, membership)
    if (membership.grant.until !== undefined) untime(member)
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
      for (let each = member.membership; each !== undefined; each = member.membership) leave(member, each.room)
    },
    of: (member) => new Set(grantsOf(member).map(([room]) => room)),
    grants: grantsOf,
    grant: (member, room) => membershipOf(member, room)?.grant,
    members: (name) => membersOf.get(roomName(name)) ?? nobody,
    expire(now) {
      const ended = []
      for (const member of [...timed.keys()]) {
        for (const [room, grant] of grantsOf(member)) {
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

function membershipOf(member: Member, room: string): Membership | undefined {
  let each = member.membership
  while (each !== undefined && each.room !== room) each = each.next
  return each
}

/** Behind the others, in the order of joining. */
function enter(member: Member, room: string, grant: Grant): void {
  const membership: Membership = { room, grant, next: undefined }
  let last = member.membership
  while (last?.next !== undefined) last = last.next
  if (last === undefined) member.membership = membership
  else last.next = membership
}

function exit(member: Member, membership: Membership): void {
  let before = member.membership
  if (before === membership) {
    member.membership = membership.next
    return
  }
  while (before !== undefined && before.next !== membership) before = before.next
  if (before !== undefined) before.next = membership.next
}

function grantsOf(member: Member): (readonly [room: string, Grant])[] {
  const grants: (readonly [room: string, Grant])[] = []
  for (let each = member.membership; each !== undefined; each = each.next) grants.push([each.room, each.grant])
  return grants
}
