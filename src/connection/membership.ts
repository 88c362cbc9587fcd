import { SecureWsError } from '../errors.ts'
import type { Grant, Rooms } from '../rooms/rooms.ts'
import type { Connection } from './connection.ts'

/** Adds a socket to a room, and tells which way it went. @throws SecureWsError `SWS_BAD_ROOM`, `SWS_TOO_MANY_ROOMS` */
export function joinRoom(connection: Connection, rooms: Rooms<Connection>, room: string, grant?: Grant): void {
  if (connection.ended) return
  try {
    if (rooms.join(connection, room, grant)) connection.audit({ type: 'room.joined', room })
  } catch (error) {
    if (error instanceof SecureWsError) {
      connection.audit({ type: 'room.refused', code: error.code, reason: error.message })
    }
    throw error
  }
}

/** Takes a socket out of a room. @throws SecureWsError `SWS_BAD_ROOM` */
export function leaveRoom(connection: Connection, rooms: Rooms<Connection>, room: string): void {
  if (rooms.leave(connection, room)) connection.audit({ type: 'room.left', room })
}
