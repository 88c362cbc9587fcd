import { randomBytes } from 'node:crypto'
import type { Session } from 'fastify-secure-ws'

const hour = 3_600_000

/** Signed-in visitors, in memory. There are no passwords: whoever types a name has it. That is the one thing not to copy. */
export class Sessions {
  readonly #open = new Map<string, Session>()
  readonly #moderators = new Set<string>()

  open(name: string, moderator: boolean): Session {
    const id = randomBytes(32).toString('base64url')
    const session = { id, userId: name, authenticatedAt: Date.now(), expiresAt: Date.now() + hour }
    this.#open.set(id, session)
    if (moderator) this.#moderators.add(id)
    return session
  }

  /** The right is read from here at each message, so that it ends when the session does. */
  isModerator(session: Session): boolean {
    return this.#moderators.has(session.id)
  }

  /** All sessions of one name: on every browser that is signed in with it. */
  idsOf(name: string): readonly string[] {
    return [...this.#open.values()].filter(({ userId }) => userId === name).map(({ id }) => id)
  }

  /** The session behind a cookie whose signature was checked, or `null`. */
  find(id: string): Session | null {
    const session = this.#open.get(id)
    if (session === undefined) return null
    if (session.expiresAt !== undefined && session.expiresAt > Date.now()) return session
    this.end(id)
    return null
  }

  end(id: string): void {
    this.#open.delete(id)
    this.#moderators.delete(id)
  }
}
