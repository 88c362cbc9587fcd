import type { RateStore } from '../relay/stores.ts'
import { type RedisCommands, redisScript } from './commands.ts'
import { keyDigest } from './key.ts'

/**
 * The same count as `slide` in `memory-rates.ts`, by the server's clock, read and written in one step: 1 when one more is within
 * the limit.
 */
const hitScript = redisScript(`
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
if current + previous * (1 - (now - slot * window) / window) + 1 > limit then return 0 end
if ARGV[3] == '0' then return 1 end
redis.call('HSET', KEYS[1], 'slot', string.format('%.0f', slot), 'current', current + 1, 'previous', previous)
redis.call('PEXPIRE', KEYS[1], 2 * window)
return 1
`)

export function redisRates(commands: RedisCommands, channel: string): RateStore {
  return {
    async hit(key, windowMs, limit, count) {
      const name = `${channel}:rate:${keyDigest(key)}`
      const args = [windowMs, limit, count].map(String)
      return String(await commands.run(hitScript, [name], ...args)) === '1'
    },
  }
}
