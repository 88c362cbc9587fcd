import { CloseCode } from '../errors.ts'
import type { LifeVerdict } from './life-verdict.ts'

export interface HeartbeatLimits {
  /** A ping after this long, in ms. */
  readonly every: number
  /** Its pong within this, in ms, or the socket is terminated. */
  readonly timeout: number
}

export interface HeartbeatState {
  /** When the last ping went out, or the socket opened; while we do not read, when we last did not. */
  readonly pingedAt: number
  readonly awaitingPong: boolean
}

/** RS-03, RFC 6455 section 5.5.2. A half-open connection answers nothing, so there is no use in a close frame: terminate. */
export function checkPong(
  { pingedAt, awaitingPong }: HeartbeatState,
  { timeout }: HeartbeatLimits,
  now: number,
): LifeVerdict | undefined {
  if (!awaitingPong || now - pingedAt < timeout) return undefined
  return { kind: 'terminate', code: CloseCode.Timeout, reason: `no pong within ${timeout} ms (limits.heartbeat)` }
}

export function checkPing(
  { pingedAt, awaitingPong }: HeartbeatState,
  { every }: HeartbeatLimits,
  now: number,
): LifeVerdict | undefined {
  return awaitingPong || now - pingedAt < every ? undefined : { kind: 'ping' }
}
