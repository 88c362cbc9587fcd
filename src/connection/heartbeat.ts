import { CloseCode } from '../errors.ts'
import type { LifeVerdict } from './life.ts'

export interface HeartbeatLimits {
  /** A ping after this long, in ms. */
  readonly every: number
  /** Its pong within this, in ms, or the socket is terminated. */
  readonly timeout: number
}

export interface HeartbeatState {
  /** When the last ping went out, or the socket opened. */
  readonly pingedAt: number
  readonly awaitingPong: boolean
  /** While we do not read (back-pressure), a pong cannot reach us: silence is ours, not the peer's. */
  readonly reading: boolean
}

/** RFC 6455 section 5.5.2. A half-open connection answers nothing, so there is no use in a close frame: terminate. */
export function checkHeartbeat(
  { pingedAt, awaitingPong, reading }: HeartbeatState,
  { every, timeout }: HeartbeatLimits,
  now: number,
): LifeVerdict | undefined {
  if (awaitingPong && reading && now - pingedAt >= timeout) {
    return { kind: 'terminate', code: CloseCode.Timeout, reason: `no pong within ${timeout} ms (limits.heartbeat)` }
  }
  return !awaitingPong && now - pingedAt >= every ? { kind: 'ping' } : undefined
}
