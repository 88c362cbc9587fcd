import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createCapacity } from '../../src/capacity/capacity.ts'
import { createCaps } from '../../src/capacity/identity-capacity.ts'
import type { Leases } from '../../src/capacity/leases.ts'
import { Places } from '../../src/capacity/places.ts'
import type { Held } from '../../src/connection/held.ts'
import { createIdentities } from '../../src/revocation/identities.ts'
import { type Identity, readIdentity } from '../../src/session/identity.ts'

const wide = {
  connections: 9,
  connectionsPerAddress: 9,
  handshakesPerMinutePerAddress: 1_000,
  refusedPerMinutePerAddress: 1_000,
}
const narrow = { connectionsPerSession: 2, connectionsPerUser: 3 }

function identityOf(id: string, userId: string): Identity {
  const identity = readIdentity({ id, userId })
  assert.ok(typeof identity === 'object')
  return identity
}

function start(leases?: Leases) {
  return {
    capacity: createCapacity(wide),
    caps: createCaps({ whenFull: 'refuse', identities: createIdentities<Held>(), leases }),
  }
}

test('everything a connection took is given back when it is gone, once', () => {
  const { capacity, caps } = start()
  const [places, other] = [new Places(), new Places()]
  for (const each of [places, other]) {
    assert.equal(capacity.reserve(each, '192.0.2.7', 0), undefined)
    assert.equal(caps.reserve(each, identityOf('s', 'u'), narrow), undefined)
  }
  assert.deepEqual(caps.counts(), { sessions: 1, users: 1 })
  for (const _twice of [1, 2]) {
    capacity.release(places)
    caps.release(places)
  }
  assert.deepEqual(capacity.counts(), { connections: 1, addresses: 1 })
  assert.deepEqual(caps.counts(), { sessions: 1, users: 1 })
  assert.equal(caps.reserve(new Places(), identityOf('s', 'u'), narrow), undefined)
  assert.ok(caps.reserve(new Places(), identityOf('s', 'u'), narrow))
})

test('a session that has its place gives it back where the user has none', () => {
  const { caps } = start()
  for (const id of ['a', 'b', 'c']) assert.equal(caps.reserve(new Places(), identityOf(id, 'u'), narrow), undefined)
  assert.ok(caps.reserve(new Places(), identityOf('d', 'u'), narrow))
  assert.deepEqual(caps.counts(), { sessions: 3, users: 1 })
})

// RS-11: a client that resets while a store is asked. What the store then grants would be held by nobody.
test('what is taken for a connection that is gone is given back at once', async () => {
  const given: string[] = []
  const { promise: answered, resolve: answer } = Promise.withResolvers<void>()
  const { caps } = start({
    async take(key) {
      await answered
      return async () => void given.push(key)
    },
    hasRoom: async () => true,
  })
  const places = new Places()
  const identity = identityOf('s', 'u')
  const reserving = caps.reserve(places, identity, narrow)
  places.gone = true
  caps.release(places)
  answer()
  assert.equal(await reserving, undefined)
  assert.deepEqual(given.toSorted(), [...identity.keys].toSorted())
  assert.deepEqual(caps.counts(), { sessions: 0, users: 0 })
})

test('nothing is taken for a connection that is gone', () => {
  const { capacity, caps } = start()
  const places = new Places()
  places.gone = true
  assert.equal(capacity.reserve(places, '192.0.2.7', 0), undefined)
  assert.equal(caps.reserve(places, identityOf('s', 'u'), narrow), undefined)
  assert.deepEqual(capacity.counts(), { connections: 0, addresses: 0 })
  assert.deepEqual(caps.counts(), { sessions: 0, users: 0 })
})
