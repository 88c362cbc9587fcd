import type { Member } from '../rooms/rooms.ts'
import { Row } from '../row.ts'

export interface Identities<M extends Member> {
  enter(member: M): void
  leave(member: M): void
  /** @param key `session:<digest>`, `user:<digest>` or `token:<digest>`, as `identityKey` makes it */
  of(key: string): ReadonlySet<M>
  /** Finds a place for up to so many of those that came lately, so that `of` never has many of them to find one for. */
  settle(most: number): void
  readonly size: number
}

const nobody: ReadonlySet<never> = new Set()

/**
 * Which sockets belong to whom on this node. Identity is a room of another type, so no application room can collide with
 * it, and a revocation is a broadcast to one of these whose verb is `close`. Keys are digests: what another node names in
 * an envelope is found here, and opens nothing there.
 *
 * Digests are dearer than the rest of a handshake's looking up, and most handshakes of a busy server are over before anybody
 * is revoked. So whoever enters waits, in order, and is given its places when somebody asks, or by and by.
 */
export function createIdentities<M extends Member>(): Identities<M> {
  const lately = new Row<M>()
  const members = new Map<string, Set<M>>()

  function place(member: M): void {
    for (const key of member.identity?.keys ?? []) {
      const known = members.get(key)
      if (known === undefined) members.set(key, new Set([member]))
      else known.add(member)
    }
  }

  function settle(most: number): void {
    for (let left = most; left > 0; left--) {
      const { first } = lately
      if (first === undefined) return
      lately.delete(first)
      place(first)
    }
  }

  return {
    enter(member) {
      if (member.identity !== null) lately.add(member)
    },
    leave(member) {
      if (member.identity === null || lately.delete(member)) return
      for (const key of member.identity.keys) {
        const known = members.get(key)
        known?.delete(member)
        if (known?.size === 0) members.delete(key)
      }
    },
    of(key) {
      settle(Number.POSITIVE_INFINITY)
      return members.get(key) ?? nobody
    },
    settle,
    get size() {
      settle(Number.POSITIVE_INFINITY)
      return members.size
    },
  }
}
