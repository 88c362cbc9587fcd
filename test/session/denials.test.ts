import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryDenials } from '../../src/relay/memory-denials.ts'
import { createDenialLedger, denialMark } from '../../src/session/denial-ledger.ts'
import { denialKeys, denialOf, isHitBy } from '../../src/session/denials.ts'
import { identityKey } from '../../src/session/identity.ts'
import { Random } from '../harness/random.ts'

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
  let later = await store.since(cursor)
  const denials = [...later.denials]
  while (later.more) {
    later = await store.since(later.cursor)
    denials.push(...later.denials)
  }
  assert.ok(denials.some(({ id }) => id === lasting.id))
  assert.ok(denials.length < 10)
  await store.deny(denialOf('user', 'u', now, now + 1_000))
  assert.equal((await store.since(later.cursor)).denials.length, 1)
})

test('S7 count and digest are those of what is in force, whatever was put, put again, ended or swept', () => {
  let now = 100_000
  const ledger = createDenialLedger(5_000)
  const expected = new Map<string, { at: number; until: number }>()
  const random = new Random(7)
  const below = (count: number) => random.below(count)
  for (let step = 0; step < 3_000; step++) {
    now += below(20)
    const denial = denialOf('session', `s${below(400)}`, now - below(5_000), now + below(20_000))
    const known = expected.get(denial.id)
    // What is over and swept is forgotten; before, it is the same entry.
    if (known !== undefined && known.until <= now - 5_000) continue
    ledger.put(denial, now)
    const { at, until } = known ?? denial
    expected.set(denial.id, { at: Math.max(at, denial.at), until: Math.max(until, denial.until) })
    if (step % 50 !== 0) continue
    const asOf = now - below(5_000)
    let [count, high, low] = [0, 0, 0]
    for (const [id, entry] of expected) {
      if (entry.until <= asOf) continue
      const mark = denialMark(`session:${id}`, entry.at, entry.until)
      count++
      high ^= mark[0]
      low ^= mark[1]
    }
    assert.deepEqual(ledger.kept(asOf, now), { count, digest: `${high} ${low}` })
  }
})

test('S7 what a store has not is what it never said, and what it says less of', () => {
  const ledger = createDenialLedger()
  const all = Array.from({ length: 1_000 }, (_, index) => denialOf('session', `s${index}`, 10, 1_000))
  for (const denial of all) ledger.put(denial, 0)
  ledger.compare()
  for (const denial of all.slice(100)) ledger.match(denial)
  for (const denial of all.slice(100, 150)) ledger.match({ ...denial, until: 999 })
  for (const denial of all.slice(0, 50)) ledger.match({ ...denial, at: 9 })
  for (const denial of all.slice(50, 60)) ledger.match({ ...denial, until: 2_000 })
  const lists = [...ledger.unmatched(0, 30)]
  assert.ok(lists.every(({ length }) => length <= 30))
  const ids = (denials: readonly { id: string }[]) => denials.map(({ id }) => id).sort()
  assert.deepEqual(ids(lists.flat()), ids([...all.slice(0, 50), ...all.slice(60, 100)]))
})
