import { hash } from 'node:crypto'

/** Keys are made of what clients send (addresses, ids): of one length, in one alphabet, and opening nothing. */
export function keyDigest(key: string): string {
  return hash('sha256', key, 'base64url')
}
