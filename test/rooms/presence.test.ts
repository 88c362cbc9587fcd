import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { memoryPresence, type PresenceStore } from '../../src/relay/presence.ts'
import { createPresence } from '../../src/rooms/presence.ts'
import { until } from '../harness/until.ts'
import { identityOf } from '../session/identity-of.ts'

const member = (id: string, userId?: string) => ({
  id,
  session: null,
  identity: userId === undefined ? null : identityOf({ id: `s ${id}`, userId }),
})

function presenceOn(store: PresenceStore, ttl = 30_000) {
  const failures: unknown[] = []
  return { failures, ...createPresence({ store, ttl, onFailure: (error) => failures.push(error) }) }
}

test('two nodes on one store see each other: one entry per socket, with its user', async () => {
  const store = memoryPresence()
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
  const store = memoryPresence()
  const slow: PresenceStore = {
    ...store,
    // The first is the slowest: without a queue, `leave` would overtake `enter` and a ghost would stay.
    enter: async (...args) => {
      await sleep(5)
      return store.enter(...args)
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

test('a member outlasts its time while its node lives, and not its node', async () => {
  const store = memoryPresence()
  const [alive, reader] = [presenceOn(store, 60), presenceOn(store)]
  alive.enter(member('1', 'ann'), 'a')
  // A node that was killed: what it entered is renewed by nobody.
  await store.enter('a', JSON.stringify(['2', 'bob']), 60)
  await until(async () => (await reader.members('a')).length === 1, 'the dead one is gone')
  await sleep(120)
  assert.deepEqual(await reader.members('a'), [{ socket: '1', userId: 'ann' }])
  await alive.close()
  assert.deepEqual(await reader.members('a'), [])
})

test('a store that fails is reported and harms nobody; the next renewal puts back what it missed', async () => {
  const store = memoryPresence()
  let away = true
  const flaky: PresenceStore = {
    ...store,
    enter: async (...args) => (away ? Promise.reject(new Error('away')) : store.enter(...args)),
  }
  const presence = presenceOn(flaky, 60)
  presence.enter(member('1', 'ann'), 'a')
  assert.deepEqual(await presence.members('a'), [])
  assert.equal(presence.failures.length, 1)
  away = false
  await until(async () => (await presence.members('a')).length === 1, 'it was put back')
  await presence.close()
})

test('BR-03 what somebody else wrote into the store is nobody', async () => {
  const store = memoryPresence()
  const presence = presenceOn(store)
  for (const holder of ['', 'null', '{}', '[]', '[1,"ann"]', '{"0":"x"}', '[[']) await store.enter('a', holder, 1_000)
  await store.enter('a', '["1",{}]', 1_000)
  assert.deepEqual(await presence.members('a'), [{ socket: '1', userId: undefined }])
})
