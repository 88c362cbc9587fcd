import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createLeases } from '../../src/capacity/leases.ts'
import { createHoldings } from '../../src/relay/holdings.ts'
import { memoryLeases } from '../../src/relay/memory-leases.ts'

const noFailure = (error: unknown) => assert.fail(String(error))

describe('leases', () => {
  test('a place is given back once, and only the own one', async () => {
    const store = memoryLeases()
    const open = () => {
      const holdings = createHoldings({ store, onFailure: noFailure })
      return { holdings, leases: createLeases(holdings) }
    }
    const [near, far] = [open(), open()]
    const giveNear = await near.leases.take('u', 'near 1', 2)
    const giveFar = await far.leases.take('u', 'far 1', 2)
    assert.ok(giveNear && giveFar)
    assert.equal(await far.leases.take('u', 'far 2', 2), undefined)
    assert.equal(await near.leases.hasRoom('u', 2), false)
    assert.equal(await near.leases.hasRoom('u', 3), true)
    await giveNear()
    await giveNear()
    assert.ok(await far.leases.take('u', 'far 2', 2))
    assert.equal(await near.leases.take('u', 'near 2', 2), undefined)
    // A room that is called like a cap is another thing.
    near.holdings.put('room:u', 'near 3')
    assert.equal(await far.leases.hasRoom('u', 3), true)
    await near.holdings.close()
    await far.holdings.close()
    assert.deepEqual(await store.holders('cap:u'), [])
  })
})
