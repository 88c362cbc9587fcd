import type { LifeVerdict } from './life-verdict.ts'

/** How far writing has come: a mark is set when bytes begin to wait, and cleared when all that waited then has gone. */
export interface WriteProgress {
  readonly markedAt: number | undefined
}

/** RS-09: a peer that reads a byte now and then keeps a queue alive for ever; what waited must go in time, all of it. */
export function checkBackpressure(
  { markedAt }: WriteProgress,
  writeTimeout: number,
  now: number,
): LifeVerdict | undefined {
  if (markedAt === undefined || now - markedAt < writeTimeout) return undefined
  return { kind: 'slow', reason: `not drained within ${writeTimeout} ms (limits.writeTimeout)` }
}

/**
 * Would this payload take the socket over its bound? A string is counted in bytes only when its length alone does not
 * decide: one UTF-16 unit is one to three bytes.
 */
export function exceedsOutbound(
  waiting: number,
  payload: string | { readonly byteLength: number },
  bound: number,
): boolean {
  if (typeof payload !== 'string') return waiting + payload.byteLength > bound
  if (waiting + payload.length > bound) return true
  if (waiting + payload.length * 3 <= bound) return false
  return waiting + Buffer.byteLength(payload) > bound
}
