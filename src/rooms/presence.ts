import type { Claim } from '../relay/counters.ts'
import type { PresenceStore } from '../relay/presence.ts'
import type { Member } from './rooms.ts'

/** One socket in a room, wherever it is connected. */
export interface RoomMember {
  readonly socket: string
  readonly userId: string | undefined
}

export interface PresenceOptions {
  readonly store: PresenceStore
  /** How long a member outlives a node that was killed, in ms. Default 30,000; renewed three times as often. */
  readonly ttl?: number
  readonly onFailure: (error: unknown) => void
}

/**
 * Who is in a room on all nodes, as entries that end by themselves unless their node renews them. One timer while there is
 * anybody, none otherwise.
 */
export function createPresence({ store, ttl = 30_000, onFailure }: PresenceOptions) {
  const claims = new Map<string, Claim>()
  let timer: NodeJS.Timeout | undefined
  // Enter and leave of one member must arrive in the order they happened: a ghost would stay until its time is over.
  let queue: Promise<void> = Promise.resolve()

  function later(task: () => Promise<void>): void {
    queue = queue.then(task).catch(onFailure)
  }

  function renew(): void {
    later(() => store.renew([...claims.values()], ttl))
  }

  return {
    enter(member: Member, room: string): void {
      const holder = JSON.stringify([member.id, member.identity?.userId ?? null])
      claims.set(`${member.id} ${room}`, { key: room, holder })
      timer ??= setInterval(renew, ttl / 3).unref()
      later(() => store.enter(room, holder, ttl))
    },
    leave(member: Member, room: string): void {
      const key = `${member.id} ${room}`
      const claim = claims.get(key)
      if (claim === undefined) return
      claims.delete(key)
      if (claims.size === 0) stop()
      later(() => store.leave(room, claim.holder))
    },
    async members(room: string): Promise<readonly RoomMember[]> {
      await queue
      return (await store.members(room)).flatMap(read)
    },
    /** Everybody here leaves at once; afterwards nothing runs any more. */
    async close(): Promise<void> {
      stop()
      for (const { key, holder } of claims.values()) later(() => store.leave(key, holder))
      claims.clear()
      await queue
    },
  }

  function stop(): void {
    clearInterval(timer)
    timer = undefined
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
