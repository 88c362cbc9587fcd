import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { RateStore } from '../../src/relay/stores.ts'
import { until } from '../harness/until.ts'
import { type Nodes, storesOf } from './nodes.ts'

/** Rates that hold across nodes. */
export function ratesContract(open: () => Promise<Nodes>): void {
  describe('rates', () => {
    let nodes: Nodes
    let near: RateStore
    let far: RateStore
    before(async () => {
      nodes = await open()
      near = storesOf(nodes.buses[0]).rates
      far = storesOf(nodes.buses[1]).rates
    })
    after(() => nodes.close())

    const long = 600_000
    const countTrue = (answers: readonly boolean[]) => answers.filter((answer) => answer).length

    test('a rate counts on all nodes together, each key for itself', async () => {
      const hits: boolean[] = []
      for (let turn = 0; turn < 8; turn++) hits.push(await (turn % 2 ? near : far).hit('rate', long, 5, 1))
      assert.deepEqual(hits, [true, true, true, true, true, false, false, false])
      assert.equal(await far.hit('rate 2', long, 5, 1), true)
    })

    test('asking whether a hit would count changes nothing', async () => {
      for (let turn = 0; turn < 5; turn++) assert.equal(await far.hit('ask', long, 2, 0), true)
      assert.equal(await near.hit('ask', long, 2, 1), true)
      assert.equal(await far.hit('ask', long, 2, 0), true)
      assert.equal(await near.hit('ask', long, 2, 1), true)
      assert.equal(await far.hit('ask', long, 2, 0), false)
    })

    test('2.3.3: hits at the same time are counted one by one', async () => {
      const hits = Array.from({ length: 60 }, (_, turn) => (turn % 2 ? near : far).hit('burst', long, 20, 1))
      assert.equal(countTrue(await Promise.all(hits)), 20)
    })

    test('a rate lets in again when its window has passed', async () => {
      const hit = () => far.hit('window', 60, 1, 1)
      assert.equal(await hit(), true)
      await until(hit, 'the window had passed')
    })

    test('a limit of nothing admits nobody', async () => {
      assert.equal(await near.hit('none', long, 0, 1), false)
    })

    test('names of any shape are names', async () => {
      for (const name of ['*', 'a\r\nDEL x', '{x}', ':', '', '\u00e4', '__proto__', 'x'.repeat(5_000)]) {
        assert.equal(await near.hit(name, long, 1, 1), true)
        assert.equal(await far.hit(name, long, 1, 1), false)
      }
    })
  })
}
