import type { CounterStore } from '../relay/counters.ts'
import { type RedisCommands, type RedisScript, redisScript } from './commands.ts'
import { keyDigest } from './key.ts'
import { redisLeases } from './leases.ts'

/** The same count as `slide` in `counters.ts`, by the server's clock: 1 when one more hit is within the limit. */
const readWindow = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local window, limit = tonumber(ARGV[1]), tonumber(ARGV[2])
local slot = math.floor(now / window)
local kept = redis.call('HMGET', KEYS[1], 'slot', 'current', 'previous')
local was, current, previous = tonumber(kept[1] or '-1'), tonumber(kept[2] or '0'), tonumber(kept[3] or '0')
if was ~= slot then
  previous = was == slot - 1 and current or 0
  current = 0
end
`
const isOver = `current + previous * (1 - (now - slot * window) / window) + 1 > limit`
/** Read and written in one step. */
const hitScript = redisScript(`${readWindow}
if ${isOver} then return 0 end
redis.call('HSET', KEYS[1], 'slot', string.format('%.0f', slot), 'current', current + 1, 'previous', previous)
redis.call('PEXPIRE', KEYS[1], 2 * window)
return 1
`)
/** Only read. */
const wouldHitScript = redisScript(`${readWindow}
if ${isOver} then return 0 end
return 1
`)

export function redisCounters(commands: RedisCommands, channel: string): CounterStore {
  const leases = redisLeases(commands, `${channel}:cap`)
  const asked = async (script: RedisScript, key: string, windowMs: number, limit: number): Promise<boolean> =>
    String(await commands.run(script, [`${channel}:rate:${keyDigest(key)}`], String(windowMs), String(limit))) === '1'
  return {
    hit: (key, windowMs, limit) => asked(hitScript, key, windowMs, limit),
    wouldHit: (key, windowMs, limit) => asked(wouldHitScript, key, windowMs, limit),
    hasRoom: async (key, limit) => (await leases.holders(key)).length < limit,
    acquire: (key, holder, limit, ttlMs) => leases.take(key, holder, limit, ttlMs),
    renew: (claims, ttlMs) => leases.keep(claims, ttlMs),
    release: (key, holder) => leases.free(key, holder),
  }
}
