import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { compilePerMinute, compileRate, fullBucket, take, waitFor } from '../../src/inbound/rate.ts'
import fc from '../harness/fast-check.ts'

describe('take', () => {
  const pace = compileRate({ perSecond: 5, burst: 10 }, 'rate')

  it('RS-08 lets the burst through and nothing more within the same millisecond', () => {
    const bucket = fullBucket(pace, 1000)
    const passed = Array.from({ length: 1000 }, () => take(bucket, pace, 1, 1000)).filter(Boolean)
    assert.equal(passed.length, 10)
  })

  it('refills by the clock, one token each 200 ms, never above the burst', () => {
    const bucket = fullBucket(pace, 0)
    assert.ok(take(bucket, pace, 10, 0))
    assert.equal(take(bucket, pace, 1, 199), false)
    assert.equal(take(bucket, pace, 1, 200), true)
    assert.equal(take(bucket, pace, 1, 200), false)
    assert.equal(take(bucket, pace, 11, 1e9), false)
    assert.equal(take(bucket, pace, 10, 1e9), true)
  })

  it('says how long to wait: then it passes, and not a millisecond before', () => {
    const perSecond = fc.double({ min: 0.01, max: 1_000, noNaN: true })
    fc.assert(
      fc.property(perSecond, fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 50 }), (each, burst, cost) => {
        const measured = compileRate({ perSecond: each, burst }, 'rate')
        const bucket = fullBucket(measured, 0)
        while (take(bucket, measured, 1, 0));
        const wait = waitFor(bucket, measured, cost)
        assert.equal(wait === undefined, cost > burst)
        if (wait === undefined) return
        assert.equal(take({ ...bucket }, measured, cost, wait - 1), false)
        // Adding up fractions of a token may lose the last bit of one.
        assert.equal(take({ ...bucket }, measured, cost - 1e-9, wait), true)
      }),
    )
  })

  it('takes nothing when it refuses', () => {
    const bucket = fullBucket(pace, 0)
    assert.equal(take(bucket, pace, 11, 0), false)
    assert.equal(take(bucket, pace, 10, 0), true)
  })

  // A slow `authorize` notes its refusal with the time the message came in: those seconds must not be refilled twice.
  it('does not refill the same seconds twice when a late clock reading comes in', () => {
    const bucket = fullBucket(pace, 0)
    take(bucket, pace, 10, 0)
    assert.ok(take(bucket, pace, 10, 5000))
    assert.equal(take(bucket, pace, 1, 0), false)
    assert.equal(take(bucket, pace, 1, 5000), false)
  })

  it('CS-20 never passes more than burst + perSecond * time, whatever the arrivals', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(400), { maxLength: 300 }), (gaps) => {
        const bucket = fullBucket(pace, 0)
        let now = 0
        let passed = 0
        for (const gap of gaps) {
          now += gap
          if (take(bucket, pace, 1, now)) passed++
        }
        assert.ok(passed <= 10 + (now * 5) / 1000 + 1e-6)
      }),
    )
  })
})

describe('compileRate', () => {
  it('fills in a burst of one second, at least one', () => {
    assert.equal(compileRate({ perSecond: 20 }, 'rate').burst, 20)
    assert.equal(compileRate({ perSecond: 0.2 }, 'rate').burst, 1)
  })

  it('refuses what would be no limit, or let nothing pass', () => {
    const wrong = [
      null,
      5,
      {},
      { perSecond: 0 },
      { perSecond: -1 },
      { perSecond: '5' },
      { perSecond: Number.POSITIVE_INFINITY },
    ]
    for (const rate of [...wrong, { perSecond: 1, burst: 0 }, { perSecond: 1, burst: 0.5 }, { perSecond: 1, max: 5 }]) {
      assert.throws(() => compileRate(rate, 'limits.messages'), { code: 'SWS_BAD_OPTION', message: /limits\.messages/ })
    }
    for (const perMinute of [0, 0.5, undefined, Number.NaN]) {
      assert.throws(() => compilePerMinute(perMinute, 'limits.refusals.perMinute'), { code: 'SWS_BAD_OPTION' })
    }
  })
})
