import { createHash } from 'node:crypto'
import type { JWTPayload } from 'jose'
import type { Session } from '../session/session.ts'
import type { BearerPlan } from './bearer-options.ts'
import { RefusedCredential } from './credential.ts'

/**
 * The session a verified token stands for.
 *
 * - `userId` is `<iss>|<sub>`: a subject is unique only at its issuer (ASVS 5.0 6.8.1). Issuers with `|` are refused at
 *   registration, so the first `|` is always the border. With `userId: 'sub'`, of one issuer, it is the subject alone.
 * - `id` is `<userId>|<sid>` where the issuer names its session, else `jti`, else the token's hash. In `sid` and `jti` the
 *   characters `|` and `%` are written `%7C` and `%25`: the last `|` is always the border, and no two sessions share an id.
 * - `expiresAt` allows for the same clock difference as the check of `exp`; `authenticatedAt` is `auth_time`, never `iat`:
 *   a token that was refreshed in the background is not somebody who has just signed in.
 * @throws RefusedCredential for claims of a wrong type, or without `sub`.
 */
export function tokenSession(
  claims: JWTPayload,
  token: string,
  { clockTolerance, userId: user }: Pick<BearerPlan, 'clockTolerance' | 'userId'>,
  now: number,
): Session {
  const { iss, sub, exp, jti, sid, auth_time } = claims
  if (typeof iss !== 'string' || typeof sub !== 'string' || sub === '')
    throw new RefusedCredential('a token without a subject')
  if (typeof exp !== 'number') throw new RefusedCredential('a token without an end')
  if (jti !== undefined && (typeof jti !== 'string' || jti === ''))
    throw new RefusedCredential('a token with a malformed `jti`')
  if (sid !== undefined && (typeof sid !== 'string' || sid === ''))
    throw new RefusedCredential('a token with a malformed `sid`')
  const authenticatedAt = toTime(auth_time)
  if (authenticatedAt !== undefined && !(authenticatedAt <= now + clockTolerance * 1000)) {
    throw new RefusedCredential('a token with an `auth_time` that is malformed or to come')
  }
  const userId = user === 'sub' ? sub : `${iss}|${sub}`
  return {
    id: idOf(userId, sid, jti) ?? createHash('sha256').update(token).digest('base64url'),
    userId,
    expiresAt: (exp + clockTolerance) * 1000,
    ...(authenticatedAt === undefined ? {} : { authenticatedAt }),
    ...(jti === undefined ? {} : { tokenId: jti }),
  }
}

function idOf(userId: string, sid: string | undefined, jti: string | undefined): string | undefined {
  const withoutBorder = (name: string) => name.replace(/[%|]/g, encodeURIComponent)
  if (sid !== undefined) return `${userId}|${withoutBorder(sid)}`
  return jti === undefined ? undefined : withoutBorder(jti)
}

function toTime(seconds: unknown): number | undefined {
  if (seconds === undefined) return undefined
  return typeof seconds === 'number' ? seconds * 1000 : Number.NaN
}
