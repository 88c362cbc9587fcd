import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Random } from '../harness/random.ts'
import { type LeaseNode, settled, startLeaseClock } from './lease-clock.ts'

const sorted = async (answer: Promise<readonly string[]>) => [...(await answer)].sort()
const count = (calls: readonly string[], name: string) => calls.filter((call) => call === name).length

describe('a node that lives', () => {
  test('costs one write in a third of its time, however many places it has', async (t) => {
    const clock = startLeaseClock(t)
    const node = clock.node()
    for (let n = 0; n < 1_000; n++) node.put(`room ${n}`, 'a')
    await node.holders('room 999')
    assert.equal(count(node.calls(), 'take'), 1_000)
    await clock.pass(290_000)
    assert.deepEqual(new Set(node.calls()), new Set(['keep']))
    assert.deepEqual(await clock.store.holders('room 0'), ['a'])
    // Half an hour is the time of a place: each is written again well before, and at a moment of its own.
    const most: number[] = []
    for (let minute = 5; minute < 12; minute++) {
      await clock.pass(60_000)
      most.push(count(node.calls(), 'take'))
    }
    assert.ok(Math.max(...most) < 400, `at most ${most.join(', ')} in a minute`)
    await clock.pass(3_600_000)
    for (const room of ['room 0', 'room 500', 'room 999']) assert.deepEqual(await clock.store.holders(room), ['a'])
    assert.deepEqual(node.failures, [])
  })

  test('keeps what it holds while it fails now and then', async (t) => {
    const clock = startLeaseClock(t)
    const node = clock.node()
    assert.equal(await node.take('cap', 'a', 1), true)
    for (const way of ['away', 'deaf'] as const) {
      node.way = way
      await clock.pass(20_000)
      node.way = 'up'
      await clock.pass(10_000)
      assert.deepEqual(await clock.store.holders('cap'), ['a'])
    }
    assert.ok(node.failures.length >= 2)
  })
})

describe('a node that dies', () => {
  test('CS-19: its places are free and its members gone within the lease', async (t) => {
    const clock = startLeaseClock(t)
    const [dies, lives] = [clock.node(), clock.node()]
    assert.equal(await dies.take('cap', 'a', 1), true)
    dies.put('room', 'a')
    lives.put('room', 'b')
    await clock.pass(5_000)
    assert.deepEqual(await sorted(lives.holders('room')), ['a', 'b'])
    dies.way = 'dead'
    await clock.pass(24_000)
    assert.equal(await lives.take('cap', 'b', 1), false)
    await clock.pass(7_000)
    assert.equal(await lives.take('cap', 'b', 1), true)
    assert.deepEqual(await lives.holders('room'), ['b'])
  })

  test('a node that closes gives everything back at once, and nothing runs any more', async (t) => {
    const clock = startLeaseClock(t)
    const [closes, other] = [clock.node(), clock.node()]
    for (let n = 0; n < 600; n++) closes.put('room', `${n}`)
    assert.equal(await closes.take('cap', 'a', 1), true)
    const closing = closes.close()
    await settled(3)
    assert.equal(await other.take('cap', 'b', 1), true, 'its tenure is over before the places are thrown away')
    await closing
    assert.deepEqual(await clock.store.holders('room'), [])
    closes.calls()
    closes.put('room', 'late')
    assert.equal(await closes.take('cap', 'late', 9), false)
    closes.renew()
    await clock.pass(60_000)
    assert.deepEqual(closes.calls(), [])
  })

  // Race: nobody would ever give that place back.
  test('a place that is taken while the node closes is given back', async (t) => {
    const clock = startLeaseClock(t)
    const node = clock.node()
    await node.take('cap', 'first', 9)
    const taking = node.take('cap', 'a', 9)
    await node.close()
    assert.equal(await taking, false)
    assert.deepEqual(await clock.store.holders('cap'), [])
  })
})

// The attack on a lease: stop the process for longer, and let it go on.
describe('a node that comes back after its time', () => {
  test('has everything again, above the limit where others took its place: those sockets are open', async (t) => {
    const clock = startLeaseClock(t)
    const [pauses, other] = [clock.node(), clock.node()]
    assert.equal(await pauses.take('cap', 'a', 1), true)
    pauses.put('room', 'a')
    await settled()
    clock.sleep(40_000)
    assert.equal(await other.take('cap', 'b', 1), true)
    assert.deepEqual(await other.holders('room'), [])
    await clock.pass(10_000)
    assert.deepEqual(await sorted(clock.store.holders('cap')), ['a', 'b'])
    assert.deepEqual(await other.holders('room'), ['a'])
    await pauses.drop('cap', 'a')
    assert.deepEqual(await clock.store.holders('cap'), ['b'])
    assert.deepEqual([...pauses.failures, ...other.failures], [])
  })

  test('a store that was emptied has everything again within a third of the lease', async (t) => {
    const clock = startLeaseClock(t)
    const node = clock.node()
    assert.equal(await node.take('cap', 'a', 1), true)
    node.put('room', 'b')
    await settled()
    clock.empty()
    assert.deepEqual(await clock.store.holders('cap'), [])
    await clock.pass(10_000)
    assert.deepEqual([await clock.store.holders('cap'), await clock.store.holders('room')], [['a'], ['b']])
  })

  test('told that the bus is back, it writes everything at once', async (t) => {
    const clock = startLeaseClock(t)
    const node = clock.node()
    node.put('room', 'b')
    await settled()
    clock.empty()
    node.renew()
    node.renew()
    await settled()
    assert.deepEqual(await clock.store.holders('room'), ['b'])
  })
})

