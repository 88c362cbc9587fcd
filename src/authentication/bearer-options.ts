import type { KeyObject } from 'node:crypto'
import type { JWTPayload, JWTVerifyGetKey, JWTVerifyOptions } from 'jose'
import { badOption } from '../errors.ts'
import type { Session } from '../session/session.ts'
import { isSymmetric, knownAlgorithms } from './algorithms.ts'
import type { FoundSession } from './authenticator.ts'
import { type KeySet, keySet } from './key-set.ts'
import { refuseNoFunction, refuseUnknownOptions, shapeOf } from './known-options.ts'
import { type VerificationKey, verificationKey } from './verification-key.ts'

/** Options of `bearer`. */
export interface BearerOptions {
  /** The key, or several while one replaces the other. No default: give either `key` or `jwks`. */
  readonly key?: VerificationKey | readonly VerificationKey[]
  /**
   * The key set of the issuer, by URL or as it is. A set from a URL is fetched when it is first needed, again after 10
   * minutes, and for an unknown `kid` at most every 30 seconds. No default: give either `key` or `jwks`.
   */
  readonly jwks?: KeySet
  /**
   * The JWS algorithms that count, for example `['RS256']` (RFC 8725 section 3.1). Required. Never taken from the
   * token, never HS* together with others.
   */
  readonly algorithms: readonly string[]
  /** The value, or one of the values, that `iss` must have. Required. */
  readonly issuer: string | readonly string[]
  /** The value, or one of the values, that `aud` must be or hold. Required. */
  readonly audience: string | readonly string[]
  /** Seconds that clocks may differ, default 5, at most 300. */
  readonly clockTolerance?: number
  /** The header's `typ`, for example `'at+jwt'`, so that an ID token is not taken for an access token. Default: any. */
  readonly typ?: string
  /** Default both: `Authorization: Bearer <token>`, and `Sec-WebSocket-Protocol: chat, bearer.<token>` for browsers. */
  readonly from?: readonly ('authorization' | 'protocol')[]
  /**
   * The name of a query parameter that may carry the token. URLs end up in logs of proxies, of Fastify, of everybody.
   * Default: none.
   */
  readonly dangerouslyAllowQueryToken?: string
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
export interface BearerPlan {
  readonly keys: readonly (KeyObject | JWTVerifyGetKey)[]
  readonly verify: JWTVerifyOptions
  readonly from: ReadonlySet<string>
  readonly queryName: string | undefined
  readonly clockTolerance: number
  readonly session: BearerOptions['session']
  readonly revalidate: BearerOptions['revalidate']
}

const known = [
  'key',
  'jwks',
  'algorithms',
  'issuer',
  'audience',
  'clockTolerance',
  'typ',
  'from',
  'dangerouslyAllowQueryToken',
  'session',
  'revalidate',
]
const mostKeys = 8

/** @throws SecureWsError `SWS_BAD_OPTION` */
export function bearerPlan(options: BearerOptions, prefix: string): BearerPlan {
  refuseUnknownOptions('bearer', options, known)
  const { clockTolerance = 5, typ, dangerouslyAllowQueryToken: queryName, session, revalidate } = options
  const algorithms = algorithmsOf(options.algorithms)
  const issuer = namesOf(
    'bearer.issuer',
    options.issuer,
    'Write the `iss` of your issuer, for example `https://login.example/`.',
  )
  const audience = namesOf('bearer.audience', options.audience, 'Write the `aud` that stands for this server.')
  const piped = issuer.find((one) => one.includes('|'))
  if (piped !== undefined) throw badOption('bearer.issuer', piped, 'A `|` would make user ids ambiguous.')
  if (typeof clockTolerance !== 'number' || !(clockTolerance >= 0 && clockTolerance <= 300)) {
    throw badOption('bearer.clockTolerance', clockTolerance, 'Write seconds from 0 to 300.')
  }
  if (typ !== undefined && (typeof typ !== 'string' || typ === ''))
    throw badOption('bearer.typ', typ, "Write for example 'at+jwt'.")
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
    keys: keysOf(options, algorithms),
    verify: {
      algorithms: [...algorithms],
      issuer: [...issuer],
      audience: [...audience],
      clockTolerance,
      requiredClaims: ['exp', 'sub'],
      ...(typ === undefined ? {} : { typ }),
    },
    from: waysOf(options.from, prefix),
    queryName,
    clockTolerance,
    session,
    revalidate,
  }
}

function algorithmsOf(algorithms: unknown): readonly string[] {
  const advice = `Write a list such as ['RS256']; known are ${knownAlgorithms.join(', ')}.`
  if (!isNameList(algorithms)) throw badOption('bearer.algorithms', algorithms, advice)
  for (const [at, name] of algorithms.entries()) {
    if (!knownAlgorithms.includes(name)) throw badOption(`bearer.algorithms[${at}]`, name, advice)
  }
  if (algorithms.some(isSymmetric) && !algorithms.every(isSymmetric)) {
    throw badOption(
      'bearer.algorithms',
      algorithms,
      'HS* and public-key algorithms together invite a token signed with the public key.',
    )
  }
  return algorithms
}

function keysOf({ key, jwks }: BearerOptions, algorithms: readonly string[]): readonly (KeyObject | JWTVerifyGetKey)[] {
  if ((key === undefined) === (jwks === undefined)) {
    throw badOption(
      'bearer.key',
      key === undefined ? undefined : 'given together with `jwks`',
      'Write either `key` or `jwks`.',
    )
  }
  if (jwks !== undefined) {
    if (algorithms.some(isSymmetric))
      throw badOption('bearer.jwks', 'used with HS*', 'A key set holds public keys. Write `key`.')
    return [keySet(jwks, 'bearer.jwks')]
  }
  if (!Array.isArray(key)) return [verificationKey(key, algorithms, 'bearer.key')]
  if (key.length === 0 || key.length > mostKeys)
    throw badOption('bearer.key', shapeOf(key), `Write 1 to ${mostKeys} keys.`)
  return key.map((one, at) => verificationKey(one, algorithms, `bearer.key[${at}]`))
}

function namesOf(path: string, option: unknown, advice: string): readonly string[] {
  const names = typeof option === 'string' ? [option] : option
  if (!isNameList(names)) throw badOption(path, option, advice)
  return names
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

function isNameList(list: unknown): list is readonly string[] {
  return Array.isArray(list) && list.length > 0 && list.every((one) => typeof one === 'string' && one !== '')
}
