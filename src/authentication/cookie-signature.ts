import { hash, timingSafeEqual } from 'node:crypto'
import { badOption } from '../errors.ts'
import { type Dated, stillValid } from '../session/secrets.ts'

export interface CookieSignature {
  sign(value: string): string
  /** The value without its signature; `undefined` when no secret signed it. */
  verify(signed: string): string | undefined
}

/** Base64 of the 32 bytes of a SHA-256, without the padding. */
const signatureLength = 43

/**
 * A signed cookie as @fastify/cookie writes it: `<value>.<HMAC-SHA-256>`.
 *
 * @param secrets the first one signs, all of them verify
 */
export function cookieSignature(secrets: readonly Buffer[]): CookieSignature {
  const macs = secrets.map(hmac)
  const [signing] = macs
  if (signing === undefined) throw new TypeError('a signature needs a secret')
  // Kept, as all of this is one turn: a Buffer for each comparison was more than the comparison.
  const given = Buffer.alloc(4 * signatureLength)
  const givenBytes = given.subarray(0, signatureLength)
  // With the padding, which is not compared.
  const expected = Buffer.alloc(signatureLength + 1)
  const expectedBytes = expected.subarray(0, signatureLength)
  return {
    sign: (value) => `${value}.${signing(value).slice(0, signatureLength)}`,
    verify(signed) {
      const dot = signed.lastIndexOf('.')
      // As text: base64 can be written in more than one way, and only one of them was signed. Of other than ASCII, as many
      // characters are more bytes.
      if (dot === -1 || signed.length - dot - 1 !== signatureLength) return undefined
      if (given.write(signed.slice(dot + 1)) !== signatureLength) return undefined
      const value = signed.slice(0, dot)
      for (const mac of macs) {
        expected.write(mac(value), 'latin1')
        if (timingSafeEqual(givenBytes, expectedBytes)) return value
      }
      return undefined
    },
  }
}

/** As `cookieSignature`, by the secrets that count when it is asked. Nobody's signature is right once all of them are over. */
export function datedCookieSignature(secrets: readonly Dated<Buffer>[], now: () => number): CookieSignature {
  const valid = stillValid(secrets, now)
  let madeOf: readonly Buffer[] = []
  let made: CookieSignature | undefined
  const current = (): CookieSignature | undefined => {
    const list = valid()
    if (list !== madeOf) {
      madeOf = list
      made = list.length === 0 ? undefined : cookieSignature(list)
    }
    return made
  }
  return {
    sign(value) {
      const signature = current()
      if (signature !== undefined) return signature.sign(value)
      throw badOption('cookieSession.secret', 'past its `validUntil`', 'Every secret is over: add one, in front.')
    },
    verify: (signed) => current()?.verify(signed),
  }
}

const blockBytes = 64
const digestBytes = 32
/** Longer texts are hashed in a buffer of their own. */
const keptBytes = 1_024

/**
 * HMAC-SHA-256 as RFC 2104 section 2 has it, as two calls of the one-shot hash: H(K ^ opad, H(K ^ ipad, text)). OpenSSL 3
 * looks its algorithms up anew for each `createHmac`, which took longer than the rest of the admission; the digests are the
 * same, and a test compares them with those of `createHmac`. Returns base64, with its padding.
 */
function hmac(secret: Buffer): (text: string) => string {
  const key = Buffer.alloc(blockBytes)
  if (secret.length > blockBytes) key.set(hash('sha256', secret, 'buffer'))
  else key.set(secret)
  const inner = Buffer.alloc(blockBytes + keptBytes)
  inner.set(key.map((byte) => byte ^ 0x36))
  const outer = Buffer.alloc(blockBytes + digestBytes)
  outer.set(key.map((byte) => byte ^ 0x5c))
  /** As long as the last text needed it: ids of one application mostly have one length. */
  let used = inner
  return (text) => {
    const length = blockBytes + Buffer.byteLength(text)
    if (length > inner.length) used = Buffer.concat([inner], length)
    else if (used.length !== length) used = inner.subarray(0, length)
    used.write(text, blockBytes)
    outer.write(hash('sha256', used, 'binary'), blockBytes, 'latin1')
    return hash('sha256', outer, 'base64')
  }
}
