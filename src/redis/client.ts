import { badOption } from '../errors.ts'
import type { RedisConnection } from './connection.ts'
import { type IoRedisClient, isIoRedis, openIoRedis } from './ioredis.ts'
import { isNodeRedis, type NodeRedisClient, openNodeRedis } from './node-redis.ts'

/**
 * A client of `redis` (node-redis 5 or later: `createClient`, `createCluster`) or of `ioredis` (5 or later: `Redis`,
 * `Cluster`), by its shape, so that neither package is a dependency. It is a template: it is duplicated, never used and never closed.
 */
export type RedisClient = NodeRedisClient | IoRedisClient

export interface RedisSource {
  /** A cluster: every script touches one slot, and pub/sub is sharded. */
  readonly cluster: boolean
  open(): RedisConnection
}

export function redisSource(client: unknown, path: string): RedisSource {
  if (isIoRedis(client)) return { cluster: client.isCluster === true, open: () => openIoRedis(client) }
  // It looks like a client, and takes its commands in another way: every one would fail.
  if (typeof client === 'object' && client !== null && 'getSentinelNode' in client) {
    throw badOption(path, 'a Sentinel client of `redis`', 'Pass `new Redis({ sentinels, name })` of `ioredis`.')
  }
  if (isNodeRedis(client)) return { cluster: 'slots' in client, open: () => openNodeRedis(client) }
  throw badOption(
    path,
    client,
    'Pass what `createClient()` of `redis` or `new Redis()` of `ioredis` returns, or write `url` instead.',
  )
}
