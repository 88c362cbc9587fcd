import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryTickets, type StoredTicket } from '../../src/authentication/ticket-store.ts'

const stored = (sessionId: string, expiresAt = 1_000): StoredTicket => ({
  sessionId,
  origin: null,
  route: '/',
  expiresAt,
})

test('a ticket is taken once, by its own hash', async () => {
  const store = memoryTickets({ now: () => 0 })
  const ticket = stored('s1')
  await store.put('h1', ticket, 1_000)
  assert.equal(await store.take('h2'), undefined)
  assert.equal(await store.take('h1'), ticket)
  assert.equal(await store.take('h1'), undefined)
})

test('an expired ticket is not given out, whether or not it was swept', async () => {
  let now = 0
  const store = memoryTickets({ now: () => now })
  await store.put('h1', stored('s1', 1_000), 1_000)
  now = 1_000
  assert.equal(await store.take('h1'), undefined)
})

// One account asks for tickets in a loop, to keep everybody else out.
test('one session cannot fill the store: its oldest ticket makes room', async () => {
  const store = memoryTickets({ max: 3, maxPerSession: 2, now: () => 0 })
  for (const hash of ['a', 'b', 'c', 'd']) await store.put(hash, stored('eve'), 1_000)
  await store.put('e', stored('ada'), 1_000)
  assert.deepEqual(
    ['a', 'b', 'c', 'd', 'e'].map((hash) => store.take(hash) !== undefined),
    [false, false, true, true, true],
  )
  // A bound of one: dropping the only ticket must not lose the count.
  const single = memoryTickets({ maxPerSession: 1, now: () => 0 })
  for (const hash of ['a', 'b', 'c']) await single.put(hash, stored('eve'), 1_000)
  assert.deepEqual(
    ['a', 'b', 'c'].map((hash) => single.take(hash) !== undefined),
    [false, false, true],
  )
})

test('a full store issues nothing, until tickets have been taken or have expired', async () => {
  let now = 0
  const store = memoryTickets({ max: 2, now: () => now })
  await store.put('a', stored('s1', 100), 100)
  await store.put('b', stored('s2', 200), 200)
  assert.throws(() => store.put('c', stored('s3', 300), 300), /full/)
  assert.ok(store.take('b'))
  await store.put('c', stored('s3', 300), 300)
  now = 100
  await store.put('d', stored('s4', 300), 200)
  assert.ok(store.take('c'))
  assert.ok(store.take('d'))
})

test('expired tickets do not pile up', async () => {
  let now = 0
  const store = memoryTickets({ max: 5_000, now: () => now })
  for (let round = 0; round < 20; round++) {
    for (let index = 0; index < 1_000; index++) await store.put(`${round}-${index}`, stored(`s${index}`, now + 10), 10)
    now += 10
  }
  await store.close?.()
  assert.equal(store.take('19-1'), undefined)
})

test('bounds are whole numbers', () => {
  for (const max of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.throws(() => memoryTickets({ max }), { code: 'SWS_BAD_OPTION' })
    assert.throws(() => memoryTickets({ maxPerSession: max }), { code: 'SWS_BAD_OPTION' })
  }
})
