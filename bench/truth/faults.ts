import { setTimeout as sleep } from 'node:timers/promises'
import type { RedisServer } from '../../test/harness/redis.ts'
import type { TcpProxy } from '../../test/harness/tcp-proxy.ts'

/** The ways in which Redis is taken away, or loses what it holds. */
export const faults = {
  /** kill -9, and after a while it comes back empty, as a replica does that had nothing. */
  async killed(redis: RedisServer): Promise<void> {
    await redis.stop()
    await sleep(Math.random() * 2_500)
    await redis.start()
  },
  async emptied(redis: RedisServer): Promise<void> {
    await redis.cli('FLUSHALL')
  },
  /** The whole ledger of revocations, and whatever else has the luck: short of memory, with keys that may be evicted. */
  async evicted(redis: RedisServer): Promise<void> {
    const keys = (await redis.cli('KEYS', 'truth:*')).split('\n').filter((key) => key !== '')
    const gone = keys.filter((key) => key.includes('denials') || Math.random() < 0.3)
    if (gone.length > 0) await redis.cli('DEL', ...gone)
  },
  async disconnected(redis: RedisServer): Promise<void> {
    await redis.cli('CLIENT', 'KILL', 'TYPE', Math.random() < 0.5 ? 'pubsub' : 'normal')
  },
  async slow(redis: RedisServer): Promise<void> {
    await redis.cli('CLIENT', 'PAUSE', String(Math.floor(100 + Math.random() * 500)), 'ALL')
  },
  /** One node alone. */
  async parted(_redis: RedisServer, wire: TcpProxy): Promise<void> {
    wire.cut()
    await sleep(Math.random() * 3_000)
    wire.mend()
  },
} as const

export type FaultName = keyof typeof faults
