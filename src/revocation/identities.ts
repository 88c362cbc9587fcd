import type { Member } from '../rooms/rooms.ts'

export interface Identities<M extends Member> {
  enter(member: M): void
  leave(member: M): void
  /** @param key `session:<digest>`, `user:<digest>` or `token:<digest>`, as `identityKey` makes it */
  of(key: string): ReadonlySet<M>
  readonly size: number
}

const nobody: ReadonlySet<never> = new Set()

/**
 * Which sockets belong to whom on this node. Identity is a room of another type, so no application room can collide with
 * it, and a revocation is a broadcast to one of these whose verb is `close`. Keys are digests: what another node names in
 * an envelope is found here, and opens nothing there.
 */
export function createIdentities<M extends Member>(): Identities<M> {
  const members = new Map<string, Set<M>>()
  return {
    enter(member) {
      for (const key of member.identity?.keys ?? []) {
        const known = members.get(key)
        if (known === undefined) members.set(key, new Set([member]))
        else known.add(member)
      }
    },
    leave(member) {
      for (const key of member.identity?.keys ?? []) {
        const known = members.get(key)
        known?.delete(member)
        if (known?.size === 0) members.delete(key)
      }
    },
    of: (key) => members.get(key) ?? nobody,
    get size() {
      return members.size
    },
  }
}
