import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cookieSession } from '../../src/authentication/cookie-session.ts'
import { cookieSignature, datedCookieSignature } from '../../src/authentication/cookie-signature.ts'
import { readSecrets, stillValid } from '../../src/session/secrets.ts'
import fc from '../harness/fast-check.ts'
import { startAsking } from './asking.ts'

const [old, fresh] = ['the old secret of 32 bytes or more', 'the new secret of 32 bytes or more']
const now = 1_800_000_000_000
const load = (id: string) => ({ id })
const signedBy = (secret: string, id: string) => cookieSignature([Buffer.from(secret)]).sign(id)

test('a cookie that a secret signed is refused from the millisecond of its end on, and one of the next secret is not', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now })
  const asked = await startAsking(
    t,
    cookieSession({ secret: [fresh, { secret: old, validUntil: now + 60_000 }], load }),
  )
  const status = async (secret: string) =>
    (await asked.ask([['cookie', `__Host-session=${encodeURIComponent(signedBy(secret, 's1'))}`]])).status
  assert.deepEqual([await status(old), await status(fresh)], [200, 200])
  t.mock.timers.setTime(now + 59_999)
  assert.equal(await status(old), 200)
  t.mock.timers.setTime(now + 60_000)
  assert.deepEqual([await status(old), await status(fresh)], [401, 200])
  // A date that is set back opens nothing again.
  t.mock.timers.setTime(now)
  assert.equal(await status(old), 401)
})

test('the first secret that counts signs; when all are over nothing is signed and nobody gets in', () => {
  let time = now
  const secrets = readSecrets(
    [
      { secret: old, validUntil: now + 1 },
      { secret: fresh, validUntil: now + 2 },
    ],
    'secret',
    'Make one.',
    now,
  )
  const signature = datedCookieSignature(secrets, () => time)
  const [byOld, byFresh] = [signedBy(old, 'x'), signedBy(fresh, 'x')]
  assert.deepEqual([signature.sign('x'), signature.verify(byOld), signature.verify(byFresh)], [byOld, 'x', 'x'])
  time = now + 1
  assert.deepEqual([signature.sign('x'), signature.verify(byOld), signature.verify(byFresh)], [byFresh, undefined, 'x'])
  time = now + 2
  assert.deepEqual([signature.verify(byOld), signature.verify(byFresh)], [undefined, undefined])
  assert.throws(() => signature.sign('x'), /past its `validUntil`/)
})

test('whatever the ends and the clock, exactly those count whose end never came', () => {
  const clock = fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 1, maxLength: 30 })
  fc.assert(
    fc.property(
      fc.array(fc.option(fc.integer({ min: 0, max: 20 }), { nil: Number.POSITIVE_INFINITY })),
      clock,
      (ends, times) => {
        let time = 0
        const valid = stillValid(
          ends.map((validUntil, value) => ({ value, validUntil })),
          () => time,
        )
        let latest = 0
        for (time of times) {
          latest = Math.max(latest, time)
          const expected = [...ends.keys()].filter((at) => (ends[at] ?? 0) > latest)
          assert.deepEqual(valid(), expected)
          assert.equal(valid(), valid(), 'the same list until one of them ends')
        }
      },
    ),
  )
})

test('wrong ends fail at registration, with their path, and no error shows a secret', () => {
  const canary = 'canary of a secret, of 32 bytes at least'
  const wrong: [unknown, RegExp][] = [
    [{ secret: canary }, /cookieSession\.secret\.validUntil` is missing/],
    [{ secret: canary, validUntil: 1_800_000_000 }, /validUntil` is 1800000000.*milliseconds/],
    [{ secret: canary, validUntil: '2027-01-01' }, /validUntil`/],
    [{ secret: canary, validUntil: new Date() }, /validUntil`/],
    [{ secret: canary, validUntil: Number.POSITIVE_INFINITY }, /validUntil`/],
    [{ secret: 'canary', validUntil: now }, /cookieSession\.secret\.secret` is "6 bytes long"/],
    [{ secret: canary, validuntil: now }, /validuntil`.*[Dd]id you mean `cookieSession\.secret\.validUntil`/],
    [{ secret: canary, validUntil: Date.now() - 1 }, /past its `validUntil`/],
    [
      [
        { secret: canary, validUntil: Date.now() - 1 },
        { secret: canary, validUntil: 1_700_000_000_000 },
      ],
      /past its/,
    ],
    [[canary, { secret: 'canary' }], /cookieSession\.secret\[1\]\.secret`/],
  ]
  for (const [secret, expected] of wrong) {
    assert.throws(
      () => cookieSession({ secret: secret as string, load }),
      (error: Error) => {
        assert.match(error.message, expected)
        assert.doesNotMatch(error.message, /canary/)
        return true
      },
    )
  }
  // The near miss: one that is over, behind one that counts.
  assert.doesNotThrow(() => cookieSession({ secret: [canary, { secret: canary, validUntil: Date.now() - 1 }], load }))
})
