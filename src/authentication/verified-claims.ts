import type { KeyObject } from 'node:crypto'
import type { JWTPayload, JWTVerifyGetKey, JWTVerifyOptions, errors as joseErrors } from 'jose'
import { lazyLoad } from '../loading/lazy-load.ts'
import { RefusedCredential } from './credential.ts'
import type { TokenPlan } from './token-plan.ts'

export const longestToken = 8_192
const compact = /^[\w-]+\.[\w-]+\.[\w-]+$/

export const jose = lazyLoad<typeof import('jose')>('jose')

/** The faults of the issuer's server, rather than of the token. */
const faults = new Set(['ERR_JOSE_GENERIC', 'ERR_JWKS_TIMEOUT', 'ERR_JWKS_INVALID'])

/**
 * The claims of a token whose signature and times are right (RFC 7519, RFC 8725).
 *
 * @throws RefusedCredential for a token that is no good; anything else when nobody can say
 */
export async function verifiedClaims(token: string, { keys, verify }: TokenPlan): Promise<JWTPayload> {
  if (token.length > longestToken) throw new RefusedCredential('a token that is too long')
  if (!compact.test(token)) throw new RefusedCredential('a malformed token')
  const { errors } = jose()
  for (const [at, key] of keys.entries()) {
    try {
      return await verifiedBy(token, key, verify)
    } catch (error) {
      const isLast = at === keys.length - 1
      // Only a signature of another key leads to the next key; a token that is expired is so for every key.
      if (!isLast && error instanceof errors.JWSSignatureVerificationFailed) continue
      if (error instanceof errors.JOSEError && !faults.has(error.code)) throw new RefusedCredential(reasonOf(error))
      throw error
    }
  }
  throw new RefusedCredential('a token without a key')
}

async function verifiedBy(
  token: string,
  key: KeyObject | JWTVerifyGetKey,
  verify: JWTVerifyOptions,
): Promise<JWTPayload> {
  const { jwtVerify } = jose()
  // The same call twice, because its overloads take a key or a function, and not either of them.
  const { payload } =
    typeof key === 'function' ? await jwtVerify(token, key, verify) : await jwtVerify(token, key, verify)
  return payload
}

/** The claim's name is one that jose looked for, so it is not the client's text. */
function reasonOf(error: InstanceType<typeof joseErrors.JOSEError>): string {
  const { errors } = jose()
  const claim =
    error instanceof errors.JWTClaimValidationFailed || error instanceof errors.JWTExpired ? ` \`${error.claim}\`` : ''
  return `a refused token (${error.code}${claim})`
}
