import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createHoldings } from '../../src/relay/holdings.ts'
import { memoryLeases } from '../../src/relay/memory-leases.ts'
import type { LeaseStore } from '../../src/relay/stores.ts'
import { createPresence } from '../../src/rooms/presence.ts'
import { until } from '../harness/until.ts'
import { identityOf } from '../session/identity-of.ts'

const member = (id: string, userId?: string) => ({
  id,
  session: null,
  identity: userId === undefined ? null : identityOf({ id: `s ${id}`, userId }),
})

function presenceOn(store: LeaseStore) {
  const failures: unknown[] = []
  const holdings = createHoldings({ store, onFailure: (error) => failures.push(error) })
  return { failures, ...createPresence(holdings), close: () => holdings.close() }
}

test('two nodes on one store see each other: one entry per socket, with its user', async () => {
  const store = memoryLeases()
  const [here, there] = [presenceOn(store), presenceOn(store)]
  here.enter(member('1', 'ann'), 'a')
  there.enter(member('2', 'ann'), 'a')
  there.enter(member('3'), 'a')
  there.enter(member('2', 'ann'), 'b')
  await there.members('a')
  assert.deepEqual(await here.members('a'), [
    { socket: '1', userId: 'ann' },
    { socket: '2', userId: 'ann' },
    { socket: '3', userId: undefined },
  ])
  there.leave(member('2', 'ann'), 'a')
  await there.members('a')
  assert.equal((await here.members('a')).length, 2)
  await there.close()
  assert.deepEqual(await here.members('a'), [{ socket: '1', userId: 'ann' }])
  assert.deepEqual(await here.members('b'), [])
  await here.close()
})

test('BR-07 enter and leave arrive in the order they happened, however long the store takes', async () => {
  const store = memoryLeases()
  const slow: LeaseStore = {
    ...store,
    // The first is the slowest: without an order, `free` would overtake `take` and a ghost would stay.
    take: async (...args) => {
      await sleep(5)
      return store.take(...args)
    },
  }
  const presence = presenceOn(slow)
  for (let round = 0; round < 10; round++) {
    presence.enter(member('1', 'ann'), 'a')
    presence.leave(member('1', 'ann'), 'a')
  }
  assert.deepEqual(await presence.members('a'), [])
  await presence.close()
})

test('BR-03 what somebody else wrote into the store is nobody', async () => {
  const store = memoryLeases()
  const presence = presenceOn(store)
  const put = (holder: string) => store.take({ key: 'room:a', holder }, 99, 60_000)
  for (const holder of ['', 'null', '{}', '[]', '[1,"ann"]', '{"0":"x"}', '[[']) await put(holder)
  await put('["1",{}]')
  assert.deepEqual(await presence.members('a'), [{ socket: '1', userId: undefined }])
})

// Class S8: a queue that clients fill. 5 ms to the store and back, one member that toggles a room as fast as it can.
test('S8 a member that comes and goes without end delays nobody, and is written only as often as the store answers', async () => {
  const inner = memoryLeases()
  let writes = 0
  const far: LeaseStore = {
    ...inner,
    async take(...entry) {
      writes++
      await sleep(5)
      return inner.take(...entry)
    },
    async free(...entry) {
      writes++
      await sleep(5)
      await inner.free(...entry)
    },
  }
  const presence = presenceOn(far)
  const toggler = member('t', 'tom')
  presence.enter(member('1', 'ann'), 'quiet')
  let toggles = 0
  const toggling = setInterval(() => {
    for (let n = 0; n < 200; n++, toggles++) {
      presence.enter(toggler, 'busy')
      presence.leave(toggler, 'busy')
    }
  }, 1)
  await until(() => toggles > 2_000, 'it is under way')
  for (const [room, users] of [
    ['quiet', ['ann']],
    ['busy', []],
  ] as const) {
    const before = writes
    const found = await presence.members(room)
    // In trips to the store: what it takes by the clock hangs on the machine.
    assert.ok(writes - before <= 4, `members('${room}') waited for ${writes - before} writes`)
    assert.deepEqual(
      found.map(({ userId }) => userId).filter((user) => user !== 'tom'),
      users,
    )
  }
  clearInterval(toggling)
  presence.enter(toggler, 'busy')
  assert.deepEqual(
    (await presence.members('busy')).map(({ userId }) => userId),
    ['tom'],
  )
  presence.leave(toggler, 'busy')
  assert.deepEqual(await presence.members('busy'), [], 'where it ends up is what counts')
  assert.ok(toggles > 1_000 && writes < toggles / 10, `${writes} writes for ${toggles} toggles`)
  await presence.close()
  assert.deepEqual(await inner.holders('room:quiet'), [])
  assert.deepEqual(presence.failures, [])
})

test('S8 comings and goings at random over a store with a random delay: the store ends where the members are', async () => {
  for (let round = 0; round < 20; round++) {
    const inner = memoryLeases()
    const slow: LeaseStore = {
      ...inner,
      async take(...entry) {
        await sleep(Math.random() * 3)
        return inner.take(...entry)
      },
      async free(...entry) {
        await sleep(Math.random() * 3)
        await inner.free(...entry)
      },
    }
    const presence = presenceOn(slow)
    const here = new Set<string>()
    for (let step = 0; step < 60; step++) {
      const name = `m${Math.floor(Math.random() * 5)}`
      if (Math.random() < 0.5) {
        presence.enter(member(name, name), 'room')
        here.add(name)
      } else {
        presence.leave(member(name, name), 'room')
        here.delete(name)
      }
      if (Math.random() < 0.2) await sleep(1)
    }
    const found = await presence.members('room')
    assert.deepEqual(found.map(({ socket }) => socket).sort(), [...here].sort())
    await presence.close()
    assert.deepEqual(await inner.holders('room:room'), [])
  }
})
