import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ExpiryNotice } from '../../src/connection/expiry-notice.ts'
import fc from '../harness/fast-check.ts'

/** The moments at which a session that ends at `expiresAt` is told of, asked once every `every` ms. */
function toldAt(expiresAt: number, from: number, every = 1): number[] {
  const notice = new ExpiryNotice()
  const told: number[] = []
  for (let now = from; now < expiresAt; now += every) if (notice.isDue(expiresAt, now)) told.push(now)
  return told
}

test('a minute before the end, in the last quarter of a short session, and once', () => {
  assert.deepEqual(toldAt(3_600_000, 0, 1_000), [3_540_000])
  assert.deepEqual(toldAt(60_000, 0, 1_000), [45_000])
  assert.deepEqual(toldAt(100, 0), [75])
  assert.deepEqual(toldAt(1_000_100, 1_000_000), [1_000_075])
})

test('a session that was given a later end is told of that one; one without an end never', () => {
  const notice = new ExpiryNotice()
  assert.equal(notice.isDue(undefined, 5), false)
  assert.equal(notice.isDue(100, 80), false)
  assert.equal(notice.isDue(100, 99), true)
  assert.equal(notice.isDue(200, 99), false)
  assert.equal(notice.isDue(200, 180), true)
  assert.equal(notice.isDue(200, 190), false)
  assert.equal(notice.isDue(undefined, 500), false)
})

// The attack: a client that renews a short token as soon as it is told would renew as fast as the network allows.
test('whoever renews at each notice renews no oftener than four times for three lives, however short they are', () => {
  fc.assert(
    fc.property(fc.integer({ min: 4, max: 500_000 }), (life) => {
      const notice = new ExpiryNotice()
      let expiresAt = life
      let renewed = 0
      for (let now = 0; now <= 3 * life; now += life / 200) {
        if (!notice.isDue(expiresAt, now)) continue
        renewed++
        expiresAt = now + life
      }
      assert.ok(renewed >= 3 && renewed <= 4, `${renewed}`)
    }),
  )
})
