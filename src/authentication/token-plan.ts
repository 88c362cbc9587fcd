import type { KeyObject } from 'node:crypto'
import type { JWTVerifyGetKey, JWTVerifyOptions } from 'jose'
import { badOption } from '../errors.ts'
import { isSymmetric, knownAlgorithms } from './algorithms.ts'
import { addressOf, type KeySet, keySet } from './key-set.ts'
import { shapeOf } from './known-options.ts'
import { type VerificationKey, verificationKey } from './verification-key.ts'

/** The options by which a token is verified. */
export interface TokenOptions {
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
}

export const tokenOptionNames = ['key', 'jwks', 'algorithms', 'issuer', 'audience', 'clockTolerance', 'typ'] as const

/** `TokenOptions` as finished values. */
export interface TokenPlan {
  readonly keys: readonly (KeyObject | JWTVerifyGetKey)[]
  /** Where the keys are from: the address of a set, or the option that holds them. */
  readonly keySource: string
  readonly verify: JWTVerifyOptions
  readonly issuers: readonly string[]
  readonly clockTolerance: number
}

const mostKeys = 8

/** @throws SecureWsError `SWS_BAD_OPTION` */
export function tokenPlan(options: TokenOptions, path: string): TokenPlan {
  const { clockTolerance = 5, typ } = options
  const algorithms = algorithmsOf(options.algorithms, path)
  const issuers = namesOf(
    `${path}.issuer`,
    options.issuer,
    'Write the `iss` of your issuer, for example `https://login.example/`.',
  )
  const audience = namesOf(`${path}.audience`, options.audience, 'Write the `aud` that stands for this server.')
  if (typeof clockTolerance !== 'number' || !(clockTolerance >= 0 && clockTolerance <= 300)) {
    throw badOption(`${path}.clockTolerance`, clockTolerance, 'Write seconds from 0 to 300.')
  }
  if (typ !== undefined && (typeof typ !== 'string' || typ === ''))
    throw badOption(`${path}.typ`, typ, "Write for example 'at+jwt'.")
  return {
    keys: keysOf(options, algorithms, path),
    keySource: options.jwks === undefined ? 'key' : (addressOf(options.jwks) ?? 'jwks'),
    verify: {
      algorithms: [...algorithms],
      issuer: [...issuers],
      audience: [...audience],
      clockTolerance,
      requiredClaims: ['exp', 'sub'],
      ...(typ === undefined ? {} : { typ }),
    },
    issuers,
    clockTolerance,
  }
}

function algorithmsOf(algorithms: unknown, path: string): readonly string[] {
  const advice = `Write a list such as ['RS256']; known are ${knownAlgorithms.join(', ')}.`
  if (!isNameList(algorithms)) throw badOption(`${path}.algorithms`, algorithms, advice)
  for (const [at, name] of algorithms.entries()) {
    if (!knownAlgorithms.includes(name)) throw badOption(`${path}.algorithms[${at}]`, name, advice)
  }
  if (algorithms.some(isSymmetric) && !algorithms.every(isSymmetric)) {
    throw badOption(
      `${path}.algorithms`,
      algorithms,
      'HS* and public-key algorithms together invite a token signed with the public key.',
    )
  }
  return algorithms
}

function keysOf(
  { key, jwks }: TokenOptions,
  algorithms: readonly string[],
  path: string,
): readonly (KeyObject | JWTVerifyGetKey)[] {
  if ((key === undefined) === (jwks === undefined)) {
    throw badOption(
      `${path}.key`,
      key === undefined ? undefined : 'given together with `jwks`',
      'Write either `key` or `jwks`.',
    )
  }
  if (jwks !== undefined) {
    if (algorithms.some(isSymmetric))
      throw badOption(`${path}.jwks`, 'used with HS*', 'A key set holds public keys. Write `key`.')
    return [keySet(jwks, `${path}.jwks`)]
  }
  if (!Array.isArray(key)) return [verificationKey(key, algorithms, `${path}.key`)]
  if (key.length === 0 || key.length > mostKeys)
    throw badOption(`${path}.key`, shapeOf(key), `Write 1 to ${mostKeys} keys.`)
  return key.map((one, at) => verificationKey(one, algorithms, `${path}.key[${at}]`))
}

function namesOf(path: string, option: unknown, advice: string): readonly string[] {
  const names = typeof option === 'string' ? [option] : option
  if (!isNameList(names)) throw badOption(path, option, advice)
  return names
}

export function isNameList(list: unknown): list is readonly string[] {
  return Array.isArray(list) && list.length > 0 && list.every((one) => typeof one === 'string' && one !== '')
}
