import type { Claim } from '../relay/counters.ts'
import { type RedisCommands, redisScript } from './commands.ts'
import { keyDigest } from './key.ts'

/** A sorted set per key, scored by when each holder's time is over; the whole key expires with its last one. */
const takeScript = redisScript(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[3]), ARGV[1])
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', tonumber(last[2])))
return 1
`)

const holdersScript = redisScript(`
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
return redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf')
`)

/** Above what any set may hold: who renews is never refused. */
const noLimit = '9007199254740991'
/** Commands sent together: enough to fill a pipeline, and far from the bound on those under way. */
const batch = 500

export interface RedisLeases {
  take(key: string, holder: string, limit: number, ttlMs: number): Promise<boolean>
  keep(claims: readonly Claim[], ttlMs: number): Promise<void>
  free(key: string, holder: string): Promise<void>
  holders(key: string): Promise<string[]>
}

export function redisLeases(commands: RedisCommands, prefix: string): RedisLeases {
  const name = (key: string) => `${prefix}:${keyDigest(key)}`
  const take = async (key: string, holder: string, limit: string, ttlMs: number): Promise<boolean> =>
    String(await commands.run(takeScript, [name(key)], holder, limit, String(ttlMs))) === '1'
  return {
    take: (key, holder, limit, ttlMs) => take(key, holder, String(limit), ttlMs),
    async keep(claims, ttlMs) {
      for (let from = 0; from < claims.length; from += batch) {
        const some = claims.slice(from, from + batch)
        await Promise.all(some.map(({ key, holder }) => take(key, holder, noLimit, ttlMs)))
      }
    },
    async free(key, holder) {
      await commands.send(name(key), 'ZREM', name(key), holder)
    },
    async holders(key) {
      const answer = await commands.run(holdersScript, [name(key)])
      if (!Array.isArray(answer)) throw new TypeError('the store answered with something else')
      return answer.map(String)
    },
  }
}
