import { SecureWsError } from '../errors.ts'
import { isIdentityName } from '../session/identity.ts'
import { isSocketId, type Whom, whomOf } from './order.ts'

/** Exactly one of the three. */
export type Kicked =
  | { readonly userId: string; readonly sessionId?: never; readonly socket?: never }
  | { readonly sessionId: string; readonly userId?: never; readonly socket?: never }
  | { readonly socket: string; readonly userId?: never; readonly sessionId?: never }

/** @throws SecureWsError `SWS_BAD_SUBJECT` */
export function checkKicked({ userId, sessionId, socket }: Kicked): Whom {
  const given = [userId, sessionId, socket].filter((name) => name !== undefined)
  if (given.length === 1) {
    if (isSocketId(socket)) return `socket:${socket}`
    if (isIdentityName(userId)) return whomOf('user', userId)
    if (isIdentityName(sessionId)) return whomOf('session', sessionId)
  }
  throw badSubject('kick', 'one of { userId }, { sessionId } or { socket: socket.id }')
}

/** @throws SecureWsError `SWS_BAD_SUBJECT` */
export function checkListed({
  userId,
  sessionId,
}: {
  readonly userId?: unknown
  readonly sessionId?: unknown
}): Whom | undefined {
  if (userId === undefined && sessionId === undefined) return undefined
  if (sessionId === undefined && isIdentityName(userId)) return whomOf('user', userId)
  if (userId === undefined && isIdentityName(sessionId)) return whomOf('session', sessionId)
  throw badSubject('allSockets', 'nothing, or one of { userId } or { sessionId }')
}

export function badSubject(verb: string, right: string): SecureWsError {
  return new SecureWsError(
    'SWS_BAD_SUBJECT',
    `${verb} takes ${right}. Names are well-formed strings of 1 to 512 characters.`,
  )
}
