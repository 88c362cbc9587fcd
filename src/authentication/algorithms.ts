import type { KeyObject } from 'node:crypto'

interface Algorithm {
  /** Bytes an HMAC secret must have at least: the size of the hash (RFC 7518 section 3.2). */
  readonly secretBytes?: number
  /** What `KeyObject.asymmetricKeyType` must be. */
  readonly keyType?: string
  readonly curve?: string
}

// For PS* as well: a key that is marked for RSA-PSS alone (`rsa-pss`) has no place in Web Crypto, which verifies.
const rsa: Algorithm = { keyType: 'rsa' }
const leastRsaBits = 2048

/** The JWS algorithms that may be listed. A map, so that `none`, in any spelling, is simply not there (RFC 8725 section 3.1). */
const algorithms = new Map<string, Algorithm>([
  ['HS256', { secretBytes: 32 }],
  ['HS384', { secretBytes: 48 }],
  ['HS512', { secretBytes: 64 }],
  ['RS256', rsa],
  ['RS384', rsa],
  ['RS512', rsa],
  ['PS256', rsa],
  ['PS384', rsa],
  ['PS512', rsa],
  ['ES256', { keyType: 'ec', curve: 'prime256v1' }],
  ['ES384', { keyType: 'ec', curve: 'secp384r1' }],
  ['ES512', { keyType: 'ec', curve: 'secp521r1' }],
  ['EdDSA', { keyType: 'ed25519' }],
  ['Ed25519', { keyType: 'ed25519' }],
])

export const knownAlgorithms: readonly string[] = [...algorithms.keys()]

/** True for the HMAC family, whose key signs as well as verifies. */
export function isSymmetric(name: string): boolean {
  return algorithms.get(name)?.secretBytes !== undefined
}

/** Why a key does not belong to an algorithm; `undefined` when it does. */
export function unfitFor(name: string, key: KeyObject): string | undefined {
  const algorithm = algorithms.get(name)
  if (algorithm === undefined) return `\`${name}\` is not known`
  if (algorithm.secretBytes !== undefined) {
    if (key.type !== 'secret') return `\`${name}\` needs a secret, and this is a ${key.type} key`
    const size = key.symmetricKeySize ?? 0
    return size < algorithm.secretBytes
      ? `\`${name}\` needs a secret of at least ${algorithm.secretBytes} bytes, not ${size}`
      : undefined
  }
  if (key.type !== 'public') return `\`${name}\` is verified with a public key, and this is a ${key.type} key`
  const type = key.asymmetricKeyType
  if (type !== algorithm.keyType) return `\`${name}\` does not go with a key of type ${type}`
  const { namedCurve, modulusLength = 0 } = key.asymmetricKeyDetails ?? {}
  if (algorithm.curve !== undefined && namedCurve !== algorithm.curve)
    return `\`${name}\` does not go with the curve ${namedCurve}`
  if (type === 'rsa' && modulusLength < leastRsaBits) {
    return `\`${name}\` needs at least ${leastRsaBits} bits, not ${modulusLength}`
  }
  return undefined
}
