import type { Member } from '../rooms/rooms.ts'
import { denialKeys } from '../session/denials.ts'
import type { Session } from '../session/session.ts'

export interface Identities<M extends Member> {
  enter(member: M): void
  leave(member: M): void
  /** @param key `session:<digest>`, `user:<digest>` or `token:<digest>`, as `denialKey` makes it */
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
      for (const key of identityKeys(member.session)) {
        const known = members.get(key)
        if (known === undefined) members.set(key, new Set([member]))
        else known.add(member)
      }
    },
    leave(member) {
      for (const key of identityKeys(member.session)) {
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

function identityKeys(session: Session | null): readonly string[] {
  if (session === null) return []
  return denialKeys({ sessionId: session.id, userId: session.userId, tokenId: session.tokenId })
}
