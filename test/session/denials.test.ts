import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryDenials } from '../../src/relay/memory-denials.ts'
import { createDenialLedger } from '../../src/session/denial-ledger.ts'
import { denialKeys, denialOf, isHitBy } from '../../src/session/denials.ts'
import { identityKey } from '../../src/session/identity.ts'

test('LG-03: a denial does not show whom it denies', () => {
  assert.ok(!JSON.stringify(denialOf('session', 'the-session-id', 1, 2)).includes('the-session-id'))
  assert.ok(!identityKey('session', 'the-session-id').includes('the-session-id'))
  assert.equal(identityKey('session', 's'), `session:${denialOf('session', 's', 1, 2).id}`)
})

test('one id as session, user and token is three identities', () => {
  assert.equal(new Set(denialKeys({ sessionId: 'x', userId: 'x', tokenId: 'x' })).size, 3)
  assert.deepEqual(denialKeys({}), [])
})

test('a denial ends at `until`, not before', () => {
  const denial = denialOf('session', 's', 100, 200)
  assert.equal(isHitBy(denial, {}, 199), true)
  assert.equal(isHitBy(denial, {}, 200), false)
})

test('the ledger says whether a denial says more than what it knew', () => {
  const ledger = createDenialLedger()
  assert.equal(ledger.put(denialOf('user', 'u', 100, 1_000), 0), true)
  assert.equal(ledger.put(denialOf('user', 'u', 100, 1_000), 0), false)
  assert.equal(ledger.put(denialOf('user', 'u', 50, 900), 0), false)
  assert.equal(ledger.put(denialOf('user', 'u', 150, 900), 0), true)
  assert.equal(ledger.find({ userId: 'u', authenticatedAt: 150 }, 950)?.until, 1_000)
  assert.equal(ledger.find({ userId: 'u', authenticatedAt: 151 }, 950), undefined)
})

// C5: a handshake of 10 seconds' length, in which the user is logged out and the server's date is set back by an hour.
test('C5 what was heard during a handshake stays so when the date is set', () => {
  let uptime = 5_000
  const ledger = createDenialLedger(0, () => uptime)
  const hour = 3_600_000
  const began = uptime
  uptime += 10
  ledger.put(denialOf('user', 'u', 10 * hour, 99 * hour), 10 * hour)
  assert.ok(ledger.find({ userId: 'u' }, 9 * hour, began) !== undefined)
  // Near miss: a handshake that began afterwards is somebody who signed in again.
  assert.equal(ledger.find({ userId: 'u' }, 11 * hour, uptime + 1), undefined)
})

test('1.4.3: the ledger lets go of what is over', () => {
  const ledger = createDenialLedger(0)
  for (let index = 0; index < 10_000; index++) ledger.put(denialOf('session', `s${index}`, index, index + 10), index)
  assert.ok(ledger.size < 3_000)
  assert.deepEqual(ledger.all(20_000), [])
  assert.equal(ledger.size, 0)
})

test('1.4.3: the memory store lets go of what is over, and a cursor from before misses nothing', async () => {
  let now = 0
  const store = memoryDenials(() => now)
  const lasting = denialOf('session', 'lasting', 0, 1_000_000)
  const { cursor } = await store.since(undefined)
  await store.deny(lasting)
  for (now = 1; now < 5_000; now++) await store.deny(denialOf('session', `s${now}`, now, now + 1))
  const later = await store.since(cursor)
  assert.ok(later.denials.some(({ id }) => id === lasting.id))
  assert.ok(later.denials.length < 10)
  await store.deny(denialOf('user', 'u', now, now + 1_000))
  assert.equal((await store.since(later.cursor)).denials.length, 1)
})
