import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createHandshakeRate } from '../../src/capacity/handshake-rate.ts'
import fc from '../harness/fast-check.ts'

const minute = 60_000

function admitted(take: () => number | undefined, attempts: number): number {
  let count = 0
  for (let attempt = 0; attempt < attempts; attempt++) if (take() === undefined) count++
  return count
}

test('RS-16 exactly the limit within a minute, then none', () => {
  const rate = createHandshakeRate(120)
  assert.equal(
    admitted(() => rate.take('192.0.2.7', minute), 500),
    120,
  )
})

test('another address is not affected', () => {
  const rate = createHandshakeRate(3)
  assert.equal(
    admitted(() => rate.take('192.0.2.7', minute), 9),
    3,
  )
  assert.equal(rate.take('192.0.2.8', minute), undefined)
})

// 120 at 0:59.999 and 120 at 1:00.000 would be 240 in two milliseconds.
test('RS-16 the turn of the minute does not double the burst', () => {
  const rate = createHandshakeRate(120)
  assert.equal(
    admitted(() => rate.take('192.0.2.7', 2 * minute - 1), 120),
    120,
  )
  assert.equal(
    admitted(() => rate.take('192.0.2.7', 2 * minute), 120),
    0,
  )
  assert.equal(
    admitted(() => rate.take('192.0.2.7', 2.5 * minute), 120),
    60,
  )
})

test('after two quiet minutes all is forgotten', () => {
  const rate = createHandshakeRate(120)
  admitted(() => rate.take('192.0.2.7', minute), 120)
  assert.equal(
    admitted(() => rate.take('192.0.2.7', 3 * minute), 120),
    120,
  )
})

// Somebody who keeps trying while refused must get his share again, or a reconnect loop locks its own users out for good.
test('refused attempts are not counted', () => {
  const rate = createHandshakeRate(10)
  admitted(() => rate.take('192.0.2.7', minute), 1_000)
  assert.equal(
    admitted(() => rate.take('192.0.2.7', 2.5 * minute), 1_000),
    5,
  )
})

test('the wait ends when the window does, also for a clock that was set back', () => {
  const rate = createHandshakeRate(1)
  assert.equal(rate.take('192.0.2.7', minute + 1_000), undefined)
  assert.equal(rate.take('192.0.2.7', minute + 1_000), 59_000)
  assert.equal(rate.take('192.0.2.7', 0), minute)
})

// With a map that evicts, an attacker with many addresses pushes his own counter out; here it stays where it is.
test('RS-16 a flood of 200,000 addresses neither resets a counter nor locks a newcomer out', () => {
  const rate = createHandshakeRate(120)
  admitted(() => rate.take('203.0.113.9', minute), 120)
  for (let index = 0; index < 200_000; index++) rate.take(`2001:db8:${index.toString(16)}`, minute)
  assert.notEqual(rate.take('203.0.113.9', minute), undefined)
  assert.equal(rate.take('198.51.100.1', minute), undefined)
})

test('waiting counts nothing, and says what counting would say', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ address: fc.nat(3), after: fc.nat(40_000), back: fc.boolean() }), { maxLength: 100 }),
      fc.integer({ min: 1, max: 6 }),
      (attempts, perMinute) => {
        const rate = createHandshakeRate(perMinute)
        let now = 5 * minute
        const taken: (readonly [address: string, at: number])[] = []
        for (const { address: last, after, back } of attempts) {
          now += after
          const address = `192.0.2.${last}`
          const given = back ? taken.shift() : undefined
          if (given !== undefined) rate.giveBack(...given)
          const said = rate.wait(address, now)
          assert.equal(rate.wait(address, now), said)
          assert.equal(rate.take(address, now), said)
          if (said === undefined) taken.push([address, now])
        }
      },
    ),
  )
})

test('what is given back was never counted, whichever minute it was counted in', () => {
  for (const later of [0, minute - 1, minute, 2 * minute, 9 * minute]) {
    const rate = createHandshakeRate(2)
    for (let count = 0; count < 2; count++) assert.equal(rate.take('192.0.2.7', 5 * minute), undefined)
    rate.take('192.0.2.8', 5 * minute + later)
    for (let count = 0; count < 2; count++) rate.giveBack('192.0.2.7', 5 * minute)
    assert.equal(
      admitted(() => rate.take('192.0.2.7', 5 * minute + later), 9),
      2,
    )
  }
})
