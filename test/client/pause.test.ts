import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readWhy } from '../../src/client/handshake.ts'
import { hintIn, pauseBefore, readHint } from '../../src/client/pause.ts'
import { closeReason } from '../../src/connection/close.ts'
import { handshakeRefusals } from '../../src/errors.ts'
import { refuse, whyBody } from '../../src/http/refusal.ts'
import fc from '../harness/fast-check.ts'

const defaults = {}

test('the span doubles up to the ceiling, and the pause is anything within it', () => {
  const spans = [0, 1, 2, 3, 4, 5, 6, 2_000].map((failures) =>
    pauseBefore(failures, 'reconnect', undefined, defaults, 1),
  )
  assert.deepEqual(spans, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000])
  assert.equal(pauseBefore(6, 'reconnect', undefined, defaults, 0), 0)
  assert.equal(pauseBefore(0, 'later', undefined, defaults, 1), 16_000)
  assert.equal(pauseBefore(0, 'reconnect', undefined, { first: 5_000, ceiling: 2_000 }, 1), 2_000)
})

test('no pause is shorter than the hint, longer than hint and ceiling, or one that a timer cannot keep', () => {
  fc.assert(
    fc.property(
      fc.nat(5_000),
      fc.boolean(),
      fc.anything(),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (failures, later, said, random) => {
        const hint = readHint(said)
        const pause = pauseBefore(failures, later ? 'later' : 'reconnect', hint, defaults, random)
        assert.ok(pause >= (hint ?? 0) - 1 && pause <= (hint ?? 0) + 30_001 && pause < 2 ** 31 - 1)
      },
    ),
  )
})

test('the hint in a close frame is the one that the server writes', () => {
  for (const ms of [0.4, 1, 999.6, 30_000]) assert.equal(hintIn(closeReason(1012, ms)), Math.round(ms) || undefined)
  for (const reason of [
    closeReason(1012),
    '',
    '; retry after -5 ms',
    '; retry after 1e9 ms',
    'retry after 5 ms soon',
  ]) {
    assert.equal(hintIn(reason), undefined, reason)
  }
  assert.equal(hintIn('x; retry after 99999999999 ms'), 3_600_000)
})

test('the client reads every verdict that the server writes', () => {
  for (const code of Object.keys(handshakeRefusals) as (keyof typeof handshakeRefusals)[]) {
    const body = whyBody(refuse(code, '', { headers: { 'retry-after': '7' } }))
    assert.deepEqual(readWhy(JSON.parse(JSON.stringify(body))), body)
  }
  assert.deepEqual(readWhy(whyBody(undefined)), { code: null, reconnect: true })
})

test('what is no verdict is none', () => {
  for (const body of [
    null,
    1,
    'x',
    [],
    {},
    { code: 1, reconnect: true },
    { code: 'x' },
    { code: null, reconnect: 'yes' },
  ]) {
    assert.equal(readWhy(body), undefined)
  }
  assert.deepEqual(readWhy({ code: 'x', reconnect: true, retryAfter: '5' }), { code: 'x', reconnect: true })
  fc.assert(
    fc.property(fc.anything(), (body) => {
      const why = readWhy(body)
      assert.ok(why === undefined || typeof why.reconnect === 'boolean')
    }),
  )
})
