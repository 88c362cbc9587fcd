import { type KeyObject, randomUUID } from 'node:crypto'
import type { Denial, DenialStore } from '../session/denials.ts'
import { type RedisCommands, redisScript } from './commands.ts'
import { laterOf, readFact, writeFact } from './denial-fact.ts'

/** Denials per script call: a script holds up everybody else on that server for as long as it runs. */
const batch = 250

/**
 * Three keys in one slot. `facts` is the truth: what each denial says, the number of the newest, an `epoch` and a `digest`.
 * `log` (in order of arrival) and `until` (in order of expiry) are its indexes. The epoch is the time at which the store was
 * created and a name drawn then: a cursor with another one is from before the store was emptied. The digest is of all that
 * the facts say, without their signatures: Redis has no key. All three expire with the last denial in them. A server that is
 * full may evict one key and keep the others:
 * the indexes are made again while everything is read.
 */
const prelude = `
local log, ending, facts = KEYS[1], KEYS[2], KEYS[3]
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local digest = redis.call('HGET', facts, 'digest') or '0 0'
local one, two = string.match(digest, '^(-?%d+) (-?%d+)$')
one, two = tonumber(one or '0'), tonumber(two or '0')
local function parts(kept)
  local late, lasting
  for part, at, ends in string.gmatch(kept, '((%d+):(%d+):[^ ]*)') do
    local one = { part = part, at = tonumber(at), ends = tonumber(ends), at_text = at, ends_text = ends }
    if not late or one.at > late.at or (one.at == late.at and one.ends > late.ends) then late = one end
    if not lasting or one.ends > lasting.ends or (one.ends == lasting.ends and one.at > lasting.at) then lasting = one end
  end
  return late, lasting
end
local function lasting_of(kept)
  local _, lasting = parts(kept)
  return lasting and lasting.ends_text or now
end
local function toggle(name, kept)
  local late, lasting = parts(kept)
  local sha = redis.sha1hex(name .. '=' .. (late and (late.at_text .. ':' .. lasting.ends_text) or kept))
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

/**
 * For each name a fact, and a fact that was refused, which makes way. What says more stays, with its own signature: the later
 * of two and the longer of two, which may be one. Returns what stands there beside or in the place of what was given.
 */
const denyScript = redisScript(`${prelude}
redis.call('HSETNX', facts, 'epoch', now .. '-' .. ARGV[1])
local beside = {}
for i = 2, #ARGV, 3 do
  local name, fact, refused = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local kept = redis.call('HGET', facts, name)
  local late, lasting = parts((kept and kept ~= refused) and (kept .. ' ' .. fact) or fact)
  local both = late.part == lasting.part and late.part or (late.part .. ' ' .. lasting.part)
  if kept ~= both then
    if kept then toggle(name, kept) end
    toggle(name, both)
    local number = redis.call('HINCRBY', facts, 'newest', 1)
    redis.call('ZADD', log, number, name)
    redis.call('ZADD', ending, lasting.ends_text, name)
    redis.call('HSET', facts, name, both)
  end
  if both ~= fact then beside[#beside + 1], beside[#beside + 2] = name, both end
end
done()
local last = redis.call('ZRANGE', ending, -1, -1, 'WITHSCORES')
if last[2] then for i = 1, 3 do redis.call('PEXPIREAT', KEYS[i], last[2]) end end
return beside
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
        redis.call('ZADD', ending, lasting_of(fact), name)
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

/** Puts names at the end of the log: every node reads them again, and one that knows better says so. */
const doubtScript = redisScript(`${prelude}
for i = 1, #ARGV do
  if redis.call('HGET', facts, ARGV[i]) then
    redis.call('ZADD', log, redis.call('HINCRBY', facts, 'newest', 1), ARGV[i])
  end
end
done()
return 1
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

/** How often a fact that was refused is replaced before somebody else who writes there is believed to be faster. */
const attempts = 3

/** @param secret keys that sign what is stored, as they are now: the first one signs, all of them verify */
export function redisDenials(
  commands: RedisCommands,
  channel: string,
  secret: () => readonly KeyObject[],
): DenialStore {
  const prefix = `${channel}:{${channel}:denials}`
  const keys = [`${prefix}:log`, `${prefix}:until`, `${prefix}:facts`] as const

  async function put(denials: readonly Denial[]): Promise<void> {
    // One fact for a name: two in one list say the same as one that says both.
    const known = new Map<string, Denial>()
    const factOf = (denial: Denial): readonly [name: string, fact: string] => {
      const before = known.get(`${denial.kind}:${denial.id}`)
      const both = before === undefined ? denial : laterOf(before, denial)
      known.set(`${denial.kind}:${denial.id}`, both)
      return writeFact(both, secret())
    }
    let open = [...new Map(denials.map(factOf))].map(([name, fact]) => [name, fact, ''])
    for (let attempt = 0; attempt < attempts; attempt++) {
      const beside = pairsOf(await commands.run(denyScript, keys, randomUUID(), ...open.flat()))
      // A fact with a far end that nobody signed must not keep ours out, nor take along one that was signed.
      open = beside.flatMap(([name, kept]) => {
        const { denial = known.get(name), isForged, isOutdated } = readFact(name, kept, secret())
        return (isForged || isOutdated) && denial !== undefined ? [[...factOf(denial), kept]] : []
      })
      if (open.length === 0) return
    }
    throw new Error('the denial store is written by somebody else')
  }

  return {
    async deny(...denials) {
      for (let from = 0; from < denials.length; from += batch) await put(denials.slice(from, from + batch))
    },

    async since(cursor) {
      const asked = positionOf(cursor)
      const answer = await commands.run(sinceScript, keys, asked.epoch, asked.after, asked.scan, asked.newest)
      if (!Array.isArray(answer)) throw new TypeError('the denial store answered with something else')
      const [epoch = '', after = '', scan = '', more, reset, young, whole, count, digest = '', asOf] = answer
        .slice(0, -1)
        .map(String)
      if (!/^\d+$/.test(after)) throw new TypeError('the denial store holds something else')
      const denials: Denial[] = []
      const refused: string[] = []
      const outdated = new Set<string>()
      for (const [name, kept] of pairsOf(answer.at(-1))) {
        const { denial, isForged, isOutdated } = readFact(name, kept, secret())
        if (denial !== undefined) denials.push(denial)
        if (isOutdated) outdated.add(name)
        if (isForged) refused.push(name)
      }
      // Only where everything is read, or two nodes that know no better would go on telling each other.
      if (asked.after === '' && refused.length > 0) await commands.run(doubtScript, keys, ...refused)
      const scanning = asked.after === '' && scan !== '0'
      return {
        denials,
        refused,
        outdated,
        cursor: scanning ? `${epoch} scan ${scan} ${after}` : `${epoch} ${after}`,
        more: more === '1',
        reset: reset === '1',
        young: young === '1',
        ...(whole === '1' && { kept: { count: Number(count), digest, asOf: Number(asOf) } }),
      }
    },
  }
}

/** `[name, fact, name, fact, ...]`, as a script answers. */
function pairsOf(answer: unknown): [name: string, fact: string][] {
  if (!Array.isArray(answer)) throw new TypeError('the denial store answered with something else')
  const flat = answer.map(String)
  return Array.from({ length: flat.length / 2 }, (_, index) => [flat[2 * index] ?? '', flat[2 * index + 1] ?? ''])
}
