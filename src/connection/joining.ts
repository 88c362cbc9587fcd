import { badOption } from '../errors.ts'
import type { Grant, Reservation } from '../rooms/rooms.ts'
import { checkUntil } from '../session/until.ts'
import type { Surroundings } from './admitted.ts'
import type { Connection } from './connection.ts'
import { permits } from './rights.ts'

/** So often a question is asked again because what it was about has changed meanwhile; then the answer is no. */
const mostAsked = 3

/**
 * Into a room. With an `authorize` somebody is asked first, and the promise says whether the socket is in; it never rejects.
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
  checkGrant(grant, now())
  if (connection.ended) return asks ? Promise.resolve(false) : undefined
  if (!asks && !isOver(grant, now())) {
    rooms.join(connection, room, grant)
    return undefined
  }
  const place = rooms.reserve(connection, room)
  if (asks) return ask(connection, surroundings, room, grant, place)
  place.cancel()
  refused(connection, room, 'the grant is over')
  return undefined
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
    place.enter(grant)
    connection.audit({ type: 'room.joined', room, reason: '`authorize` says yes' })
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
