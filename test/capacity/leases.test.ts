import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createLeases } from '../../src/capacity/leases.ts'
import { memoryCounters } from '../../src/relay/counters.ts'

const noFailure = (error: unknown) => assert.fail(String(error))

describe('leases', () => {
  test('a place is given back once, and only the own one', async () => {
    const counters = memoryCounters()
    const near = createLeases({ counters, nodeId: 'near', onFailure: noFailure })
    const far = createLeases({ counters, nodeId: 'far', onFailure: noFailure })
    // The same socket id on two nodes is two sockets.
    const giveNear = await near.take('u', 'socket 1', 2)
    const giveFar = await far.take('u', 'socket 1', 2)
    assert.ok(giveNear && giveFar)
    assert.equal(await far.take('u', 'socket 2', 2), undefined)
    await giveNear()
    await giveNear()
    assert.ok(await far.take('u', 'socket 2', 2))
    assert.equal(await near.take('u', 'socket 3', 2), undefined)
    await near.close()
    await far.close()
    assert.equal(await counters.acquire('u', 'x', 1, 1_000), true)
  })

  test('a place is kept for longer than its time, and not after it was given back', async () => {
    const counters = memoryCounters()
    const leases = createLeases({ counters, nodeId: 'n', ttl: 60, onFailure: noFailure })
    const give = await leases.take('u', 's', 1)
    await sleep(200)
    assert.equal(await counters.acquire('u', 'x', 1, 1_000), false)
    await give?.()
    assert.equal(await counters.acquire('u', 'x', 1, 1_000), true)
    await leases.close()
  })

  test('closed while a place is taken, it gives that one back too', async () => {
    const counters = memoryCounters()
    const leases = createLeases({ counters, nodeId: 'n', onFailure: noFailure })
    const { acquire } = counters
    const asked = Promise.withResolvers<void>()
    counters.acquire = async (...args) => {
      await asked.promise
      return acquire(...args)
    }
    const taking = leases.take('u', 's', 1)
    await leases.close()
    counters.acquire = acquire
    asked.resolve()
    await taking
    assert.equal(await counters.acquire('u', 'x', 1, 1_000), true)
  })

  test('a store that fails is reported, and asked again', async () => {
    const counters = memoryCounters()
    const failures: unknown[] = []
    const leases = createLeases({ counters, nodeId: 'n', ttl: 30, onFailure: (error) => failures.push(error) })
    await leases.take('u', 's', 1)
    const { renew } = counters
    counters.renew = () => Promise.reject(new Error('away'))
    while (failures.length < 2) await sleep(5)
    counters.renew = renew
    await sleep(100)
    assert.equal(await counters.acquire('u', 'x', 1, 1_000), false)
    counters.release = () => Promise.reject(new Error('away'))
    failures.length = 0
    await leases.close()
    assert.equal(failures.length, 1)
  })
})
