import { randomFillSync } from 'node:crypto'

const idBytes = 16
const pool = Buffer.allocUnsafeSlow(256 * idBytes)
let next = pool.length

/** 128 random bits as base64url. Drawn 256 at a time: asking the system for 16 bytes costs as much as for 4,096. */
export function socketId(): string {
  if (next === pool.length) {
    randomFillSync(pool)
    next = 0
  }
  const id = pool.toString('base64url', next, next + idBytes)
  // Whoever could read the pool later is not to find there what was handed out.
  pool.fill(0, next, next + idBytes)
  next += idBytes
  return id
}
