import assert from 'node:assert/strict'
import { test } from 'node:test'
import { redacted, redactedError } from '../../src/telemetry/redacted.ts'
import fc from '../harness/fast-check.ts'

const shown: readonly (readonly [text: string, instead: string])[] = [
  ['connect redis://app:hunter2@db:6379 failed', 'connect redis://[redacted]@db:6379 failed'],
  ['postgres://hunter2@db', 'postgres://[redacted]@db'],
  ['db: password=hunter2; retry', 'db: password=[redacted]; retry'],
  ['{"password":"hunter2","n":1}', '{"password":"[redacted]","n":1}'],
  ['API-Key: hunter2', 'API-Key: [redacted]'],
  ['authorization: Bearer hunter2', 'authorization: [redacted] [redacted]'],
  ['got Bearer hunter2.x.y', 'got Bearer [redacted]'],
]
for (const [text, instead] of shown) {
  test(`a credential is cut out of ${JSON.stringify(text)}`, () => {
    const clean = redacted(text, [])
    assert.ok(!clean.includes('hunter2'), clean)
    if (!text.startsWith('authorization')) assert.equal(clean, instead)
  })
}

test('near misses stay: a URL without a user, a sentence about tokens', () => {
  for (const text of [
    'connect ECONNREFUSED https://db.example:5432/x@y',
    "Unexpected token '<' in JSON at position 0",
    'the password is wrong',
    'no such column sessions.expires_at',
  ]) {
    assert.equal(redacted(text, []), text)
  }
})

test('what the request carried is cut out, the longest first; what is as short as a word stays', () => {
  assert.equal(
    redacted('no row for head.body.sig (head)', ['head', 'head.body.sig', 'no']),
    'no row for [redacted] ([redacted])',
  )
})

test('no secret of four characters or more is left, whatever it is', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 4, maxLength: 40 }), (secret) => {
      fc.pre(!'no row for [redacted] in it'.includes(secret))
      assert.equal(redacted(`no row for ${secret} in it`, [secret]), 'no row for [redacted] in it')
    }),
  )
})

test('an error keeps its kind, code, frames and causes, and loses whatever else its driver hung on it', () => {
  const root = Object.assign(new Error('connect redis://u:hunter2@db'), {
    code: 'ECONNREFUSED',
    config: { password: 'hunter2' },
  })
  const error = Object.assign(new TypeError('load: hunter2\n{"level":60}', { cause: root }), { request: 'hunter2' })
  const copy = redactedError(error, ['hunter2'])
  assert.ok(copy instanceof TypeError)
  assert.match(copy.stack ?? '', /^TypeError: load: \[redacted\]\\u000a\{"level":60\}\n {4}at .*redacted\.test\.ts/)
  assert.deepEqual(Object.keys(copy), [])
  const { cause } = copy
  assert.ok(cause instanceof Error)
  assert.deepEqual({ ...cause }, { code: 'ECONNREFUSED' })
  assert.ok(!JSON.stringify([copy.message, copy.stack, cause.message, cause.stack]).includes('hunter2'))
})

test('a circle of causes ends, and so does a list of many errors', () => {
  const first = new Error('first')
  const second = new AggregateError(
    Array.from({ length: 100 }, () => first),
    'second',
    { cause: first },
  )
  first.cause = second
  const copy = redactedError(first, [])
  const inner: unknown = Reflect.get(Object(copy.cause), 'errors')
  assert.ok(Array.isArray(inner) && inner.length === 4)
})
