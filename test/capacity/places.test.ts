import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import { createHolders, type Slot } from '../../src/capacity/capacity.ts'
import { Places } from '../../src/capacity/places.ts'

function connection(destroyed = false) {
  return Object.assign(new EventEmitter(), { destroyed })
}

function counted(): Slot & { released: number } {
  return {
    released: 0,
    release() {
      this.released++
    },
  }
}

test('everything a connection took is given back when it is gone, once', () => {
  const tcp = connection()
  const places = new Places(tcp)
  const slots = [counted(), counted(), counted()]
  for (const slot of slots) places.hold(slot)
  assert.equal(tcp.listenerCount('close'), 1)
  tcp.emit('close')
  places.release()
  assert.deepEqual(
    slots.map(({ released }) => released),
    [1, 1, 1],
  )
})

// RS-11: a client that resets while a store is asked. What the store then grants would be held by nobody.
test('what is taken for a connection that is gone is given back at once', () => {
  const late = counted()
  const tcp = connection()
  const places = new Places(tcp)
  tcp.emit('close')
  places.hold(late)
  assert.equal(late.released, 1)
  const never = counted()
  new Places(connection(true)).hold(never)
  assert.equal(never.released, 1)
})

test('RS-11 a place under a key that is released twice is one place', () => {
  const holders = createHolders('session')
  const [first] = [holders.reserve('s1', 2), holders.reserve('s1', 2)]
  first?.slot?.release()
  first?.slot?.release()
  assert.ok(holders.reserve('s1', 2).slot)
  assert.equal(holders.reserve('s1', 2).slot, undefined)
})
