import { createHmac } from 'node:crypto'

export const origin = 'https://app.example'
export const secret = 'a secret that is long enough for a measurement'
export const sessionId = 'bench-session-0123456789'

const signature = createHmac('sha256', secret).update(sessionId).digest('base64').replace(/=+$/, '')
export const cookie = `__Host-session=${encodeURIComponent(`${sessionId}.${signature}`)}`
