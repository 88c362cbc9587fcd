import { badOption, SecureWsError } from '../errors.ts'
import type { Recipient } from '../rooms/audience.ts'
import type { Grant, Reservation, Rooms } from '../rooms/rooms.ts'
import { checkUntil } from '../session/until.ts'
import type { Connection } from './connection.ts'
import { permits } from './rights.ts'
import type { Surroundings } from './surroundings.ts'

/** So often a question is asked again because what it was about has changed meanwhile; then the answer is no. */
const mostAsked = 3

/**
 * Adds a socket to a room, and tells which way it went. With an `authorize` somebody is asked first, and the promise says whether the socket is in; it never rejects.
 *
 * @throws SecureWsError `SWS_BAD_ROOM`, `SWS_TOO_MANY_ROOMS`, `SWS_BAD_OPTION`: at the call, never later. A client may name the
 * room, and a rejection that nobody hears would end the process.
 */
export function joinRoom(
  connection: Connection,
  surroundings: Surroundings,
  room: string,
  grant?: Grant,
): Promise<boolean> | undefined {
  const { rooms, now } = surroundings
  const asks = grant?.authorize !== undefined
  try {
    checkGrant(grant, now())
    if (connection.ended) return asks ? Promise.resolve(false) : undefined
    if (asks) return ask(connection, surroundings, room, grant, rooms.reserve(connection, room))
    if (isOver(grant, now())) refused(connection, room, 'the grant is over')
    else if (rooms.join(connection, room, grant)) connection.audit({ type: 'room.joined', room })
    return undefined
  } catch (error) {
    if (error instanceof SecureWsError) {
      connection.audit({ type: 'room.refused', code: error.code, reason: error.message })
    }
    throw error
  }
}

/** Takes a socket out of a room, or lets it not come in. @throws SecureWsError `SWS_BAD_ROOM` */
export function leaveRoom(connection: Connection, rooms: Pick<Rooms<Recipient>, 'leave'>, room: string): void {
  if (rooms.leave(connection, room)) connection.audit({ type: 'room.left', room })
}

/** Takes a socket out of a room because somebody says so. False: it was not there; it does not come in if it was about to. */
export function kickFrom(connection: Connection, rooms: Pick<Rooms<Recipient>, 'leave'>, room: string): boolean {
  if (!rooms.leave(connection, room)) return false
  connection.leftRoom(room, 'kicked')
  return true
}

async function ask(
  connection: Connection,
  { now, uptime, isStale }: Surroundings,
  room: string,
  grant: Grant,
  place: Reservation,
): Promise<boolean> {
  for (let asked = 0; asked < mostAsked; asked++) {
    const { signedIn } = connection
    const since = uptime()
    const allowed = await permits(grant, connection)
    // Race: left, kicked, closed, or joined otherwise while the question was open.
    if (connection.ended || !place.stands) {
      place.cancel()
      return false
    }
    // Race: another session, or other rights, than those that were asked about.
    const { identity } = connection
    if (connection.signedIn !== signedIn || (identity !== null && isStale(identity, since))) continue
    if (!allowed || isOver(grant, now())) {
      place.cancel()
      return refused(connection, room, allowed ? 'the grant is over' : '`authorize` says no')
    }
    if (place.enter(grant)) connection.audit({ type: 'room.joined', room })
    return true
  }
  place.cancel()
  return refused(connection, room, 'the rights kept changing')
}

function refused(connection: Connection, room: string, reason: string): false {
  connection.audit({ type: 'room.refused', room, reason })
  return false
}

function isOver(grant: Grant | undefined, now: number): boolean {
  return grant?.until !== undefined && grant.until <= now
}

function checkGrant(grant: Grant | undefined, now: number): void {
  if (grant === undefined) return
  if (grant.authorize !== undefined && typeof grant.authorize !== 'function') {
    throw badOption('join.authorize', grant.authorize, 'Write a function: (session) => session.rooms.includes(id).')
  }
  checkUntil('join.until', grant.until, now)
}
