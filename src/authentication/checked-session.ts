import type { Session } from '../session/session.ts'
import { RefusedCredential } from './credential.ts'

/** Longer ids and names are refused: they become keys of rooms, counters and Redis. */
const longestName = 512

/**
 * What an authenticator returned, once it is known to be a session. Anything that is neither a session nor "none"
 * (`null`, `undefined`) is refused rather than repaired: `true` is not somebody.
 * @throws RefusedCredential when it is no session, or one that has expired.
 */
export function checkedSession(found: unknown, now: number): Session | null {
  if (found === null || found === undefined) return null
  if (!isSession(found)) throw new RefusedCredential(`what was returned is no session: ${flaw(found)}`)
  if (isExpired(found, now)) throw new RefusedCredential('the session has expired (`expiresAt` is in milliseconds)')
  return found
}

export function isExpired(session: Session, now: number): boolean {
  return session.expiresAt !== undefined && session.expiresAt <= now
}

/**
 * May `next` take the place of `current` on an open socket? Only as the same person in the same session: the socket stands
 * in that session's and that user's identity rooms, and a revocation must keep finding it there.
 */
export function isSameIdentity(current: Session, next: Session): boolean {
  return current.id === next.id && current.userId === next.userId
}

function isSession(found: unknown): found is Session {
  return flaw(found) === undefined
}

function flaw(found: unknown): string | undefined {
  if (typeof found !== 'object' || found === null) return `a ${typeof found}`
  if (!('id' in found) || !isName(found.id)) return `\`id\` is not a string of 1 to ${longestName} characters`
  if ('userId' in found && found.userId !== undefined && !isName(found.userId)) return '`userId` is not such a string'
  if ('tokenId' in found && found.tokenId !== undefined && !isName(found.tokenId))
    return '`tokenId` is not such a string'
  if ('expiresAt' in found && !isTime(found.expiresAt)) return '`expiresAt` is not a number of milliseconds'
  if ('authenticatedAt' in found && !isTime(found.authenticatedAt))
    return '`authenticatedAt` is not a number of milliseconds'
  return undefined
}

function isName(value: unknown): boolean {
  return typeof value === 'string' && value.length > 0 && value.length <= longestName
}

function isTime(value: unknown): boolean {
  return value === undefined || Number.isFinite(value)
}
