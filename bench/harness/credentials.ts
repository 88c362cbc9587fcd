import { createHmac } from 'node:crypto'

export const origin = 'https://app.example'
export const secret = 'a secret that is long enough for a measurement'
export const sessionId = 'bench-session-0123456789'

export const cookieName = '__Host-session'

/** A cookie as @fastify/cookie signs it. */
export function signedCookie(id: string): string {
  const signature = createHmac('sha256', secret).update(id).digest('base64').replace(/=+$/, '')
  return `${cookieName}=${encodeURIComponent(`${id}.${signature}`)}`
}

export const cookie = signedCookie(sessionId)
