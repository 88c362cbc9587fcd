import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createHolders, type Slot } from '../../src/capacity/capacity.ts'
import { Places } from '../../src/capacity/places.ts'

function counted(): Slot & { released: number } {
  return {
    released: 0,
    release() {
      this.released++
    },
  }
}

test('everything a connection took is given back when it is gone, once', () => {
  const places = new Places()
  const slots = [counted(), counted(), counted()]
  for (const slot of slots) places.hold(slot)
  places.release()
  places.release()
  assert.deepEqual(
    slots.map(({ released }) => released),
    [1, 1, 1],
  )
})

// RS-11: a client that resets while a store is asked. What the store then grants would be held by nobody.
test('what is taken for a connection that is gone is given back at once', () => {
  const late = counted()
  const places = new Places()
  places.release()
  places.hold(late)
  assert.equal(late.released, 1)
})

test('RS-11 a place under a key that is released twice is one place', () => {
  const holders = createHolders('session')
  const [first] = [holders.reserve('s1', 2), holders.reserve('s1', 2)]
  first?.slot?.release()
  first?.slot?.release()
  assert.ok(holders.reserve('s1', 2).slot)
  assert.equal(holders.reserve('s1', 2).slot, undefined)
})
