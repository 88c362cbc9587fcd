import { badOption } from '../errors.ts'
import { defaultClockSkew } from './denials.ts'

/** Further ahead than this a time was not meant as milliseconds since the epoch (microseconds, say). */
export const longestBan = 3_153_600_000_000

/** @throws SecureWsError `SWS_BAD_OPTION` for what cannot be the end of anything: NaN would never come, seconds are long past. */
export function checkUntil(path: string, until: number | undefined, at: number): void {
  if (until === undefined) return
  // A credential may end while it is being revoked: then there is nothing left to do, and nothing wrong with the question.
  if (Number.isSafeInteger(until) && until > at - defaultClockSkew && until - at <= longestBan) return
  const seconds = Number.isSafeInteger(until) && until > 0 && until * 1000 > at && until * 1000 - at <= longestBan
  throw badOption(
    path,
    until,
    seconds
      ? 'These are seconds, and milliseconds are meant: write `claims.exp * 1000`.'
      : `Write milliseconds since the epoch that lie ahead, such as Date.now() + 3_600_000${path === 'revoke.until' ? '; without `until` it is remembered for `session.maxAge`' : ''}.`,
  )
}
