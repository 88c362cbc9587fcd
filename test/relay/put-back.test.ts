import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Bus, BusState } from '../../src/relay/bus.ts'
import { memoryBus } from '../../src/relay/memory-bus.ts'
import { memoryDenials } from '../../src/relay/memory-denials.ts'
import { type Denial, denialOf } from '../../src/session/denials.ts'
import { readAll } from '../harness/denials.ts'
import { until } from '../harness/until.ts'
import { listening } from './two-nodes.ts'

/** A node that knows `count` revocations, over a store that comes back empty and takes `slowness` ms for each step of putting back. */
async function emptied(count: number, slowness: number) {
  const stateListeners = new Set<(state: BusState) => void>()
  const bus: Bus = {
    ...memoryBus(),
    onState(listener) {
      stateListeners.add(listener)
      return () => void stateListeners.delete(listener)
    },
  }
  const { stores } = bus
  assert.ok(stores)
  const steps: { from: number; to: number }[] = []
  const node = listening(bus)
  await node.relay.start()
  const at = Date.now()
  await node.relay.deny(
    ...Array.from({ length: count }, (_, index) => denialOf('session', `ann.${index}`, at, at + 600_000)),
  )
  const empty = memoryDenials()
  Object.assign(stores.denials, empty, {
    async deny(...denials: readonly Denial[]) {
      const from = performance.now()
      await sleep(slowness)
      await empty.deny(...denials)
      steps.push({ from, to: performance.now() })
    },
  })
  for (const listener of stateListeners) listener('down')
  for (const listener of stateListeners) listener('up')
  return { node, steps, stored: async () => (await readAll(empty)).denials.length }
}

// 300,000 put back as fast as the store takes them left the processor and the store to nobody else.
test('S7 between two steps of putting back a node rests for as long as the first one took, and admits meanwhile', async () => {
  const { node, steps, stored } = await emptied(1_000, 20)
  await until(() => node.relay.ready, 'it is ready')
  assert.ok((await stored()) < 1_000, 'nobody waits for all of them')
  await until(async () => (await stored()) === 1_000, 'all are put back')
  for (const [index, { from }] of steps.entries()) {
    const before = steps[index - 1]
    // Timers are exact to a millisecond.
    if (before !== undefined) assert.ok(from - before.to >= before.to - before.from - 2, `after step ${index}`)
  }
  await node.relay.close()
})

test('S5 a node that is stopped while it puts back rests no more, and says how many it has not brought back', async () => {
  const { node, stored } = await emptied(2_000, 400)
  await until(async () => (await stored()) > 0, 'it has begun')
  await node.relay.close()
  const left = 2_000 - (await stored())
  assert.ok(left > 0)
  assert.deepEqual(
    node.failures.map(({ reason }) => Number(/^(\d+) revocations are not stored, and lost/.exec(reason)?.[1]) >= left),
    [true],
  )
})

test('the near miss: one that has brought back everything before it must stop says nothing', async () => {
  const { node, stored } = await emptied(1_000, 20)
  await until(async () => (await stored()) > 0, 'it has begun')
  await node.relay.close()
  assert.deepEqual([await stored(), node.failures], [1_000, []])
})
