import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createReplayGuard, refuseReplay } from '../../src/inbound/replay.ts'
import fc from '../harness/fast-check.ts'

const now = 1_800_000_000_000
const window = 30_000
const nonce = 'n-0123456789'

describe('refuseReplay', () => {
  async function codeOf(
    mark: { nonce: unknown; at: unknown },
    guard = createReplayGuard(),
    owner: string | object = 's1',
    at = now,
    uptime = at - now,
  ) {
    return (await refuseReplay(mark, window, owner, guard, { now: at, uptime }))?.code
  }

  it('MS-13 refuses a nonce the session has used, on whatever socket', async () => {
    const guard = createReplayGuard()
    assert.equal(await codeOf({ nonce, at: now }, guard), undefined)
    assert.equal(await codeOf({ nonce, at: now }, guard), 'SWS_REPLAYED')
    assert.equal(await codeOf({ nonce, at: now + 1 }, guard), 'SWS_REPLAYED')
    assert.equal(await codeOf({ nonce: `${nonce}x`, at: now }, guard), undefined)
    assert.equal(await codeOf({ nonce, at: now }, guard, 's2'), undefined)
  })

  it('CS-16 refuses what is older or further ahead than the window, to the millisecond', async () => {
    assert.equal(await codeOf({ nonce, at: now - window - 1 }), 'SWS_REPLAYED')
    assert.equal(await codeOf({ nonce, at: now - window }), undefined)
    assert.equal(await codeOf({ nonce, at: now + window }), undefined)
    assert.equal(await codeOf({ nonce, at: now + window + 1 }), 'SWS_REPLAYED')
  })

  // Sent with a clock that runs ahead, then again when the window around "now" has passed but the one around `at` has not.
  it('CS-16 remembers a nonce for as long as its message would be in time', async () => {
    const guard = createReplayGuard()
    const at = now + window
    assert.equal(await codeOf({ nonce, at }, guard), undefined)
    for (const later of [1, window, 2 * window]) {
      assert.equal(await codeOf({ nonce, at }, guard, 's1', now + later), 'SWS_REPLAYED', `${later} ms later`)
    }
  })

  it('CS-16 keeps a nonce while the clock is set ahead and back', async () => {
    const guard = createReplayGuard()
    const hour = 3_600_000
    assert.equal(await codeOf({ nonce, at: now }, guard, 's1', now, 0), undefined)
    // Two more of the session, in the wrong hour: the guard looks for what it can forget.
    for (const each of ['ahead-00001', 'ahead-00002']) {
      assert.equal(await codeOf({ nonce: each, at: now + hour }, guard, 's1', now + hour, 1_000), undefined)
    }
    assert.equal(await codeOf({ nonce, at: now }, guard, 's1', now + 2_000, 2_000), 'SWS_REPLAYED')
    // Near miss: no more is kept than the time needs.
    assert.equal(
      await codeOf({ nonce, at: now + 2 * window }, guard, 's1', now + 2 * window, 2 * window + 1),
      undefined,
    )
  })

  it('CS-16 takes no nonce twice, however the clock jumps', () => {
    const step = fc.record({
      passed: fc.nat(window / 3),
      jump: fc.oneof(fc.constant(0), fc.integer({ min: -4 * window, max: 4 * window })),
      nonce: fc.constantFrom('n-00000001', 'n-00000002', 'n-00000003'),
      owner: fc.constantFrom('s1', 's2'),
      off: fc.integer({ min: -window, max: window }),
    })
    fc.assert(
      fc.property(fc.array(step, { minLength: 2, maxLength: 60 }), (steps) => {
        const guard = createReplayGuard()
        const taken = new Map<string, number>()
        let uptime = 0
        let clock = now
        for (const { passed, jump, nonce: used, owner, off } of steps) {
          uptime += passed
          clock += passed + jump
          const mark = { nonce: used, at: clock + off }
          const refusal = refuseReplay(mark, window, owner, guard, { now: clock, uptime })
          const before = taken.get(owner + used)
          const isKept = before !== undefined && uptime - before <= 2 * window
          assert.equal(refusal === undefined, !isKept)
          if (refusal === undefined) taken.set(owner + used, uptime)
        }
      }),
    )
  })

  it('refuses marks of a wrong shape without remembering them', async () => {
    const guard = { remember: () => assert.fail('asked the guard') }
    const time = { now, uptime: 0 }
    for (const wrong of [undefined, '', 'short-7', 'x'.repeat(129), 12345678, ['12345678'], null]) {
      assert.equal(
        (await refuseReplay({ nonce: wrong, at: now }, window, 's1', guard, time))?.code,
        'SWS_INVALID_MESSAGE',
      )
    }
    for (const wrong of [undefined, String(now), null, Number.NaN, Number.POSITIVE_INFINITY]) {
      assert.equal((await refuseReplay({ nonce, at: wrong }, window, 's1', guard, time))?.code, 'SWS_INVALID_MESSAGE')
    }
  })

  it('takes the shortest and the longest nonce there may be', async () => {
    for (const length of [8, 128]) assert.equal(await codeOf({ nonce: 'x'.repeat(length), at: now }), undefined)
  })

  it('tells a session that uses too many from a guard that is full, and both refuse', async () => {
    const mark = (each: string) => ({ nonce: `${nonce}${each}`, at: now })
    const one = createReplayGuard({ perSession: 1 })
    assert.equal(await codeOf(mark('a'), one), undefined)
    assert.equal(await codeOf(mark('b'), one), 'SWS_TOO_FAST')
    const full = createReplayGuard({ capacity: 1 })
    assert.equal(await codeOf(mark('a'), full), undefined)
    assert.equal(await codeOf(mark('a'), full, 's2'), 'SWS_INTERNAL')
  })

  it('ASVS 2.3.4 lets exactly one of fifty at once through', async () => {
    const guard = createReplayGuard()
    const codes = await Promise.all(Array.from({ length: 50 }, () => codeOf({ nonce, at: now }, guard)))
    assert.equal(codes.filter((code) => code === undefined).length, 1)
  })

  it('refuses when a guard on another node fails, or answers something else', async () => {
    const down = { remember: () => Promise.reject(new Error('no connection')) }
    assert.equal(await codeOf({ nonce, at: now }, down), 'SWS_INTERNAL')
    const odd = { remember: () => Promise.resolve(JSON.parse('"ok"')) }
    assert.equal(await codeOf({ nonce, at: now }, odd), 'SWS_INTERNAL')
  })
})

