import { randomBytes } from 'node:crypto'
import type { Session } from 'fastify-secure-ws'

const hour = 3_600_000

/** Signed-in visitors, in memory. There are no passwords: whoever types a name has it. That is the one thing not to copy. */
export class Sessions {
  readonly #open = new Map<string, Session>()

  open(name: string): Session {
    const id = randomBytes(32).toString('base64url')
    const session = { id, userId: name, authenticatedAt: Date.now(), expiresAt: Date.now() + hour }
    this.#open.set(id, session)
    return session
  }

  /** The session behind a cookie whose signature was checked, or `null`. */
  find(id: string): Session | null {
    const session = this.#open.get(id)
    if (session === undefined) return null
    if (session.expiresAt !== undefined && session.expiresAt > Date.now()) return session
    this.#open.delete(id)
    return null
  }

  end(id: string): void {
    this.#open.delete(id)
  }
}
