import type { Holdings } from '../relay/holdings.ts'
import type { Member } from './rooms.ts'

/** A socket in a room, wherever it is connected. */
export interface RoomMember {
  /** `socket.id`. */
  readonly socket: string
  /** The user of its session; `undefined` without a session, or where the session names no user. */
  readonly userId: string | undefined
}

/** The members of rooms on all nodes: each is a place that its node holds. */
export function createPresence(holdings: Pick<Holdings, 'put' | 'drop' | 'holders'>) {
  const roomKey = (room: string) => `room:${room}`
  const holderOf = ({ id, identity }: Member) => JSON.stringify([id, identity?.userId ?? null])
  return {
    enter: (member: Member, room: string): void => holdings.put(roomKey(room), holderOf(member)),
    leave: (member: Member, room: string): void => void holdings.drop(roomKey(room), holderOf(member)),
    members: async (room: string): Promise<readonly RoomMember[]> =>
      (await holdings.holders(roomKey(room))).flatMap(read),
  }
}

/** Total: what is in the store may have been put there by something else. */
function read(holder: string): RoomMember[] {
  try {
    const [socket, userId]: unknown[] = JSON.parse(holder)
    if (typeof socket !== 'string') return []
    return [{ socket, userId: typeof userId === 'string' ? userId : undefined }]
  } catch {
    return []
  }
}
