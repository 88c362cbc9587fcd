import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { readFact } from '../../src/redis/denial-fact.ts'
import { redisBus } from '../../src/redis/redis-bus.ts'
import { type Denial, denialOf } from '../../src/session/denials.ts'
import { Random } from '../harness/random.ts'
import { type RedisServer, startRedis } from '../harness/redis.ts'
import { until } from '../harness/until.ts'
import { type Listening, listening } from '../relay/two-nodes.ts'

const secret = 'a secret of the tests, of 32 bytes'
const [log, ending, facts] = ['app:{app:denials}:log', 'app:{app:denials}:until', 'app:{app:denials}:facts'] as const

let redis: RedisServer
const open: Listening[] = []
before(async () => {
  redis = await startRedis()
})
after(() => redis.close())
afterEach(async () => {
  await Promise.all(open.splice(0).map(({ relay }) => relay.close()))
  await redis.cli('FLUSHALL')
})

const { secret: keys = [] } = redisBus({ url: 'redis://localhost', channel: 'app', secret })

async function start(options = { catchUpEvery: 20 }): Promise<Listening> {
  const node = listening(redisBus({ url: redis.url, channel: 'app', secret }), options)
  open.push(node)
  await node.relay.start()
  await until(() => node.relay.ready, 'it was up')
  return node
}

/** What is stored: each name with what it says. */
async function stored(): Promise<Map<string, string>> {
  const flat = (await redis.cli('HGETALL', facts)).split('\n')
  const all = new Map<string, string>()
  for (let index = 0; index + 1 < flat.length; index += 2) all.set(flat[index] ?? '', flat[index + 1] ?? '')
  for (const name of ['epoch', 'newest', 'digest']) all.delete(name)
  return all
}

for (const seed of [1, 2, 3]) {
  test(`S7 Redis damaged at random while three nodes revoke: every node and Redis end with all of them (${seed})`, async () => {
    const random = new Random(seed)
    const below = (count: number) => random.below(count)
    const pick = <T>(list: readonly [T, ...T[]]): T => list[below(list.length)] ?? list[0]
    const someName = (): string => [...known.keys()][below(known.size)] ?? 'none'
    const nodes = await Promise.all([start(), start(), start()])
    const at = Date.now()
    const known = new Map<string, Denial>()
    const end = at + 3_600_000
    const damages: readonly [() => Promise<string>, ...(() => Promise<string>)[]] = [
      () => redis.cli('FLUSHALL'),
      () => redis.cli('DEL', log),
      () => redis.cli('DEL', ending),
      () => redis.cli('DEL', facts),
      () => redis.cli('HDEL', facts, someName()),
      () => redis.cli('ZREM', log, someName()),
      () => redis.cli('ZREM', ending, someName()),
      () => redis.cli('ZADD', log, '1', 'session:nobody'),
      () => redis.cli('HSET', facts, 'digest', '1 2'),
      () => redis.cli('HSET', facts, someName(), 'garbage'),
      () => redis.cli('HSET', facts, someName(), `${end + 1}:${end + 1}:${'A'.repeat(43)}`),
    ]
    for (let round = 0; round < 12; round++) {
      const some = Array.from({ length: 1 + below(700) }, () =>
        denialOf(pick(['session', 'token', 'user']), `s${below(2_000)}`, at + below(9), end),
      )
      for (const denial of some) {
        const name = `${denial.kind}:${denial.id}`
        if ((known.get(name)?.at ?? 0) < denial.at) known.set(name, denial)
      }
      const under = pick(nodes).relay.deny(...some)
      if (below(2) === 0) await under
      if (below(5) < 3) await pick(damages)()
      await under
    }
    const fresh = await start()
    const expected = [...known].map(([name, denial]) => `${name}=${denial.at}:${denial.until}`).sort()
    await until(
      async () => {
        const said = [...(await stored())].map(([name, kept]) => {
          const { denial, isForged } = readFact(name, kept, keys)
          return isForged ? 'forged' : `${name}=${denial?.at}:${denial?.until}`
        })
        return said.sort().join() === expected.join()
      },
      'Redis had all of them',
      60_000,
    )
    for (const { relay } of [...nodes, fresh]) {
      await until(
        () => [...known.keys()].every((name) => relay.findDenial({ keys: [name], authenticatedAt: at }) !== undefined),
        'it knew all',
      )
    }
    await until(() => [...nodes, fresh].every(({ relay }) => relay.ready), 'all were ready')
  })
}

// Nobody polls here, so what the starting node knows it was told when it asked.
test('a node that starts after an entry was overwritten knows the revocation before it admits anybody', async () => {
  const rarely = { catchUpEvery: 600_000 }
  const old = await start(rarely)
  const at = Date.now()
  const denials = [1, 2, 3].map((number) => denialOf('session', `s${number}`, at, at + 3_600_000))
  const [first, second, third] = denials.map(({ kind, id }) => `${kind}:${id}`) as [string, string, string]
  await old.relay.deny(...denials)
  await redis.cli('HSET', facts, first, 'garbage')
  await redis.cli('HSET', facts, second, `${at}:${at + 1}:${'A'.repeat(43)}`)
  // The near miss: an entry that was never one of ours opens and shuts nothing.
  await redis.cli('HSET', facts, 'session:'.padEnd(51, 'n'), 'garbage')

  const fresh = await start(rarely)
  assert.ok(fresh.relay.ready)
  for (const name of [first, second, third]) assert.ok(fresh.relay.findDenial({ keys: [name] }), name)
  assert.equal(fresh.relay.findDenial({ keys: ['session:'.padEnd(51, 'n')] }), undefined)
  await until(async () => {
    const kept = await stored()
    return [first, second].every((name) => !readFact(name, kept.get(name) ?? '', keys).isForged)
  }, 'both were put back')
})
