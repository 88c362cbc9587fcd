import { CloseCode } from '../errors.ts'
import { checkBackpressure, type WriteProgress } from './backpressure.ts'
import { checkPing, checkPong, type HeartbeatLimits, type HeartbeatState } from './heartbeat.ts'
import type { LifeVerdict } from './life-verdict.ts'

export interface LifeLimits {
  readonly heartbeat: HeartbeatLimits
  /** Half a message may wait this long for its other half, in ms. */
  readonly partialMessage: number
  /** No message either way for this long, in ms. */
  readonly idle: number
  /** From the 101 on, in ms. */
  readonly lifetime: number
  /** What waits to be written must be gone within this, in ms. */
  readonly writeTimeout: number
}

/** One socket as the sweep sees it: plain numbers, all times in ms since the epoch. */
export interface Life extends HeartbeatState {
  readonly openedAt: number
  /** When the session is over (with its grace); `undefined` without an end. */
  readonly expiresAt: number | undefined
  readonly lastMessageAt: number
  /** Since when the first half of a message waits; `undefined` between messages. */
  readonly partialSince: number | undefined
  readonly write: WriteProgress
}

/**
 * What time alone does to a socket. First verdict wins: rights before comfort, dead before silent, and a ping last: where one
 * is due at every visit, it must not keep the other questions from being asked.
 */
export function checkLife(life: Life, limits: LifeLimits, now: number): LifeVerdict | undefined {
  return (
    checkExpiry(life, now) ??
    checkLifetime(life, limits, now) ??
    checkPong(life, limits.heartbeat, now) ??
    checkPartialMessage(life, limits, now) ??
    checkIdle(life, limits, now) ??
    checkBackpressure(life.write, limits.writeTimeout, now) ??
    checkPing(life, limits.heartbeat, now)
  )
}

/** No timer of its own, so no 2^31 ms overflow: the sweep asks, and a silent listener is asked like everybody else (CS-8). */
function checkExpiry({ expiresAt }: Life, now: number): LifeVerdict | undefined {
  if (expiresAt === undefined || now < expiresAt) return undefined
  return { kind: 'close', code: CloseCode.Unauthorized, reason: 'the session expired' }
}

/** ASVS 7.3.2: refreshing for ever still ends. */
function checkLifetime({ openedAt }: Life, { lifetime }: LifeLimits, now: number): LifeVerdict | undefined {
  if (now - openedAt < lifetime) return undefined
  return { kind: 'close', code: CloseCode.Timeout, reason: `open for ${lifetime} ms (limits.lifetime)` }
}

/** RS-14: Node's own timeouts never fire on an upgraded socket, and half a frame header keeps it open for ever. */
function checkPartialMessage(
  { partialSince }: Life,
  { partialMessage }: LifeLimits,
  now: number,
): LifeVerdict | undefined {
  if (partialSince === undefined || now - partialSince < partialMessage) return undefined
  return { kind: 'close', code: CloseCode.Timeout, reason: `half a message for ${partialMessage} ms` }
}

/** ASVS 7.3.1: pings and pongs are no activity. */
function checkIdle({ lastMessageAt }: Life, { idle }: LifeLimits, now: number): LifeVerdict | undefined {
  if (now - lastMessageAt < idle) return undefined
  return { kind: 'close', code: CloseCode.Timeout, reason: `no message either way for ${idle} ms (limits.idle)` }
}
