import type { LeaseStore } from '../relay/stores.ts'
import { type RedisCommands, redisScript } from './commands.ts'
import { keyDigest } from './key.ts'

/** Places per script call: a script holds up everybody else on that server for as long as it runs. */
const batch = 500

/** One step, because the client of a cluster does not keep the order of two commands: whether the entry was there, whatever it was. */
const keepScript = redisScript(`
local known = redis.call('EXISTS', KEYS[1])
if tonumber(ARGV[1]) > 0 then redis.call('SET', KEYS[1], '1', 'PX', ARGV[1]) else redis.call('DEL', KEYS[1]) end
return known
`)

/**
 * A hash per key: holder to `<end> <tenure>`, the end by the server's clock. Each call throws away what its caller has found to
 * be of a tenure that ended, if it still says the same, and looks at two others drawn at random: a hash that is never full is
 * tidied by its own comings.
 *
 * Answers 1, or, where all places are taken, who has them.
 */
const takeScript = redisScript(`
local key, holder, tenure, limit, ttl = KEYS[1], ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function is_over(place) return (tonumber(string.match(place, '^(%d+) ') or '0')) <= now end
for i = 5, #ARGV, 2 do
  if redis.call('HGET', key, ARGV[i]) == ARGV[i + 1] then redis.call('HDEL', key, ARGV[i]) end
end
if limit ~= '' and not redis.call('HGET', key, holder) and redis.call('HLEN', key) >= tonumber(limit) then
  local all, living = redis.call('HGETALL', key), {}
  for i = 1, #all, 2 do
    if is_over(all[i + 1]) then redis.call('HDEL', key, all[i])
    else living[#living + 1], living[#living + 2] = all[i], all[i + 1] end
  end
  if #living / 2 >= tonumber(limit) then return living end
end
local some = redis.call('HRANDFIELD', key, 2, 'WITHVALUES')
for i = 1, #some, 2 do if is_over(some[i + 1]) then redis.call('HDEL', key, some[i]) end end
redis.call('HSET', key, holder, string.format('%.0f', now + ttl) .. ' ' .. tenure)
if redis.call('PTTL', key) < ttl then redis.call('PEXPIRE', key, ARGV[4]) end
return 1
`)

/** Throws away those that still say the same. */
const dropScript = redisScript(`
for i = 1, #ARGV, 2 do
  if redis.call('HGET', KEYS[1], ARGV[i]) == ARGV[i + 1] then redis.call('HDEL', KEYS[1], ARGV[i]) end
end
return 1
`)

/** Everybody, and the time. */
const holdersScript = redisScript(`
local time = redis.call('TIME')
return { string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000)), redis.call('HGETALL', KEYS[1]) }
`)

/** How often somebody may fill the places that were found to be free before the answer is no. */
const attempts = 3

type Place = readonly [holder: string, place: string]

export function redisLeases(commands: RedisCommands, channel: string): LeaseStore {
  const name = (key: string) => `${channel}:lease:${keyDigest(key)}`
  const tenureName = (tenure: string) => `${channel}:tenure:${keyDigest(tenure)}`

  const isAlive = async (tenure: string): Promise<boolean> =>
    String(await commands.send(tenureName(tenure), 'EXISTS', tenureName(tenure))) === '1'

  /** Those whose tenure has ended. In a cluster tenures and places are on different nodes, so no script can see both. */
  async function deadOf(places: readonly Place[]): Promise<Place[]> {
    const tenures = [...new Set(places.map(tenureOf))].filter((tenure) => tenure !== '')
    const dead = new Set<string>()
    for (let from = 0; from < tenures.length; from += batch) {
      const some = tenures.slice(from, from + batch)
      const answers = await Promise.all(some.map(isAlive))
      for (const [index, tenure] of some.entries()) if (answers[index] === false) dead.add(tenure)
    }
    return places.filter((place) => dead.has(tenureOf(place)))
  }

  return {
    async keep(tenure, ttlMs) {
      const key = tenureName(tenure)
      const known = await commands.run(keepScript, [key], ttlMs > 0 ? wholeMs(ttlMs) : '0')
      return String(known) === '1'
    },
    async take({ key, holder, tenure = '' }, limit, ttlMs) {
      const args = [holder, tenure, limit === Number.POSITIVE_INFINITY ? '' : String(limit), wholeMs(ttlMs)]
      let dead: Place[] = []
      for (let attempt = 0; attempt < attempts; attempt++) {
        const answer = await commands.run(takeScript, [name(key)], ...args, ...dead.flat())
        if (!Array.isArray(answer)) return String(answer) === '1'
        dead = (await deadOf(pairsOf(answer))).slice(0, batch)
        if (dead.length === 0) return false
      }
      return false
    },
    async free(key, holder) {
      await commands.send(name(key), 'HDEL', name(key), holder)
    },
    async holders(key) {
      const answer = await commands.run(holdersScript, [name(key)])
      if (!Array.isArray(answer) || !Array.isArray(answer[1])) {
        throw new TypeError('the store answered with something else')
      }
      const now = Number(answer[0])
      const lasting = pairsOf(answer[1]).filter(([, place]) => endOf(place) > now)
      const dead = await deadOf(lasting)
      if (dead.length === 0) return lasting.map(([holder]) => holder)
      // Nobody waits for it, and nobody misses it: the next one who looks tries again.
      commands.run(dropScript, [name(key)], ...dead.slice(0, batch).flat()).catch(() => {})
      const gone = new Set(dead.map(([holder]) => holder))
      return lasting.map(([holder]) => holder).filter((holder) => !gone.has(holder))
    },
  }
}

function wholeMs(ttlMs: number): string {
  return String(Math.max(1, Math.ceil(ttlMs)))
}

/** What no node has written says neither when it ends nor whose it is, and is over. */
function endOf(place: string): number {
  return Number(/^(\d+) /.exec(place)?.[1] ?? 0)
}

function tenureOf([, place]: Place): string {
  return place.slice(place.indexOf(' ') + 1)
}

function pairsOf(flat: readonly unknown[]): Place[] {
  return Array.from({ length: flat.length / 2 }, (_, index) => [String(flat[2 * index]), String(flat[2 * index + 1])])
}
