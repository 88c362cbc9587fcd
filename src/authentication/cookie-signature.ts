import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto'

export interface CookieSignature {
  sign(value: string): string
  /** The value without its signature; `undefined` when no secret signed it. */
  verify(signed: string): string | undefined
}

/** Base64 of the 32 bytes of a SHA-256, without the padding. */
const signatureLength = 43

/**
 * A signed cookie as @fastify/cookie writes it: `<value>.<HMAC-SHA-256>`. Its signer makes a key of the secret for each
 * call, which costs five times what the HMAC does; here keys are made once.
 *
 * @param secrets the first one signs, all of them verify
 */
export function cookieSignature(secrets: readonly Buffer[]): CookieSignature {
  const keys = secrets.map((secret) => createSecretKey(secret))
  const [signing] = keys
  if (signing === undefined) throw new TypeError('a signature needs a secret')
  return {
    sign: (value) => `${value}.${signatureOf(value, signing)}`,
    verify(signed) {
      const dot = signed.lastIndexOf('.')
      if (dot === -1) return undefined
      const value = signed.slice(0, dot)
      const given = Buffer.from(signed.slice(dot + 1))
      // As text: base64 can be written in more than one way, and only one of them was signed.
      if (given.length !== signatureLength) return undefined
      const isRight = keys.some((key) => timingSafeEqual(given, Buffer.from(signatureOf(value, key))))
      return isRight ? value : undefined
    },
  }
}

function signatureOf(value: string, key: KeyObject): string {
  return createHmac('sha256', key).update(value).digest('base64').slice(0, signatureLength)
}
