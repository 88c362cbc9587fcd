import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { CounterStore } from '../../src/relay/counters.ts'
import { until } from '../harness/until.ts'
import { type Nodes, storesOf } from './nodes.ts'

/** Rates and caps that hold across nodes. */
export function countersContract(open: () => Promise<Nodes>): void {
  describe('counters', () => {
    let nodes: Nodes
    let near: CounterStore
    let far: CounterStore
    before(async () => {
      nodes = await open()
      near = storesOf(nodes.buses[0]).counters
      far = storesOf(nodes.buses[1]).counters
    })
    after(() => nodes.close())

    const long = 600_000
    const countTrue = (answers: readonly boolean[]) => answers.filter((answer) => answer).length

    test('a rate counts on all nodes together, each key for itself', async () => {
      const hits: boolean[] = []
      for (let turn = 0; turn < 8; turn++) hits.push(await (turn % 2 ? near : far).hit('rate', long, 5, Date.now()))
      assert.deepEqual(hits, [true, true, true, true, true, false, false, false])
      assert.equal(await far.hit('rate 2', long, 5, Date.now()), true)
    })

    test('asking whether a hit would count, and whether there is room, changes neither', async () => {
      const ask = async () => [await far.wouldHit('ask', long, 2, Date.now()), await far.hasRoom('ask', 1)]
      for (let turn = 0; turn < 5; turn++) assert.deepEqual(await ask(), [true, true])
      assert.equal(await near.hit('ask', long, 2, Date.now()), true)
      assert.deepEqual(await ask(), [true, true])
      assert.equal(await near.hit('ask', long, 2, Date.now()), true)
      assert.equal(await near.acquire('ask', 'a', 1, long), true)
      assert.deepEqual(await ask(), [false, false])
      assert.equal(await far.hasRoom('ask', 2), true)
      await near.release('ask', 'a')
      assert.deepEqual(await ask(), [false, true])
    })

    test('2.3.3: hits at the same time are counted one by one', async () => {
      const hits = Array.from({ length: 60 }, (_, turn) => (turn % 2 ? near : far).hit('burst', long, 20, Date.now()))
      assert.equal(countTrue(await Promise.all(hits)), 20)
    })

    test('a rate lets in again when its window has passed', async () => {
      const hit = () => far.hit('window', 60, 1, Date.now())
      assert.equal(await hit(), true)
      await until(hit, 'the window had passed')
    })

    test('a limit of nothing admits nobody', async () => {
      assert.equal(await near.hit('none', long, 0, Date.now()), false)
      assert.equal(await near.acquire('none', 'a', 0, long), false)
    })

    test('CS-19: of 60 at the same time on two nodes, exactly as many get a place as there are', async () => {
      const tries = Array.from({ length: 60 }, (_, turn) =>
        (turn % 2 ? near : far).acquire('cap', `holder ${turn}`, 10, long),
      )
      assert.equal(countTrue(await Promise.all(tries)), 10)
    })

    test('a place is freed by its holder, and only by it', async () => {
      assert.equal(await near.acquire('place', 'a', 1, long), true)
      assert.equal(await near.acquire('place', 'a', 1, long), true)
      assert.equal(await far.acquire('place', 'b', 1, long), false)
      await far.release('place', 'b')
      await far.release('another place', 'a')
      assert.equal(await far.acquire('place', 'b', 1, long), false)
      await near.release('place', 'a')
      await near.release('place', 'a')
      assert.equal(await far.acquire('place', 'b', 1, long), true)
    })

    test('CS-19: a place that is not renewed is free after its time', async () => {
      assert.equal(await near.acquire('dead', 'a', 1, 50), true)
      await until(() => far.acquire('dead', 'b', 1, 50), 'the place was free')
    })

    test('a place whose time is over is free, while others under the same key are held', async () => {
      assert.equal(await near.acquire('mixed', 'long', 2, long), true)
      assert.equal(await near.acquire('mixed', 'short', 2, 50), true)
      await until(() => far.acquire('mixed', 'next', 2, long), 'the short place was free')
      assert.equal(await far.acquire('mixed', 'one more', 2, long), false)
    })

    test('a place that is renewed stays taken', async () => {
      assert.equal(await near.acquire('kept', 'a', 1, 40), true)
      await near.renew([{ key: 'kept', holder: 'a' }], long)
      await until(() => far.acquire('clock', 'b', 1, 40), 'a short place was taken')
      await until(() => far.acquire('clock', 'c', 1, 40), 'a short place was free again')
      assert.equal(await far.acquire('kept', 'b', 1, 40), false)
    })

    test('renewing puts back what the store lost, above the limit if need be: those sockets are open', async () => {
      await near.acquire('lost', 'a', 1, long)
      await near.renew(
        [
          { key: 'lost', holder: 'b' },
          { key: 'lost', holder: 'c' },
        ],
        long,
      )
      await near.release('lost', 'a')
      assert.equal(await far.acquire('lost', 'd', 2, long), false)
      await near.release('lost', 'b')
      assert.equal(await far.acquire('lost', 'd', 2, long), true)
    })

    test('names of any shape are names', async () => {
      for (const name of ['*', 'a\r\nDEL x', '{x}', ':', '', '\u00e4', '__proto__', 'x'.repeat(5_000)]) {
        assert.equal(await near.acquire(name, name, 1, long), true)
        assert.equal(await far.acquire(name, `${name}2`, 1, long), false)
        await near.release(name, name)
      }
    })
  })
}
