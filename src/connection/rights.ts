import { CloseCode } from '../errors.ts'
import { revalidationFailures } from '../revocation/revalidation.ts'
import { nameOfThrown } from '../telemetry/thrown.ts'
import type { Surroundings } from './admitted.ts'
import type { Connection } from './connection.ts'

/** What a socket may do was decided when it opened; here it is decided again, for as long as it stays (ASVS 8.3.2, CS-8). */
export class Rights {
  readonly #connection: Connection
  readonly #surroundings: Surroundings
  #failures = 0
  /** When to ask again, in ms since the epoch. */
  dueAt: number

  constructor(connection: Connection, surroundings: Surroundings) {
    this.#connection = connection
    this.#surroundings = surroundings
    this.dueAt = surroundings.revalidation.dueAfter(connection.openedAt)
  }

  /**
   * Asks what was asked at the handshake: is the session still good, may it be on this route, may it be in its rooms? A
   * question that cannot be answered is asked again soon, and a few times in a row means no. Never rejects.
   */
  async revalidate(): Promise<void> {
    const connection = this.#connection
    const { revalidation, now, isDenied } = this.#surroundings
    this.dueAt = revalidation.dueAfter(now())
    let asked = '`revalidate`'
    try {
      const { signedIn, admitted } = connection
      if (signedIn !== null) {
        const renewed = await admitted.policy.revalidate(signedIn)
        if (connection.ended) return
        // It may come back with another token, and that one may have been revoked while the question was open.
        if (renewed === null || isDenied(renewed.identity, connection.openedAt))
          return connection.end(CloseCode.Unauthorized, 'the session is over')
        connection.replaceSession(renewed)
      }
      asked = '`authorize`'
      await this.reauthorize()
      this.#failures = 0
    } catch (error) {
      this.#failures++
      connection.audit({ type: 'session.revalidation-failed', reason: nameOfThrown(error) })
      connection.askingFailed(error, asked)
      if (this.#failures < revalidationFailures) this.dueAt = revalidation.retryAfter(now())
      else connection.end(CloseCode.Unauthorized, `revalidation failed ${revalidationFailures} times in a row`)
    }
  }

  /** Asks the route, and every room with an `authorize` of its own. Rejects when the route's question has no answer. */
  async reauthorize(): Promise<void> {
    const connection = this.#connection
    const { policy, request } = connection.admitted
    if (policy.authorize !== undefined) {
      const allowed = await policy.authorize(connection.session, request)
      if (connection.ended) return
      if (allowed !== true) return connection.end(CloseCode.Forbidden, "the route's `authorize` says no now")
    }
    const { rooms } = this.#surroundings
    for (const [room, grant] of [...rooms.grants(connection)]) {
      if (grant.authorize === undefined) continue
      const allowed = await permits(grant.authorize, connection)
      // The grant may have been replaced or given back while the question was open.
      if (!connection.ended && !allowed && rooms.grants(connection).get(room) === grant) connection.evict(room)
    }
  }

  /**
   * CS-11: a longer life for the same subject, on a socket that keeps its rooms. Another subject's token, or one that is no
   * good, ends the socket: whoever sent it may not be whom it belongs to.
   */
  async refresh(token: string): Promise<boolean> {
    const connection = this.#connection
    const { signedIn, admitted } = connection
    if (signedIn === null || admitted.policy.refresh === undefined) return false
    const renewed = await admitted.policy.refresh(signedIn, admitted.method, token).catch((error: unknown) => {
      connection.askingFailed(error, 'the refresh of a token')
      return null
    })
    if (connection.ended) return false
    if (renewed === null || this.#surroundings.isDenied(renewed.identity, connection.openedAt)) {
      connection.end(CloseCode.Unauthorized, 'the new token is not good for this session')
      return false
    }
    connection.replaceSession(renewed)
    return true
  }
}

/** A question that fails is answered no: it is about one room, and the socket stays. */
async function permits(
  authorize: (session: Connection['session']) => boolean | Promise<boolean>,
  connection: Connection,
): Promise<boolean> {
  try {
    return (await authorize(connection.session)) === true
  } catch (error) {
    connection.askingFailed(error, '`authorize` of a room')
    return false
  }
}
