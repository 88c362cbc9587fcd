import { createPublicKey, createSecretKey, KeyObject } from 'node:crypto'
import { badOption } from '../errors.ts'
import { isSymmetric, unfitFor } from './algorithms.ts'
import { shapeOf } from './known-options.ts'

/** A secret (HS*): text or bytes. A public key (the others): PEM text, a JWK, a `KeyObject` or a `CryptoKey`. */
export type VerificationKey = string | Uint8Array | KeyObject | CryptoKey | JsonWebKey

/** As Web Crypto has it. */
type CryptoKey = import('node:crypto').webcrypto.CryptoKey
/** As Web Crypto has it (RFC 7517). Since version 26 `@types/node` has it under this name alone. */
type JsonWebKey = import('node:crypto').webcrypto.JsonWebKey

/**
 * One key as Node's own object, checked against every algorithm it may be used with. The check at registration is what
 * makes RS/HS confusion impossible: a public key never becomes an HMAC secret, because its type does not fit.
 * @throws SecureWsError `SWS_BAD_OPTION`, without the key.
 */
export function verificationKey(key: unknown, algorithms: readonly string[], path: string): KeyObject {
  const symmetric = algorithms.some(isSymmetric)
  const advice = symmetric
    ? 'Write the secret: random bytes, as many as the hash has (`openssl rand -base64 64`).'
    : 'Write the public key: PEM text, a JWK, a KeyObject or a CryptoKey.'
  const object = keyObject(key, symmetric)
  if (object === undefined) throw badOption(path, shapeOf(key), advice)
  for (const name of algorithms) {
    const unfit = unfitFor(name, object)
    if (unfit !== undefined) throw badOption(path, `a ${object.type} key`, `${unfit}. ${advice}`)
  }
  return object
}

function keyObject(key: unknown, symmetric: boolean): KeyObject | undefined {
  try {
    if (key instanceof KeyObject) return key
    if (isCryptoKey(key)) return KeyObject.from(key)
    if (typeof key === 'string' || key instanceof Uint8Array) return symmetric ? secretOf(key) : publicFrom(key)
    if (symmetric || typeof key !== 'object' || key === null || 'd' in key) return undefined
    return createPublicKey({ key: { ...key }, format: 'jwk' })
  } catch {
    return undefined
  }
}

/** A PEM text where a secret belongs is a public key that everybody has: as an HMAC secret it would let everybody sign. */
function secretOf(secret: string | Uint8Array): KeyObject | undefined {
  const bytes = Buffer.from(secret)
  return bytes.includes('-----BEGIN') ? undefined : createSecretKey(bytes)
}

/** Node would derive the public key from a private one; a server that only verifies should not hold the private one. */
function publicFrom(pem: string | Uint8Array): KeyObject | undefined {
  const text = Buffer.from(pem).toString('latin1')
  return text.includes('PRIVATE KEY') ? undefined : createPublicKey(text)
}

function isCryptoKey(key: unknown): key is CryptoKey {
  return typeof key === 'object' && key !== null && Object.prototype.toString.call(key) === '[object CryptoKey]'
}
