import type { Refusal } from './verdict.ts'
import { refuse } from './verdict.ts'

/** Whose nonces: a session's id, or (anonymous sockets) an object that lives as long as the socket. The two cannot collide. */
export type NonceOwner = string | object

/**
 * Remembers which nonces a session has used. One per plugin instance: two sockets, or two routes, of one session must not accept
 * one message twice. A guard that asks another node (Redis) may answer with a promise, and must check and remember in one step.
 */
export interface ReplayGuard {
  /**
   * `full` and everything that is not `fresh` is refused. Both times are of a clock that nobody can set: `expiresAt` says when the
   * nonce may be forgotten, because from then on `at` alone refuses the message.
   */
  remember(owner: NonceOwner, nonce: string, expiresAt: number, now: number): NonceVerdict | Promise<NonceVerdict>
}
export type NonceVerdict = 'fresh' | 'seen' | 'owner-full' | 'full'

export interface ReplayGuardOptions {
  /** Nonces remembered in all, default 200,000 (at most some 40 MB). */
  readonly capacity?: number
  /** Nonces remembered per session, default 5,000: one session cannot fill the memory for all. */
  readonly perSession?: number
}

interface Used {
  readonly nonces: Map<string, number>
  /** When the last of them expires. */
  lastExpiry: number
}

const sweepEvery = 1000

/**
 * The guard of one node, in memory, without timers. Time frees it: a nonce is forgotten once its message would be refused as too
 * old anyway, never earlier to make room. Full means refused, because forgetting would admit a replay.
 */
export function createReplayGuard({ capacity = 200_000, perSession = 5_000 }: ReplayGuardOptions = {}): ReplayGuard {
  const owners = new Map<NonceOwner, Used>()
  let rolling = owners.entries()
  let total = 0
  let sweptAt = Number.NEGATIVE_INFINITY

  function sweep(owner: NonceOwner, used: Used, now: number): void {
    for (const [nonce, expiresAt] of used.nonces) {
      if (expiresAt >= now) continue
      used.nonces.delete(nonce)
      total--
    }
    if (used.nonces.size === 0) owners.delete(owner)
  }

  /** One owner per call: sessions that have gone are forgotten while others speak. */
  function sweepNext(now: number): void {
    const next = rolling.next()
    if (next.done) rolling = owners.entries()
    else if (next.value[1].lastExpiry < now) sweep(next.value[0], next.value[1], now)
  }

  return {
    remember(owner, nonce, expiresAt, now) {
      sweepNext(now)
      const known = owners.get(owner)
      const until = known?.nonces.get(nonce)
      if (until !== undefined && until >= now) return 'seen'
      if (known !== undefined && known.nonces.size >= perSession) {
        sweep(owner, known, now)
        if (known.nonces.size >= perSession) return 'owner-full'
      }
      if (total >= capacity && now - sweptAt >= sweepEvery) {
        // At most once a second: a full guard must not cost its whole size per message.
        sweptAt = now
        for (const [each, used] of owners) sweep(each, used, now)
      }
      if (total >= capacity) return 'full'
      // Looked up again: sweeping may have dropped this owner's emptied record.
      let used = owners.get(owner)
      if (used === undefined) {
        used = { nonces: new Map(), lastExpiry: expiresAt }
        owners.set(owner, used)
      }
      if (!used.nonces.has(nonce)) total++
      used.nonces.set(nonce, expiresAt)
      used.lastExpiry = Math.max(used.lastExpiry, expiresAt)
      return 'fresh'
    },
  }
}

/** The two members a message of a `replay` type carries besides its own. */
export interface ReplayMark {
  readonly nonce: unknown
  readonly at: unknown
}

/** The time at which a message is judged, on both clocks. */
export interface ReplayTime {
  /** In ms since the epoch: what `at` is compared with. It can be set. */
  readonly now: number
  /** In ms on a clock that nobody can set: what a nonce is kept by. */
  readonly uptime: number
}

/** 8 to 128 UTF-16 units; `at` in whole or broken milliseconds since the epoch, at most `window` away in either direction (CS-16). */
export function refuseReplay(
  { nonce, at }: ReplayMark,
  window: number,
  owner: NonceOwner,
  guard: ReplayGuard,
  { now, uptime }: ReplayTime,
): Refusal | undefined | Promise<Refusal | undefined> {
  if (typeof nonce !== 'string' || nonce.length < 8 || nonce.length > 128) {
    return refuse('SWS_INVALID_MESSAGE', 'replay: `nonce` is not a string of 8 to 128 units')
  }
  if (typeof at !== 'number' || !Number.isFinite(at)) {
    return refuse('SWS_INVALID_MESSAGE', 'replay: `at` is not a number of milliseconds')
  }
  if (at < now - window) return refuse('SWS_REPLAYED', 'replay: `at` is older than the window')
  if (at > now + window) return refuse('SWS_REPLAYED', 'replay: `at` is further ahead than the window')
  // Attack: the wall clock is set ahead and back, and whatever was forgotten meanwhile is sent again. So the time for which a nonce
  // is kept is a duration, and the longest for which any message can be in time: `at` ahead by the window, and the window after it.
  const verdict = guard.remember(owner, nonce, uptime + 2 * window, uptime)
  return typeof verdict === 'string' ? judge(verdict) : verdict.then(judge, failed)
}

function judge(verdict: NonceVerdict): Refusal | undefined {
  switch (verdict) {
    case 'fresh':
      return undefined
    case 'seen':
      return refuse('SWS_REPLAYED', 'replay: nonce already used in this session')
    case 'owner-full':
      return refuse('SWS_TOO_FAST', 'replay: this session uses more nonces than the guard remembers')
    default:
      return refuse('SWS_INTERNAL', 'replay: the guard is full')
  }
}

function failed(cause: unknown): Refusal {
  return { ...refuse('SWS_INTERNAL', 'replay: the guard failed'), cause }
}
