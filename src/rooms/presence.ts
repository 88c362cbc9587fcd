import type { Claim } from '../relay/counters.ts'
import type { PresenceStore } from '../relay/presence.ts'
import type { Member } from './rooms.ts'

/** A socket in a room, wherever it is connected. */
export interface RoomMember {
  /** `socket.id`. */
  readonly socket: string
  /** The user of its session; `undefined` without a session, or where the session names no user. */
  readonly userId: string | undefined
}

export interface PresenceOptions {
  readonly store: PresenceStore
  /** How long a member outlives a node that was killed, in ms. Default 30,000; renewed three times as often. */
  readonly ttl?: number
  readonly onFailure: (error: unknown) => void
}

/** A socket in a room: whether the store has it, and who waits for the store to say what is so now. */
interface Place {
  readonly key: string
  readonly claim: Claim
  stored: boolean
  working: boolean
  waiters: (() => void)[]
}

/** Writes under way at once. What waits is one place for each socket and room, however often it is joined and left. */
const writers = 256
/** Places renewed together. */
const batch = 500

/**
 * The members of rooms on all nodes, as entries that end by themselves unless their node renews them. One timer while there
 * is anybody, none otherwise.
 *
 * Order is kept for each member and not for the node: a socket that joins and leaves as fast as it may delays nobody else, and
 * of its comings and goings only the one under way and where it ends up are written.
 */
export function createPresence({ store, ttl = 30_000, onFailure }: PresenceOptions) {
  const places = new Map<string, Place>()
  const wanted = new Set<string>()
  const unsettled = new Map<string, Place>()
  let writing = 0
  let isDue = false
  let timer: NodeJS.Timeout | undefined
  let renewing: Promise<void> | undefined

  /** At the end of the turn: who comes and goes within one message costs the store nothing. */
  function settle(place: Place): void {
    unsettled.set(place.key, place)
    if (isDue) return
    isDue = true
    queueMicrotask(() => {
      isDue = false
      next()
    })
  }

  function next(): void {
    for (const place of unsettled.values()) {
      if (writing >= writers) return
      if (place.working) continue
      place.working = true
      writing++
      void write(place)
    }
  }

  async function write(place: Place): Promise<void> {
    const { claim, key } = place
    const waiters = place.waiters
    place.waiters = []
    const isWanted = wanted.has(key)
    try {
      if (isWanted !== place.stored) {
        await (isWanted ? store.enter(claim.key, claim.holder, ttl) : store.leave(claim.key, claim.holder))
      }
    } catch (error) {
      // Not tried again: renewing puts back who is here, and who left is gone when the time of the entry is over.
      onFailure(error)
    }
    place.stored = isWanted
    place.working = false
    writing--
    // Behind the others: one that changed again meanwhile waits for its next turn.
    unsettled.delete(key)
    if (wanted.has(key) !== place.stored || place.waiters.length > 0) unsettled.set(key, place)
    else if (!place.stored) places.delete(key)
    for (const done of waiters) done()
    next()
  }

  /** Resolves when the store has been told of everything that was so at this moment. */
  async function told(these: readonly Place[]): Promise<void> {
    await Promise.all(these.map((place) => new Promise<void>((resolve) => place.waiters.push(resolve))))
  }

  async function renewAll(): Promise<void> {
    const all = [...wanted]
    for (let from = 0; from < all.length; from += batch) {
      // Left meanwhile: renewing it now would put a ghost in its place.
      const here = all.slice(from, from + batch).filter((key) => wanted.has(key))
      const claims = here.flatMap((key) => places.get(key)?.claim ?? [])
      await store.renew(claims, ttl).catch(onFailure)
    }
  }

  function renew(): void {
    renewing ??= renewAll().finally(() => {
      renewing = undefined
    })
  }

  return {
    enter(member: Member, room: string): void {
      const key = `${member.id} ${room}`
      const holder = JSON.stringify([member.id, member.identity?.userId ?? null])
      const place = places.get(key) ?? { key, claim: { key: room, holder }, stored: false, working: false, waiters: [] }
      places.set(key, place)
      wanted.add(key)
      timer ??= setInterval(renew, ttl / 3).unref()
      settle(place)
    },
    leave(member: Member, room: string): void {
      const key = `${member.id} ${room}`
      const place = places.get(key)
      if (place === undefined || !wanted.delete(key)) return
      if (wanted.size === 0) stop()
      settle(place)
    },
    /** Puts back what the store may have lost: now, instead of with the next third of the time. */
    renew,
    async members(room: string): Promise<readonly RoomMember[]> {
      await told([...unsettled.values()].filter(({ claim }) => claim.key === room))
      return (await store.members(room)).flatMap(read)
    },
    /** Everybody here leaves at once; afterwards nothing runs any more. */
    async close(): Promise<void> {
      stop()
      await renewing
      wanted.clear()
      for (const place of places.values()) settle(place)
      await told([...unsettled.values()])
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
