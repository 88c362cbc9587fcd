import { randomUUID } from 'node:crypto'
import { parseDenial } from '../relay/envelope.ts'
import type { Denial, DenialStore } from '../session/denials.ts'
import { type RedisCommands, redisScript } from './commands.ts'

/** Denials per script call: a script holds up everybody else on that server for as long as it runs. */
const batch = 500

/**
 * Three keys in one slot: `log` (in order of arrival), `until` (in order of expiry), and `facts` with what each denial says,
 * the number of the newest, an `epoch` and a `digest`. The epoch is a name drawn when the store was created: a cursor with
 * another one is from before the store was emptied. The digest is of all that the facts say. All three expire with the last
 * denial in them.
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
redis.call('HSETNX', facts, 'epoch', ARGV[1])
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
/** Fields of `facts` that are about the set, and not in it. */
const ownFields = 3

/**
 * Without a number to go on from: everything that `facts` holds, page by page (`HSCAN`), and then what came meanwhile. A
 * server may evict one key and keep the others; what is missing in the other two is put back on the way.
 */
const sinceScript = redisScript(`${prelude}
local head = redis.call('HMGET', facts, 'epoch', 'newest')
local epoch, newest = head[1] or '${neverWritten}', tonumber(head[2] or '0')
local fields = redis.call('HLEN', facts)
local count = fields > 0 and fields - ${ownFields} or 0
local damaged = redis.call('ZCARD', log) ~= count or redis.call('ZCARD', ending) ~= count
local reset = 0
if (ARGV[1] ~= '' and ARGV[1] ~= '${neverWritten}' and ARGV[1] ~= epoch) or (ARGV[2] ~= '' and ((damaged and head[1]) or tonumber(ARGV[2]) > newest)) then reset = 1 end
local answer, after, scan, more = {}, tonumber(ARGV[2] ~= '' and ARGV[2] or '0'), ARGV[3], 0
if reset == 1 then
  -- Nothing more: it is read from its beginning.
elseif ARGV[2] == '' then
  local found = redis.call('HSCAN', facts, scan, 'COUNT', ${batch})
  scan = found[1]
  if ARGV[4] ~= '' then after = tonumber(ARGV[4]) else after = newest end
  for i = 1, #found[2], 2 do
    local name, fact = found[2][i], found[2][i + 1]
    local ends = string.match(fact, '^%d+:(%d+)$')
    if string.find(name, ':', 1, true) then
      answer[#answer + 1], answer[#answer + 2] = name, fact
      if damaged and ends then
        if not redis.call('ZSCORE', log, name) then
          redis.call('ZADD', log, redis.call('HINCRBY', facts, 'newest', 1), name)
        end
        redis.call('ZADD', ending, ends, name)
      end
    end
  end
  more = (scan == '0' and after == newest and not damaged) and 0 or 1
else
  local names = redis.call('ZRANGEBYSCORE', log, '(' .. after, '+inf', 'WITHSCORES', 'LIMIT', 0, ${batch})
  local found = {}
  for i = 1, #names, 2 do found[#found + 1] = names[i] end
  if #found == ${batch} then after, more = names[#names], 1 else after = newest end
  if #found > 0 then
    local said = redis.call('HMGET', facts, unpack(found))
    for i = 1, #found do answer[#answer + 1], answer[#answer + 2] = found[i], said[i] or '' end
  end
end
done()
local known = #over < ${batch} and 1 or 0
local is_damaged = (damaged or epoch == '${neverWritten}') and 1 or 0
return { epoch, tostring(after), scan, more, reset, is_damaged, known, count, one .. ' ' .. two, now, answer }
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
      const [epoch = '', after = '', scan = '', more, reset, damaged, known, count, digest = '', asOf] = answer
        .slice(0, -1)
        .map(String)
      const entries: unknown = answer.at(-1)
      if (!/^\d+$/.test(after) || !Array.isArray(entries)) throw new TypeError('the denial store holds something else')
      const scanning = asked.after === '' && scan !== '0'
      return {
        denials: parseEntries(entries.map(String)),
        cursor: scanning ? `${epoch} scan ${scan} ${after}` : `${epoch} ${after}`,
        more: more === '1',
        reset: reset === '1' || (cursor === undefined && damaged === '1'),
        ...(known === '1' && more === '0' && { kept: { count: Number(count), digest, asOf: Number(asOf) } }),
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
