import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { Authorize } from '../../src/inbound/authorize.ts'
import { refuseUnauthorized } from '../../src/inbound/authorize.ts'

const session = { id: 's1' }
const message = { text: 'hi' }
const request = { params: { id: '7' } }

async function codeOf(authorize: Authorize): Promise<string | undefined> {
  return (await refuseUnauthorized(authorize, session, message, request, 1_000))?.code
}

it('CS-12 asks about this session, this very message and this request, every time', () => {
  const asked: unknown[][] = []
  const authorize: Authorize = (...given) => asked.push(given) > 0
  for (let each = 0; each < 2; each++)
    assert.equal(refuseUnauthorized(authorize, session, message, request, 1_000), undefined)
  assert.equal(asked.length, 2)
  for (const [index, expected] of [session, message, request].entries()) assert.equal(asked[1]?.[index], expected)
})

it('answers synchronously when `authorize` does', () => {
  assert.equal(
    refuseUnauthorized(() => true, session, message, request, 1_000),
    undefined,
  )
  assert.ok(!(refuseUnauthorized(() => false, session, message, request, 1_000) instanceof Promise))
})

// `authorize: (s, m) => posts.find(...)`: a row, a count, a string; or a forgotten return.
it('takes only true for a yes, now or later', async () => {
  for (const answer of [false, undefined, null, 0, 1, 'true', {}, [], new Boolean(true)]) {
    assert.equal(await codeOf(() => answer), 'SWS_FORBIDDEN')
    assert.equal(await codeOf(async () => answer), 'SWS_FORBIDDEN')
  }
  assert.equal(await codeOf(async () => true), undefined)
})

it('C8 silence is no answer', async () => {
  const never = () => new Promise<never>(() => {})
  const refusal = await refuseUnauthorized(never, session, message, request, 20)
  assert.deepEqual(
    [refusal?.code, refusal?.reason],
    ['SWS_INTERNAL', 'authorize: no answer within 20 ms (limits.lookup)'],
  )
})

it('MS-15 fails closed when it throws, rejects, or is a thenable that does', async () => {
  const cause = new Error('database down')
  for (const authorize of [
    () => {
      throw cause
    },
    () => Promise.reject(cause),
    () => ({
      // biome-ignore lint/suspicious/noThenProperty: a thenable that is no promise is the point
      then(_yes: unknown, no: (error: Error) => void) {
        no(cause)
      },
    }),
  ]) {
    const refusal = await refuseUnauthorized(authorize, session, message, request, 1_000)
    assert.equal(refusal?.code, 'SWS_INTERNAL')
    assert.equal(refusal?.cause, cause)
    assert.doesNotMatch(refusal?.reason ?? '', /database/)
  }
  assert.equal(
    await codeOf(() => {
      throw null
    }),
    'SWS_INTERNAL',
  )
})
