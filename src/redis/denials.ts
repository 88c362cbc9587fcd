import { randomUUID } from 'node:crypto'
import { parseDenial } from '../relay/envelope.ts'
import type { Denial, DenialStore } from '../session/denials.ts'
import { type RedisCommands, redisScript } from './commands.ts'

/** Denials per script call: a script holds up everybody else on that server for as long as it runs. */
const batch = 500

/**
 * Three keys in one slot. `facts` is the truth: what each denial says, the number of the newest, an `epoch` and a `digest`.
 * `log` (in order of arrival) and `until` (in order of expiry) are its indexes. The epoch is the time at which the store was
 * created and a name drawn then: a cursor with another one is from before the store was emptied. The digest is of all that
 * the facts say. All three expire with the last denial in them. A server that is full may evict one key and keep the others:
 * the indexes are made again while everything is read.
 */
const prelude = `
local log, ending, facts = KEYS[1], KEYS[2], KEYS[3]
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local digest = redis.call('HGET', facts, 'digest') or '0 0'
local one, two = string.match(digest, '^(-?%d+) (-?%d+)$')
one, two = tonumber(one or '0'), tonumber(two or '0')
local function toggle(name, fact)
  local sha = redis.sha1hex(name .. '=' .. fact)
  one = bit.bxor(one, tonumber(string.sub(sha, 1, 8), 16))
  two = bit.bxor(two, tonumber(string.sub(sha, 9, 16), 16))
end
local over = redis.call('ZRANGEBYSCORE', ending, '-inf', now, 'LIMIT', 0, ${batch})
if #over > 0 then
  local said = redis.call('HMGET', facts, unpack(over))
  for i = 1, #over do if said[i] then toggle(over[i], said[i]) end end
  redis.call('ZREM', ending, unpack(over))
  redis.call('ZREM', log, unpack(over))
  redis.call('HDEL', facts, unpack(over))
end
local function done()
  if redis.call('EXISTS', facts) == 1 then redis.call('HSET', facts, 'digest', one .. ' ' .. two) end
end
`

const denyScript = redisScript(`${prelude}
redis.call('HSETNX', facts, 'epoch', now .. '-' .. ARGV[1])
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
    if kept then toggle(name, kept) end
    toggle(name, fact)
    local number = redis.call('HINCRBY', facts, 'newest', 1)
    redis.call('ZADD', log, number, name)
    redis.call('ZADD', ending, ends, name)
    redis.call('HSET', facts, name, fact)
  end
end
done()
local last = redis.call('ZRANGE', ending, -1, -1, 'WITHSCORES')
if last[2] then for i = 1, 3 do redis.call('PEXPIREAT', KEYS[i], last[2]) end end
return 1
`)

/** The epoch of a store in which nothing was ever put. */
const neverWritten = 'empty'
/** Milliseconds in which a store that was created counts as young: nodes may still be putting back what it had before. */
const youth = 60_000

/** From a number on, what came after it; without one everything that `facts` holds, page by page (`HSCAN`), and then what came meanwhile. */
const sinceScript = redisScript(`${prelude}
local asked_epoch, asked_after, scan, asked_newest = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local head = redis.call('HMGET', facts, 'epoch', 'newest', 'digest')
local epoch, newest = head[1] or '${neverWritten}', tonumber(head[2] or '0')
local count = redis.call('HLEN', facts)
for i = 1, 3 do if head[i] then count = count - 1 end end
if asked_after == '' and asked_newest == '' then
  -- More than the facts say: what is too much cannot be told apart, so the index is made again.
  for _, index in ipairs({ log, ending }) do if redis.call('ZCARD', index) > count then redis.call('DEL', index) end end
end
local damaged = redis.call('ZCARD', log) ~= count or redis.call('ZCARD', ending) ~= count
local answer, after, more, reset = {}, asked_after, 0, 0
if asked_epoch ~= '' and asked_epoch ~= '${neverWritten}' and asked_epoch ~= epoch then
  reset = 1
elseif asked_after == '' then
  local found = redis.call('HSCAN', facts, scan, 'COUNT', ${batch})
  scan = found[1]
  after = asked_newest ~= '' and asked_newest or tostring(newest)
  for i = 1, #found[2], 2 do
    local name, fact = found[2][i], found[2][i + 1]
    if name ~= 'epoch' and name ~= 'newest' and name ~= 'digest' then
      answer[#answer + 1], answer[#answer + 2] = name, fact
      if damaged then
        if not redis.call('ZSCORE', log, name) then
          redis.call('ZADD', log, redis.call('HINCRBY', facts, 'newest', 1), name)
        end
        redis.call('ZADD', ending, string.match(fact, '^%d+:(%d+)') or now, name)
      end
    end
  end
  more = (scan == '0' and tonumber(after) == newest and not damaged) and 0 or 1
elseif damaged or tonumber(asked_after) > newest then
  reset = 1
else
  local names = redis.call('ZRANGEBYSCORE', log, '(' .. asked_after, '+inf', 'WITHSCORES', 'LIMIT', 0, ${batch})
  local found = {}
  for i = 1, #names, 2 do found[#found + 1] = names[i] end
  if #found == ${batch} then after, more = names[#names], 1 else after = tostring(newest) end
  if #found > 0 then
    local said = redis.call('HMGET', facts, unpack(found))
    for i = 1, #found do answer[#answer + 1], answer[#answer + 2] = found[i], said[i] or '' end
  end
end
done()
local created = tonumber(string.match(epoch, '^(%d+)%-') or '0')
local young = (epoch == '${neverWritten}' or damaged or now - created < ${youth}) and 1 or 0
local whole = (more == 0 and #over < ${batch}) and 1 or 0
return { epoch, after, scan, more, reset, young, whole, count, one .. ' ' .. two, now, answer }
`)

