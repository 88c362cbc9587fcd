import { isRefusedCredential } from '../authentication/credential.ts'
import { refuseUnknownOptions } from '../authentication/known-options.ts'
import { type TokenOptions, type TokenPlan, tokenOptionNames, tokenPlan } from '../authentication/token-plan.ts'
import { jose, longestToken, verifiedClaims } from '../authentication/verified-claims.ts'
import type { Session } from '../session/session.ts'
import { longestBan } from '../session/until.ts'
import { roomName } from './room-name.ts'
import type { Grant } from './rooms.ts'

/** Options of `roomTokens`. */
export interface RoomTokensOptions extends TokenOptions {}

/** A grant that somebody is asked about. */
export interface RoomTokenGrant extends Grant {
  /** True for a session that the token names. */
  readonly authorize: NonNullable<Grant['authorize']>
}

/** Grants by tokens, as `roomTokens` makes them. */
export interface RoomTokens {
  /**
   * A grant for `socket.join(room, tokens.grant(room, token))`: true at the join for a good token of this user and this room, and
   * over at the token's `exp`. A token is a client's text: a wrong one is a no, and no error.
   * @throws SecureWsError `SWS_BAD_ROOM`
   */
  grant(room: string, token: unknown): RoomTokenGrant
}

/**
 * Rights to rooms that another service gives, as JSON Web Tokens (RFC 7519, RFC 8725): `sub` is the `userId` of the session,
 * `room` the room, `exp` the end of the membership; all three are required. Joining again with a later token prolongs it.
 * Verified at the join, at each revalidation and by `reauthorize`, by the options of `bearer`. Give these tokens an
 * `audience` of their own, so that none of them signs anybody in.
 *
 * @throws SecureWsError `SWS_BAD_OPTION`
 */
export function roomTokens(options: RoomTokensOptions): RoomTokens {
  refuseUnknownOptions('roomTokens', options, tokenOptionNames)
  const plan = tokenPlan(options, 'roomTokens')
  // At the start, so that the first join does not pay for it.
  jose()
  return {
    grant(room, token) {
      const name = roomName(room)
      const exp = expOf(token)
      let wasGood = false
      return {
        until: endOf(exp, plan),
        async authorize(session) {
          try {
            wasGood = await isGood(token, plan, name, exp, session)
            return wasGood
          } catch (error) {
            if (isRefusedCredential(error)) return false
            // Nobody can say (a key set that is away): somebody who was let in stays until the end of the token.
            if (wasGood) return true
            throw error
          }
        },
      }
    },
  }
}

/** @throws RefusedCredential, and what a key set that cannot be fetched throws */
async function isGood(
  token: unknown,
  plan: TokenPlan,
  room: string,
  exp: number | undefined,
  session: Session | null,
): Promise<boolean> {
  const userId = session?.userId
  if (userId === undefined || typeof token !== 'string' || exp === undefined) return false
  const claims = await verifiedClaims(token, plan)
  return claims.exp === exp && claims.sub === userId && isRoom(claims.room, room)
}

function isRoom(claim: unknown, room: string): boolean {
  try {
    return roomName(claim) === room
  } catch {
    return false
  }
}

/** Not verified yet: `authorize` compares it with what was. */
function expOf(token: unknown): number | undefined {
  if (typeof token !== 'string' || token.length > longestToken) return undefined
  try {
    const { exp } = jose().decodeJwt(token)
    return Number.isFinite(exp) ? exp : undefined
  } catch {
    return undefined
  }
}

/** Within what `join` takes for a time: a token that is over, or none, is a no of `authorize`, and no mistake of the caller. */
function endOf(exp: number | undefined, { clockTolerance }: TokenPlan): number {
  const now = Date.now()
  const end = exp === undefined ? now : Math.floor((exp + clockTolerance) * 1000)
  return Math.min(Math.max(end, now), now + longestBan)
}
