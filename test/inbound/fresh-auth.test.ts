import assert from 'node:assert/strict'
import { it } from 'node:test'
import { refuseStaleSession } from '../../src/inbound/fresh-auth.ts'

const now = 1_800_000_000_000
const minute = 60_000

function codeOf(authenticatedAt: unknown): string | undefined {
  const session = authenticatedAt === undefined ? { id: 's' } : { id: 's', authenticatedAt: authenticatedAt as number }
  return refuseStaleSession(session, 5 * minute, now)?.code
}

it('admits a session that authenticated within the time, to the millisecond', () => {
  assert.equal(codeOf(now), undefined)
  assert.equal(codeOf(now - 5 * minute), undefined)
  assert.equal(codeOf(now - 5 * minute - 1), 'SWS_STEP_UP_REQUIRED')
})

it('asks for a new authentication when there is no session, or no usable time', () => {
  assert.equal(refuseStaleSession(null, minute, now)?.code, 'SWS_STEP_UP_REQUIRED')
  for (const at of [undefined, Number.NaN, Number.POSITIVE_INFINITY, String(now), new Date(now)]) {
    assert.equal(codeOf(at), 'SWS_STEP_UP_REQUIRED')
  }
})

// Seconds or microseconds written for milliseconds: the first must not pass, the second must not pass for ever.
it('is not fooled by the wrong unit, and forgives a clock one minute ahead', () => {
  assert.equal(codeOf(now / 1000), 'SWS_STEP_UP_REQUIRED')
  assert.equal(codeOf(now * 1000), 'SWS_STEP_UP_REQUIRED')
  assert.equal(codeOf(now + minute), undefined)
  assert.equal(codeOf(now + minute + 1), 'SWS_STEP_UP_REQUIRED')
})
