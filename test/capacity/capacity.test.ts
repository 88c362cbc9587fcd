import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Capacity, type CapacityLimits, createCapacity, createHolders } from '../../src/capacity/capacity.ts'
import { Places } from '../../src/capacity/places.ts'
import fc from '../harness/fast-check.ts'

const limits: CapacityLimits = {
  connections: 10,
  connectionsPerAddress: 3,
  handshakesPerMinutePerAddress: 1_000,
  refusedPerMinutePerAddress: 4,
}
const now = 60_000

/** What one connection has, or the refusal in its place. */
function reserve(capacity: Capacity, address: string | undefined, at = now) {
  const places = new Places()
  return { places, refusal: capacity.reserve(places, address, at) }
}

/** The places of a connection that was let in. */
function reserved(capacity: Capacity, address: string | undefined, at = now): Places {
  const { places, refusal } = reserve(capacity, address, at)
  assert.equal(refusal, undefined)
  return places
}

test('CS-19 connection N+1 of one address is refused with 429 until one of them ends', () => {
  const capacity = createCapacity(limits)
  const [first = new Places()] = [1, 2, 3].map(() => reserved(capacity, '192.0.2.7'))
  const { refusal } = reserve(capacity, '192.0.2.7')
  assert.equal(refusal?.code, 'SWS_TOO_MANY_CONNECTIONS')
  assert.equal(refusal?.status, 429)
  assert.ok(Number(refusal?.headers?.['retry-after']) >= 1)
  assert.match(refusal?.advice ?? '', /trustProxy/)
  capacity.release(first)
  reserved(capacity, '192.0.2.7')
})

test('CS-19 connection N+1 of the node is refused with 503', () => {
  const capacity = createCapacity(limits)
  for (let index = 0; index < 10; index++) reserved(capacity, `192.0.2.${index}`)
  const { refusal } = reserve(capacity, '198.51.100.1')
  assert.equal(refusal?.code, 'SWS_TOO_MANY_CONNECTIONS')
  assert.equal(refusal?.status, 503)
  assert.ok(Number(refusal?.headers?.['retry-after']) >= 1)
})

test('RS-12 rotating through a /64 gets no further than one address', () => {
  const capacity = createCapacity(limits)
  const got = [1, 2, 3, 4, 5].map((index) => reserve(capacity, `2001:db8::${index}`).refusal === undefined)
  assert.deepEqual(got, [true, true, true, false, false])
})

test('X-7 clients without a readable address share the room of one', () => {
  const capacity = createCapacity(limits)
  const got = [undefined, 'x', '', undefined].map((address) => reserve(capacity, address).refusal === undefined)
  assert.deepEqual(got, [true, true, true, false])
})

test('RS-16 too many handshakes within a minute: 429 with a Retry-After within that minute', () => {
  const capacity = createCapacity({ ...limits, handshakesPerMinutePerAddress: 2 })
  capacity.release(reserved(capacity, '192.0.2.7'))
  capacity.release(reserved(capacity, '192.0.2.7'))
  const { refusal } = reserve(capacity, '192.0.2.7', now + 500)
  assert.equal(refusal?.code, 'SWS_TOO_MANY_HANDSHAKES')
  assert.equal(refusal?.status, 429)
  assert.equal(refusal?.headers?.['retry-after'], '60')
})

test('RS-16 refused ones have a budget of their own, and spend nothing of the other', () => {
  const capacity = createCapacity({ ...limits, handshakesPerMinutePerAddress: 2 })
  for (let count = 0; count < 4; count++) {
    assert.equal(capacity.refusedTooOften('192.0.2.7', now), undefined)
    capacity.noteRefused('192.0.2.7', now)
  }
  assert.equal(capacity.refusedTooOften('192.0.2.7', now)?.code, 'SWS_TOO_MANY_HANDSHAKES')
  assert.equal(capacity.refusedTooOften('192.0.2.8', now), undefined)
  // What comes while it is spent does not make it last longer.
  capacity.noteRefused('192.0.2.7', now + 59_999)
  assert.equal(capacity.refusedTooOften('192.0.2.7', now + 120_000), undefined)
  for (let count = 0; count < 2; count++) capacity.release(reserved(capacity, '192.0.2.7', now + 120_000))
})

// A connection that ends twice (error, then close) must not make room for two.
test('RS-11 giving a place back again changes nothing', () => {
  const capacity = createCapacity(limits)
  const first = reserved(capacity, '192.0.2.7')
  reserved(capacity, '192.0.2.7')
  capacity.release(first)
  capacity.release(first)
  assert.deepEqual(capacity.counts(), { connections: 1, addresses: 1 })
})

test('RS-11 a refused reservation holds nothing', () => {
  const capacity = createCapacity({ ...limits, connectionsPerAddress: 0 })
  const { places, refusal } = reserve(capacity, '192.0.2.7')
  assert.ok(refusal)
  capacity.release(places)
  assert.deepEqual(capacity.counts(), { connections: 0, addresses: 0 })
})

// Reserve and release in any order, from any address, twice or not: the counts are those of the places still held.
test('RS-11 counts never drift and limits are never exceeded', () => {
  const step = fc.record({ address: fc.nat(4), release: fc.boolean(), pick: fc.nat(50) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const capacity = createCapacity(limits)
      const held: { places: Places; address: number }[] = []
      for (const { address, release, pick } of steps) {
        if (release) {
          const [gone] = held.splice(pick % Math.max(1, held.length), 1)
          if (gone !== undefined) for (const _twice of [1, 2]) capacity.release(gone.places)
        } else {
          const { places, refusal } = reserve(capacity, `192.0.2.${address}`)
          if (refusal === undefined) held.push({ places, address })
        }
        const mine = held.filter((each) => each.address === address).length
        assert.ok(mine <= limits.connectionsPerAddress && held.length <= limits.connections)
        const addresses = new Set(held.map((each) => each.address)).size
        assert.deepEqual(capacity.counts(), { connections: held.length, addresses })
      }
    }),
  )
})

test('CS-19 a session has its own limit, its refusal does not name the session', () => {
  const sessions = createHolders('session')
  assert.equal(sessions.take('secret-id', 1), undefined)
  const refusal = sessions.take('secret-id', 1)
  assert.equal(refusal?.status, 429)
  assert.equal(refusal?.code, 'SWS_TOO_MANY_CONNECTIONS')
  assert.doesNotMatch(JSON.stringify(refusal), /secret-id/)
  assert.equal(sessions.take('another', 1), undefined)
  sessions.giveBack('secret-id')
  assert.equal(sessions.take('secret-id', 1), undefined)
})

test('a key is forgotten with its last place', () => {
  const users = createHolders('user')
  for (let index = 0; index < 1_000; index++) {
    assert.equal(users.take(`user-${index}`, 1), undefined)
    users.giveBack(`user-${index}`)
  }
  assert.equal(users.size, 0)
})

test('a key may be named like a member of an object', () => {
  const users = createHolders('user')
  for (const key of ['__proto__', 'constructor', 'toString']) {
    assert.equal(users.take(key, 1), undefined)
    assert.ok(users.take(key, 1))
  }
})
