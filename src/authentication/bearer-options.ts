import type { JWTPayload } from 'jose'
import { badOption } from '../errors.ts'
import type { Session } from '../session/session.ts'
import type { FoundSession } from './authenticator.ts'
import { refuseNoFunction, refuseUnknownOptions } from './known-options.ts'
import { isNameList, type TokenOptions, type TokenPlan, tokenOptionNames, tokenPlan } from './token-plan.ts'

/** Options of `bearer`. */
export interface BearerOptions extends TokenOptions {
  /** Default both: `Authorization: Bearer <token>`, and `Sec-WebSocket-Protocol: chat, bearer.<token>` for browsers. */
  readonly from?: readonly ('authorization' | 'protocol')[]
  /**
   * The name of a query parameter that may carry the token. URLs end up in logs of proxies, of Fastify, of everybody.
   * Default: none.
   */
  readonly dangerouslyAllowQueryToken?: string
  /**
   * The `userId` of a token. `'iss|sub'`: `revoke({ userId: 'https://login.example|ada' })`, since a subject is unique only at
   * its issuer. `'sub'`: the subject alone, where there is one issuer. Default `'iss|sub'`; not with `session`, which names
   * the user itself.
   */
  readonly userId?: 'iss|sub' | 'sub'
  /**
   * The session of verified claims. Default: `userId` is `<iss>|<sub>`, `id` is made of `sid` or `jti` or, without
   * both, a digest of the token, `expiresAt` is `exp` and the tolerance, `authenticatedAt` is `auth_time`, `tokenId` is
   * `jti`.
   */
  readonly session?: (claims: JWTPayload) => FoundSession | Promise<FoundSession>
  /**
   * Asked again while a socket is open, each `session.revalidateEvery`: `false`, `null` or `undefined` ends the
   * session, `true` keeps it, a session takes its place. Default: the token counts until `expiresAt`.
   */
  readonly revalidate?: (session: Session) => boolean | FoundSession | Promise<boolean | FoundSession>
}

/** The options of `bearer` as finished values. */
export interface BearerPlan extends TokenPlan {
  readonly userId: 'iss|sub' | 'sub'
  readonly from: ReadonlySet<string>
  readonly queryName: string | undefined
  readonly session: BearerOptions['session']
  readonly revalidate: BearerOptions['revalidate']
}

const known = [...tokenOptionNames, 'from', 'dangerouslyAllowQueryToken', 'userId', 'session', 'revalidate']

/** @throws SecureWsError `SWS_BAD_OPTION` */
export function bearerPlan(options: BearerOptions, prefix: string): BearerPlan {
  refuseUnknownOptions('bearer', options, known)
  const { dangerouslyAllowQueryToken: queryName, session, revalidate } = options
  const plan = tokenPlan(options, 'bearer')
  const piped = plan.issuers.find((one) => one.includes('|'))
  if (piped !== undefined) throw badOption('bearer.issuer', piped, 'A `|` would make user ids ambiguous.')
  if (queryName !== undefined && (typeof queryName !== 'string' || queryName === '')) {
    throw badOption(
      'bearer.dangerouslyAllowQueryToken',
      queryName,
      "Write the parameter's name, for example 'access_token'.",
    )
  }
  refuseNoFunction('bearer.session', session, '`(claims) => ({ id: claims.jti, userId: claims.sub })`')
  refuseNoFunction('bearer.revalidate', revalidate, '`(session) => !denied.has(session.tokenId)`')
  return {
    ...plan,
    userId: userIdOf(options, plan.issuers),
    from: waysOf(options.from, prefix),
    queryName,
    session,
    revalidate,
  }
}

function waysOf(from: unknown, prefix: string): ReadonlySet<string> {
  const ways = new Set(['authorization', 'protocol'])
  if (from === undefined) return ways
  if (isNameList(from) && from.every((way) => ways.has(way))) return new Set(from)
  throw badOption(
    'bearer.from',
    from,
    `Write a list of 'authorization' and 'protocol' (an entry \`${prefix}<token>\`).`,
  )
}

function userIdOf({ userId = 'iss|sub', session }: BearerOptions, issuers: readonly string[]): 'iss|sub' | 'sub' {
  if (userId !== 'iss|sub' && userId !== 'sub') throw badOption('bearer.userId', userId, "Write 'iss|sub' or 'sub'.")
  if (userId === 'sub' && session !== undefined) {
    throw badOption('bearer.userId', userId, 'Leave it out: `session` says which user it is.')
  }
  if (userId === 'sub' && issuers.length > 1) {
    throw badOption('bearer.userId', userId, 'Leave it out: two issuers may give one subject to two people.')
  }
  return userId
}
