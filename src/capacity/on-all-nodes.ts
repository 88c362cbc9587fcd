import { randomUUID } from 'node:crypto'
import { addressKey } from '../http/address.ts'
import { type Refusal, refuse } from '../http/refusal.ts'
import type { ReplayGuard } from '../inbound/replay.ts'
import type { LeaseStore, RateStore } from '../relay/stores.ts'

/** Says whether an address may make one more handshake, counting all nodes. `check` only asks. */
export type SharedRate = (address: string | undefined, side: 'check' | 'take') => Promise<Refusal | undefined>

/**
 * The handshake rate that holds across nodes.
 *
 * @param onFailure told when the store is away: the rate of this node goes on alone
 */
export function createSharedRate(rates: RateStore, perMinute: number, onFailure: (error: unknown) => void): SharedRate {
  return async (address, side) => {
    const key = `handshakes:${addressKey(address)}`
    const within = await rates.hit(key, 60_000, perMinute, side === 'take' ? 1 : 0).catch((error: unknown) => {
      onFailure(error)
      return true
    })
    if (within) return undefined
    return refuse('SWS_TOO_MANY_HANDSHAKES', 'this address has made too many handshakes on all nodes', {
      headers: { 'retry-after': '60' },
    })
  }
}

/**
 * CS-16: one nonce counts once on all nodes. This node's own guard first, which costs no round trip; a place that only one
 * can take then decides between nodes. Rejects when the store is away: the message is refused.
 *
 * @param clockSkew a node whose clock is behind by so much still takes the message for fresh when ours would not
 */
export function createSharedReplayGuard(own: ReplayGuard, leases: LeaseStore, clockSkew: number): ReplayGuard {
  return {
    async remember(owner, nonce, expiresAt, time) {
      const verdict = await own.remember(owner, nonce, expiresAt, time)
      // An anonymous socket is its own session, and is on this node only.
      if (verdict !== 'fresh' || typeof owner !== 'string') return verdict
      const key = `nonce:${JSON.stringify([owner, nonce])}`
      // Of no tenure: it counts as used also when this node has gone.
      return (await leases.take({ key, holder: randomUUID() }, 1, expiresAt - time + clockSkew)) ? 'fresh' : 'seen'
    },
  }
}
