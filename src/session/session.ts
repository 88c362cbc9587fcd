/**
 * The owner of a socket: what an authenticator returns and what `socket.session` holds, before the 101 is written.
 * Add your own members once and they are typed everywhere:
 *
 *     declare module 'fastify-secure-ws' {
 *       interface Session { rooms: string[] }
 *     }
 *
 * A member that is optional here may be required there (`userId: string`), if every authenticator of yours gives it.
 */
export interface Session extends SessionMembers {}

/** Members of a session that this package reads. */
export interface SessionMembers {
  /** Unique per signed-in session. `revoke({ sessionId })` closes every socket that carries it. Never logged raw. */
  readonly id: string
  /** The account behind the session. `revoke({ userId })` closes every socket of every session of it. */
  readonly userId?: string
  /** Milliseconds since the epoch. The socket closes with 3000 at this time (plus `session.expiryGrace`). */
  readonly expiresAt?: number
  /** Milliseconds since the epoch of the last full authentication; `freshAuth` compares with it. */
  readonly authenticatedAt?: number
  /** The credential behind the session (a JWT's `jti`, say). `revoke({ tokenId })` closes every socket opened with it. */
  readonly tokenId?: string
}
