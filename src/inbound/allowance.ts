import type { Bucket, Pace } from './rate.ts'
import { fullBucket, take, waitFor } from './rate.ts'
import type { Reported } from './reported.ts'
import type { Refusal } from './verdict.ts'
import { refuse } from './verdict.ts'

/** What each socket of a route may use up. */
export interface Allowance {
  readonly messages: Pace
  readonly bytes: Pace
  readonly refusals: Pace
}

/** What one socket has left. Two buckets, until it is refused something or uses a type with a pace of its own. */
export interface InboundState {
  readonly messages: Bucket
  readonly bytes: Bucket
  refusals: Bucket | undefined
  types: Map<string, Bucket> | undefined
  reported: Reported | undefined
}

/** Full buckets: a socket may begin with its whole burst. */
export function createInboundState(policy: Allowance, now: number): InboundState {
  return {
    messages: fullBucket(policy.messages, now),
    bytes: fullBucket(policy.bytes, now),
    refusals: undefined,
    types: undefined,
    reported: undefined,
  }
}

/** A frame costs one message and its bytes (RS-08, RS-13). An empty one costs a message all the same. */
export function refuseFast(bytes: number, policy: Allowance, state: InboundState, now: number): Refusal | undefined {
  if (!take(state.messages, policy.messages, 1, now)) {
    return tooFast('rate: limits.messages', waitFor(state.messages, policy.messages, 1))
  }
  if (!take(state.bytes, policy.bytes, bytes, now)) {
    return tooFast('rate: limits.bytes', waitFor(state.bytes, policy.bytes, bytes))
  }
  return undefined
}

function tooFast(reason: string, retryAfter: number | undefined): Refusal {
  return { ...refuse('SWS_TOO_FAST', reason), ...(retryAfter !== undefined && { retryAfter }) }
}

/** The pace of one declared type. `type` is a declared name, so a client cannot make the map grow. */
export function refuseFastType(type: string, pace: Pace, state: InboundState, now: number): Refusal | undefined {
  state.types ??= new Map()
  let bucket = state.types.get(type)
  if (bucket === undefined) {
    bucket = fullBucket(pace, now)
    state.types.set(type, bucket)
  }
  return take(bucket, pace, 1, now) ? undefined : tooFast('rate: of the message type', waitFor(bucket, pace, 1))
}

/**
 * Counts one refusal; `true` when it is one too many and the socket must close with 1008. `receive` and `countControlFrame`
 * count their own: this is for refusals decided elsewhere (a room, a missing listener).
 */
export function noteRefusal(state: InboundState, policy: Allowance, now: number): boolean {
  state.refusals ??= fullBucket(policy.refusals, now)
  return !take(state.refusals, policy.refusals, 1, now)
}
