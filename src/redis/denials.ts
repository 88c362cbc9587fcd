import { randomUUID } from 'node:crypto'
import { parseDenial } from '../relay/envelope.ts'
import { type Denial, type DenialStore, denialKeys, isHitBy } from '../session/denials.ts'
import { type RedisCommands, redisScript } from './commands.ts'

/** Denials per script call: a script holds up everybody else on that server for as long as it runs. */
const batch = 500

/**
 * Three keys in one slot: `log` (in order of arrival), `until` (in order of expiry), and `facts` with what each denial says,
 * the number of the newest, and an `epoch`: a name drawn when the store was created. A cursor with another epoch is from before
 * the store was emptied. All three expire with the last denial in them.
 */
const denyScript = redisScript(`
local log, ending, facts = KEYS[1], KEYS[2], KEYS[3]
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
redis.call('HSETNX', facts, 'epoch', ARGV[1])
local over = redis.call('ZRANGEBYSCORE', ending, '-inf', now, 'LIMIT', 0, 1000)
if #over > 0 then
  redis.call('ZREM', ending, unpack(over))
  redis.call('ZREM', log, unpack(over))
  redis.call('HDEL', facts, unpack(over))
end
for i = 2, #ARGV, 3 do
  local name, at, ends = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local kept = redis.call('HGET', facts, name)
  if kept then
    local kept_at, kept_ends = string.match(kept, '^(%d+):(%d+)$')
    if kept_at and tonumber(kept_at) > tonumber(at) then at = kept_at end
    if kept_ends and tonumber(kept_ends) > tonumber(ends) then ends = kept_ends end
  end
  local fact = at .. ':' .. ends
  if kept ~= fact then
    local number = redis.call('HINCRBY', facts, 'newest', 1)
    redis.call('ZADD', log, number, name)
    redis.call('ZADD', ending, ends, name)
    redis.call('HSET', facts, name, fact)
  end
end
local last = redis.call('ZRANGE', ending, -1, -1)
if last[1] then
  local ends = string.match(redis.call('HGET', facts, last[1]) or '', ':(%d+)$')
  if ends then for i = 1, 3 do redis.call('PEXPIREAT', KEYS[i], ends) end end
end
return 1
`)

/** The epoch of a store in which nothing was ever put. */
const neverWritten = 'empty'

const sinceScript = redisScript(`
local log, facts = KEYS[1], KEYS[3]
local head = redis.call('HMGET', facts, 'epoch', 'newest')
local epoch, newest = head[1] or '${neverWritten}', tonumber(head[2] or '0')
local after, reset = tonumber(ARGV[2]), 0
if epoch ~= ARGV[1] or after > newest then after, reset = 0, 1 end
local names = redis.call('ZRANGEBYSCORE', log, '(' .. after, '+inf', 'WITHSCORES', 'LIMIT', 0, ${batch})
local answer, found = { epoch, tostring(newest), reset }, {}
for i = 1, #names, 2 do found[#found + 1] = names[i] end
if #found == ${batch} then answer[2] = names[#names] end
if #found > 0 then
  local said = redis.call('HMGET', facts, unpack(found))
  for i = 1, #found do
    answer[#answer + 1] = found[i]
    answer[#answer + 1] = said[i] or ''
  end
end
return answer
`)

export function redisDenials(commands: RedisCommands, channel: string, now: () => number = Date.now): DenialStore {
  const prefix = `${channel}:{${channel}:denials}`
  const keys = [`${prefix}:log`, `${prefix}:until`, `${prefix}:facts`] as const

  const page = async (epoch: string, after: string) => {
    const answer = await commands.run(sinceScript, keys, epoch, after)
    if (!Array.isArray(answer)) throw new TypeError('the denial store answered with something else')
    const [epochNow, newest, reset, ...entries] = answer.map(String)
    if (epochNow === undefined || !/^\d+$/.test(newest ?? ''))
      throw new TypeError('the denial store holds something else')
    return { epoch: epochNow, newest: newest ?? '0', reset: reset === '1', entries }
  }

  return {
    async deny(...denials) {
      for (let from = 0; from < denials.length; from += batch) {
        const entries = denials.slice(from, from + batch)
        const flat = entries.flatMap(({ kind, id, at, until }) => [`${kind}:${id}`, String(at), String(until)])
        await commands.run(denyScript, keys, randomUUID(), ...flat)
      }
    },

    async since(cursor) {
      const [askedEpoch = '', askedAfter = '0'] = cursor?.split(' ') ?? []
      let next = await page(askedEpoch, askedAfter)
      // A store without anything may have been emptied since: a cursor from before its first denial looks just the same.
      const reset = cursor !== undefined && (next.reset || next.epoch === neverWritten)
      const denials: Denial[] = []
      for (;;) {
        denials.push(...parseEntries(next.entries, now()))
        if (next.entries.length < 2 * batch) return { denials, cursor: `${next.epoch} ${next.newest}`, reset }
        const more = await page(next.epoch, next.newest)
        // Emptied between two pages: what was read before still counts, and the new store is read from its beginning.
        next = more
      }
    },

    async isDenied(subject) {
      const names = denialKeys(subject)
      if (names.length === 0) return false
      const facts = await commands.send(keys[2], 'HMGET', keys[2], ...names)
      if (!Array.isArray(facts)) throw new TypeError('the denial store answered with something else')
      const time = now()
      return names.some((name, index) => {
        const fact: unknown = facts[index]
        if (fact === null) return false
        const denial = parseEntry(name, String(fact))
        // Something is written there and nobody can read it: refused, rather than admitted.
        return denial === undefined || isHitBy(denial, subject, time)
      })
    },
  }
}

function parseEntries(entries: readonly string[], now: number): Denial[] {
  const denials: Denial[] = []
  for (let index = 0; index < entries.length; index += 2) {
    const denial = parseEntry(entries[index] ?? '', entries[index + 1] ?? '')
    if (denial !== undefined && denial.until > now) denials.push(denial)
  }
  return denials
}

function parseEntry(name: string, fact: string): Denial | undefined {
  const [kind, id] = name.split(':')
  const [, at, until] = /^(\d{1,16}):(\d{1,16})$/.exec(fact) ?? []
  return at === undefined ? undefined : parseDenial({ kind, id, at: Number(at), until: Number(until) })
}