describe('createReplayGuard', () => {
  it('refuses instead of forgetting when a session, or all of them, use more than it holds', () => {
    const guard = createReplayGuard({ capacity: 5, perSession: 3 })
    for (const each of ['a', 'b', 'c']) assert.equal(guard.remember('s1', each, now + window, now), 'fresh')
    assert.equal(guard.remember('s1', 'd', now + window, now), 'owner-full')
    assert.equal(guard.remember('s2', 'a', now + window, now), 'fresh')
    assert.equal(guard.remember('s2', 'b', now + window, now), 'fresh')
    assert.equal(guard.remember('s3', 'a', now + window, now), 'full')
    assert.equal(guard.remember('s1', 'a', now + window, now), 'seen')
  })

  it('has room again once what it holds is too old to be replayed', () => {
    const guard = createReplayGuard({ capacity: 5, perSession: 3 })
    for (const each of ['a', 'b', 'c']) guard.remember('s1', each, now + window, now)
    for (const each of ['a', 'b']) guard.remember('s2', each, now + window, now)
    const later = now + window + 1
    for (const each of ['d', 'e', 'f']) assert.equal(guard.remember('s1', each, later + window, later), 'fresh')
    for (const each of ['d', 'e']) assert.equal(guard.remember('s3', each, later + window, later), 'fresh')
  })

  it('keeps an anonymous socket apart from a session, and from another socket', () => {
    const guard = createReplayGuard()
    const [one, other] = [{}, {}]
    assert.equal(guard.remember(one, nonce, now + window, now), 'fresh')
    assert.equal(guard.remember(other, nonce, now + window, now), 'fresh')
    assert.equal(guard.remember('[object Object]', nonce, now + window, now), 'fresh')
    assert.equal(guard.remember(one, nonce, now + window, now), 'seen')
  })

  it('holds no more than what can still be replayed while sessions come and go', () => {
    const guard = createReplayGuard({ capacity: 330, perSession: 10 })
    // 10,000 sessions of one nonce each, 100 ms apart: 300 of them can still be replayed at any time.
    for (let each = 0; each < 10_000; each++) {
      const at = now + each * 100
      assert.equal(guard.remember(`s${each}`, nonce, at + window - 1, at), 'fresh')
    }
  })
})