/** How far a reader has come: by the number of the newest that it has, or in the middle of everything. */
interface Position {
  readonly epoch: string
  /** Empty while everything is read. */
  readonly after: string
  readonly scan: string
  /** The newest when everything began to be read. */
  readonly newest: string
}

const beginning: Position = { epoch: '', after: '', scan: '0', newest: '' }

/** `<epoch> <number>`, or `<epoch> scan <HSCAN's cursor> <number>`. */
function positionOf(cursor: string | undefined): Position {
  if (cursor === undefined) return beginning
  const [epoch = '', after = '', scan = '0', newest = ''] = cursor.split(' ')
  return after === 'scan' ? { epoch, after: '', scan, newest } : { epoch, after, scan: '0', newest: '' }
}

export function redisDenials(commands: RedisCommands, channel: string): DenialStore {
  const prefix = `${channel}:{${channel}:denials}`
  const keys = [`${prefix}:log`, `${prefix}:until`, `${prefix}:facts`] as const

  return {
    async deny(...denials) {
      for (let from = 0; from < denials.length; from += batch) {
        const entries = denials.slice(from, from + batch)
        const flat = entries.flatMap(({ kind, id, at, until }) => [`${kind}:${id}`, String(at), String(until)])
        await commands.run(denyScript, keys, randomUUID(), ...flat)
      }
    },

    async since(cursor) {
      const asked = positionOf(cursor)
      const answer = await commands.run(sinceScript, keys, asked.epoch, asked.after, asked.scan, asked.newest)
      if (!Array.isArray(answer)) throw new TypeError('the denial store answered with something else')
      const [epoch = '', after = '', scan = '', more, reset, young, whole, count, digest = '', asOf] = answer
        .slice(0, -1)
        .map(String)
      const entries: unknown = answer.at(-1)
      if (!/^\d+$/.test(after) || !Array.isArray(entries)) throw new TypeError('the denial store holds something else')
      const scanning = asked.after === '' && scan !== '0'
      return {
        denials: parseEntries(entries.map(String)),
        cursor: scanning ? `${epoch} scan ${scan} ${after}` : `${epoch} ${after}`,
        more: more === '1',
        reset: reset === '1',
        young: young === '1',
        ...(whole === '1' && { kept: { count: Number(count), digest, asOf: Number(asOf) } }),
      }
    },
  }
}

function parseEntries(entries: readonly string[]): Denial[] {
  const denials: Denial[] = []
  for (let index = 0; index < entries.length; index += 2) {
    const denial = parseEntry(entries[index] ?? '', entries[index + 1] ?? '')
    if (denial !== undefined) denials.push(denial)
  }
  return denials
}

function parseEntry(name: string, fact: string): Denial | undefined {
  const [kind, id] = name.split(':')
  const [, at, until] = /^(\d{1,16}):(\d{1,16})$/.exec(fact) ?? []
  return at === undefined ? undefined : parseDenial({ kind, id, at: Number(at), until: Number(until) })
}
