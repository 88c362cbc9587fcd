import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import type { LeaseStore } from '../../src/relay/stores.ts'
import { Random } from '../harness/random.ts'
import { until } from '../harness/until.ts'
import { type Nodes, storesOf } from './nodes.ts'

/** Places under caps, members of rooms, used nonces: all that ends by itself. */
export function leasesContract(open: () => Promise<Nodes>): void {
  describe('leases', () => {
    let nodes: Nodes
    let near: LeaseStore
    let far: LeaseStore
    /** One tenure for each node and test. */
    let here = ''
    let there = ''
    let count = 0
    before(async () => {
      nodes = await open()
      near = storesOf(nodes.buses[0]).leases
      far = storesOf(nodes.buses[1]).leases
    })
    beforeEach(async () => {
      count++
      here = `here ${count}`
      there = `there ${count}`
      await Promise.all([near.keep(here, long), far.keep(there, long)])
    })
    after(() => nodes.close())

    const long = 600_000
    const many = Number.POSITIVE_INFINITY
    const countTrue = (answers: readonly boolean[]) => answers.filter((answer) => answer).length
    const holdersOf = async (store: LeaseStore, key: string) => (await store.holders(key)).sort()

    test('CS-19: of 60 at the same time on two nodes, exactly as many get a place as there are', async () => {
      const tries = Array.from({ length: 60 }, (_, turn) => {
        const [store, tenure] = turn % 2 ? [near, here] : [far, there]
        return store.take({ key: 'cap', holder: `holder ${turn}`, tenure }, 10, long)
      })
      assert.equal(countTrue(await Promise.all(tries)), 10)
      assert.equal((await far.holders('cap')).length, 10)
    })

    test('a limit of nothing admits nobody', async () => {
      assert.equal(await near.take({ key: 'none', holder: 'a', tenure: here }, 0, long), false)
      assert.deepEqual(await near.holders('none'), [])
    })

    test('a place is freed by its holder, and only by it', async () => {
      const a = { key: 'place', holder: 'a', tenure: here }
      const b = { key: 'place', holder: 'b', tenure: there }
      assert.equal(await near.take(a, 1, long), true)
      assert.equal(await near.take(a, 1, long), true)
      assert.equal(await far.take(b, 1, long), false)
      await far.free('place', 'b')
      await far.free('another place', 'a')
      assert.equal(await far.take(b, 1, long), false)
      await near.free('place', 'a')
      await near.free('place', 'a')
      assert.equal(await far.take(b, 1, long), true)
    })

    test('members of both nodes are seen by both, until they leave', async () => {
      await near.take({ key: 'r', holder: 'a', tenure: here }, many, long)
      for (let twice = 0; twice < 2; twice++) await far.take({ key: 'r', holder: 'b', tenure: there }, many, long)
      for (const store of [near, far]) assert.deepEqual(await holdersOf(store, 'r'), ['a', 'b'])
      await near.free('r', 'a')
      await near.free('r', 'nobody')
      assert.deepEqual(await far.holders('r'), ['b'])
      assert.deepEqual(await far.holders('empty'), [])
    })

    test('without a limit nobody is refused, and a limit counts all of them', async () => {
      for (const holder of ['a', 'b', 'c']) await near.take({ key: 'over', holder, tenure: here }, many, long)
      assert.equal(await far.take({ key: 'over', holder: 'd', tenure: there }, 3, long), false)
      await near.free('over', 'b')
      assert.equal(await far.take({ key: 'over', holder: 'd', tenure: there }, 3, long), true)
    })

    // The death of a node: nobody frees anything, and nothing is renewed.
    test('CS-19: what was taken in a tenure that nobody keeps is free, and has no members; what others have stays', async () => {
      await near.keep('dying', 2_000)
      for (const holder of ['a', 'b']) await near.take({ key: 'dead', holder, tenure: 'dying' }, many, long)
      await near.take({ key: 'dead', holder: 'living', tenure: here }, many, long)
      assert.equal(await far.take({ key: 'dead', holder: 'new', tenure: there }, 3, long), false)
      await until(async () => (await far.holders('dead')).length === 1, 'the dead were gone')
      assert.deepEqual(await far.holders('dead'), ['living'])
      assert.equal(await far.take({ key: 'dead', holder: 'new', tenure: there }, 2, long), true)
      assert.equal(await far.take({ key: 'dead', holder: 'one more', tenure: there }, 2, long), false)
    })

    test('a tenure that is kept outlasts its time; ended, all that was taken in it ends at once', async () => {
      assert.equal(await near.keep('kept', 2_000), false)
      await near.take({ key: 'k', holder: 'a', tenure: 'kept' }, 1, long)
      assert.equal(await near.keep('kept', long), true)
      await far.keep('clock', 2_000)
      await far.take({ key: 'clock', holder: 'c', tenure: 'clock' }, 1, long)
      await until(async () => (await far.holders('clock')).length === 0, 'its first time had passed')
      assert.equal(await far.take({ key: 'k', holder: 'b', tenure: there }, 1, long), false)
      assert.equal(await near.keep('kept', 0), true)
      assert.equal(await near.keep('kept', 0), false)
      assert.deepEqual(await far.holders('k'), [])
      assert.equal(await far.take({ key: 'k', holder: 'b', tenure: there }, 1, long), true)
    })

    // A node that paused for longer than its lease and comes back: its places were given to others.
    test('a tenure that comes back says so, and what was thrown away meanwhile is not there', async () => {
      await near.keep('paused', 50)
      await near.take({ key: 'p', holder: 'a', tenure: 'paused' }, 1, long)
      await until(() => far.take({ key: 'p', holder: 'b', tenure: there }, 1, long), 'the place was free')
      assert.equal(await near.keep('paused', long), false)
      assert.equal(await near.take({ key: 'p', holder: 'a', tenure: 'paused' }, 1, long), false)
      assert.deepEqual(await near.holders('p'), ['b'])
    })

    test('what was taken before its tenure began is nobody, and takes no place', async () => {
      await near.take({ key: 'early', holder: 'a', tenure: 'unborn' }, 1, long)
      assert.deepEqual(await far.holders('early'), [])
      assert.equal(await far.take({ key: 'early', holder: 'b', tenure: there }, 1, long), true)
      assert.deepEqual(await near.holders('early'), ['b'])
    })

    test("taken again in another tenure, a place is that one's: it outlives the first, and is one place", async () => {
      await near.keep('first', long)
      await near.take({ key: 'moved', holder: 'a', tenure: 'first' }, 1, long)
      assert.equal(await near.take({ key: 'moved', holder: 'a', tenure: here }, 1, long), true)
      await near.keep('first', 0)
      assert.deepEqual(await far.holders('moved'), ['a'])
      assert.equal(await far.take({ key: 'moved', holder: 'b', tenure: there }, 1, long), false)
    })

    test('a place ends by its own time, whoever keeps its tenure, while others under the key are held', async () => {
      assert.equal(await near.take({ key: 'mixed', holder: 'long', tenure: here }, 2, long), true)
      assert.equal(await near.take({ key: 'mixed', holder: 'short', tenure: here }, 2, 50), true)
      await until(() => far.take({ key: 'mixed', holder: 'next', tenure: there }, 2, long), 'the short place was free')
      assert.equal(await far.take({ key: 'mixed', holder: 'one more', tenure: there }, 2, long), false)
      assert.deepEqual(await holdersOf(near, 'mixed'), ['long', 'next'])
    })

    test('CS-16: a place of no tenure stays for its time, though nobody keeps anything', async () => {
      assert.equal(await near.take({ key: 'nonce', holder: '1' }, 1, long), true)
      assert.equal(await far.take({ key: 'nonce', holder: '2' }, 1, long), false)
      assert.equal(await near.take({ key: 'short nonce', holder: '1' }, 1, 50), true)
      await until(() => far.take({ key: 'short nonce', holder: '2' }, 1, 50), 'its time was over')
    })

    test('1.2.9: a room called `*` holds its own members only', async () => {
      await near.take({ key: 'secret', holder: 'x', tenure: here }, many, long)
      for (const room of ['*', 'secre?', '[s]ecret', 'secret\r\n', 'SECRET', '__proto__'])
        assert.deepEqual(await far.holders(room), [])
      await near.take({ key: '*', holder: 'y', tenure: here }, many, long)
      assert.deepEqual(await far.holders('*'), ['y'])
      assert.deepEqual(await far.holders('secret'), ['x'])
      await near.free('*', 'y')
    })

    test('names of any shape are names', async () => {
      for (const name of ['*', 'a\r\nDEL x', '{x}', ':', ' ', '', '\u00e4', '__proto__', '1 2', 'x'.repeat(5_000)]) {
        await near.keep(name, long)
        assert.equal(await near.take({ key: name, holder: name, tenure: name }, 1, long), true)
        assert.equal(await far.take({ key: name, holder: `${name}2`, tenure: there }, 1, long), false)
        assert.deepEqual(await far.holders(name), [name])
        await near.free(name, name)
        assert.deepEqual(await far.holders(name), [])
      }
    })

    test('at random: the store says what a set of living places says', async () => {
      const random = new Random(count)
      // A tenure that ended does not come back: the next one has another name.
      const generations = [0, 0, 0]
      const living = new Set<string>()
      const places = new Map<string, Map<string, string>>()
      const aliveIn = (key: string) =>
        [...(places.get(key) ?? [])].filter(([, tenure]) => living.has(tenure)).map(([holder]) => holder)
      for (let step = 0; step < 300; step++) {
        const store = random.below(2) ? near : far
        const node = random.below(generations.length)
        const tenure = `random ${node} ${generations[node]}`
        const key = `random ${random.below(3)}`
        const holder = `h${random.below(6)}`
        const dice = random.below(10)
        if (dice < 2) {
          const ends = dice === 0
          assert.equal(await store.keep(tenure, ends ? 0 : long), living.has(tenure))
          if (ends) generations[node] = (generations[node] ?? 0) + 1
          if (ends) living.delete(tenure)
          else living.add(tenure)
        } else if (dice < 7 && living.has(tenure)) {
          const limit = 1 + random.below(5)
          const alive = aliveIn(key)
          const fits = alive.includes(holder) || alive.length < limit
          assert.equal(await store.take({ key, holder, tenure }, limit, long), fits, `step ${step}`)
          if (fits) places.set(key, (places.get(key) ?? new Map<string, string>()).set(holder, tenure))
        } else if (dice < 8) {
          await store.free(key, holder)
          places.get(key)?.delete(holder)
        } else assert.deepEqual(await holdersOf(store, key), aliveIn(key).sort(), `step ${step}`)
      }
    })
  })
}