describe('a store that is away, or answers too late', () => {
  test('a place whose answer came too late locks nobody out: it is given back when the store answers', async (t) => {
    const clock = startLeaseClock(t)
    const node = clock.node()
    await node.take('cap', 'first', 1)
    await node.drop('cap', 'first')
    node.way = 'deaf'
    await assert.rejects(node.take('cap', 'a', 1), /no answer/)
    await settled()
    node.way = 'up'
    await clock.pass(10_000)
    assert.equal(await node.take('cap', 'b', 1), true)
  })

  test('who left while it was away is gone when it is back', async (t) => {
    const clock = startLeaseClock(t)
    const node = clock.node()
    node.put('room', 'a')
    node.put('room', 'b')
    await settled()
    node.way = 'away'
    await node.drop('room', 'a')
    node.put('room', 'c')
    await settled()
    assert.deepEqual(await sorted(clock.store.holders('room')), ['a', 'b'])
    node.way = 'up'
    await clock.pass(10_000)
    assert.deepEqual(await sorted(clock.store.holders('room')), ['b', 'c'])
  })

  test('thousands who left while it was away end with their tenure, and not one by one', async (t) => {
    const clock = startLeaseClock(t)
    const node = clock.node()
    node.put('room', 'stays')
    for (let n = 0; n < 3_000; n++) node.put('room', `${n}`)
    await node.holders('room')
    node.way = 'away'
    for (let n = 0; n < 3_000; n++) void node.drop('room', `${n}`)
    await clock.pass(10_000)
    node.way = 'up'
    node.calls()
    await clock.pass(20_000)
    assert.deepEqual(await clock.store.holders('room'), ['stays'])
    assert.ok(node.calls().length < 20)
  })

  test("a tenure that could not begin takes nothing: it would be nobody's", async (t) => {
    const clock = startLeaseClock(t)
    const node = clock.node()
    node.way = 'away'
    await assert.rejects(node.take('cap', 'a', 1), /away/)
    assert.equal(count(node.calls(), 'take'), 0)
    node.way = 'up'
    assert.equal(await node.take('cap', 'a', 1), true)
    await clock.pass(60_000)
    assert.deepEqual(await clock.store.holders('cap'), ['a'])
  })
})

// Classes S3, S8: whatever the store does meanwhile, in the end it says what is so.
test('at random: nodes that come, go, sleep, die and fail, over a store that is emptied', async (t) => {
  const clock = startLeaseClock(t)
  for (let seed = 1; seed <= 15; seed++) {
    const random = new Random(seed)
    const living = new Map<LeaseNode, Set<string>>()
    for (let step = 0; step < 120; step++) {
      if (living.size < 3) living.set(clock.node(), new Set())
      const [node, held] = random.pick([...living])
      const place = [`${seed} key ${random.below(3)}`, `h ${random.below(1e9)}`] as const
      const dice = random.below(20)
      if (dice < 5) {
        node.put(...place)
        held.add(JSON.stringify(place))
      } else if (dice < 8) {
        const limit = 1 + random.below(6)
        const before = await clock.store.holders(place[0])
        const got = await node.take(...place, limit).catch(() => false)
        assert.ok(!got || before.length < limit || living.size > 1)
        if (got) held.add(JSON.stringify(place))
      } else if (dice < 12 && held.size > 0) {
        const one = random.pick([...held])
        held.delete(one)
        const [key, holder]: [string, string] = JSON.parse(one)
        void node.drop(key, holder)
      } else if (dice < 14) node.way = random.pick(['up', 'away', 'deaf'] as const)
      else if (dice < 15) {
        node.way = 'dead'
        living.delete(node)
      } else if (dice < 16) clock.empty()
      else if (dice < 17) clock.sleep(random.below(80_000))
      else if (dice < 18) node.renew()
      else await clock.pass(1_000 * random.below(15))
    }
    for (const [node] of living) node.way = 'up'
    await clock.pass(61_000)
    for (let n = 0; n < 3; n++) {
      const key = `${seed} key ${n}`
      const expected = [...living.values()].flatMap((held) =>
        [...held].map((one): [string, string] => JSON.parse(one)).filter(([of]) => of === key),
      )
      assert.deepEqual(
        await sorted(clock.store.holders(key)),
        expected.map(([, holder]) => holder).sort(),
        `seed ${seed}, ${key}`,
      )
    }
    await Promise.all([...living.keys()].map((node) => node.close()))
  }
})
