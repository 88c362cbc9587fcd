import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto'

/**
 * The signature of what passes through a bus or a store that others can write to: HMAC-SHA-256, base64url. It covers what
 * the text is about, so that nothing can be moved elsewhere; `about` holds no line break, so where it ends cannot be argued about.
 */
export function sign(key: KeyObject, about: string, text: string): string {
  return digest(key, about, text).toString('base64url')
}

/** True for a signature by one of the keys. */
export function isSigned(signature: string, about: string, text: string, keys: readonly KeyObject[]): boolean {
  const given = Buffer.from(signature, 'base64url')
  if (given.length !== 32) return false
  return keys.some((key) => timingSafeEqual(digest(key, about, text), given))
}

function digest(key: KeyObject, about: string, text: string): Buffer {
  return createHmac('sha256', key).update(about).update('\n').update(text).digest()
}
