import assert from 'node:assert/strict'
import { test } from 'node:test'
import { tokenSession } from '../../src/authentication/token-session.ts'
import { identityKey, isIdentityName, readIdentity } from '../../src/session/identity.ts'
import fc from '../harness/fast-check.ts'
import { identityOf } from './identity-of.ts'

// Class S1: who a session belongs to is read once, where it is accepted.

test('a getter that says another name each time is asked once', () => {
  let asked = 0
  const session = {
    get id() {
      return `s${asked++}`
    },
  }
  const identity = identityOf(session)
  assert.equal(asked, 1)
  assert.equal(identity.keys[0], identityKey('session', identity.sessionId))
})

test('lone surrogates, which would all share one digest, are nobody; the near miss is somebody', () => {
  for (const name of ['\ud800', 'a\udfffb', '\ude00\ud83d']) {
    assert.equal(isIdentityName(name), false)
    for (const member of ['id', 'userId', 'tokenId'])
      assert.equal(typeof readIdentity({ id: 's', [member]: name }), 'string', member)
  }
  assert.equal(identityOf({ id: '\u{1f600}' }).sessionId, '\u{1f600}')
  assert.equal(identityOf({ id: 'x'.repeat(512) }).sessionId.length, 512)
  assert.equal(typeof readIdentity({ id: 'x'.repeat(513) }), 'string')
})

test('two identities never share a key, whatever the names', () => {
  const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }).filter(isIdentityName)
  const kind = fc.constantFrom('session', 'user', 'token')
  fc.assert(
    fc.property(kind, name, kind, name, (kindOfOne, one, kindOfOther, other) => {
      const same = kindOfOne === kindOfOther && one === other
      assert.equal(identityKey(kindOfOne, one) === identityKey(kindOfOther, other), same)
    }),
  )
})

test('whatever a session is made of, the answer is an identity or a reason, and never a throw', () => {
  fc.assert(
    fc.property(
      fc.record({ id: fc.anything(), userId: fc.anything(), tokenId: fc.anything(), expiresAt: fc.anything() }),
      (session) => {
        const read = readIdentity(session)
        if (typeof read === 'object') for (const key of read.keys) assert.match(key, /^(session|user|token):[\w-]{43}$/)
      },
    ),
  )
})

for (const userId of ['iss|sub', 'sub'] as const)
  test(`sessions of two tokens share an id only if issuer, subject and session are the same (${userId})`, () => {
    const how = { clockTolerance: 0, userId }
    const part = fc.string({ unit: fc.constantFrom('a', 'b', '|', '%', '7', 'C'), minLength: 1, maxLength: 6 })
    const idOf = ([sub, sid, jti]: readonly [string, string | undefined, string]) =>
      tokenSession(
        { iss: 'https://i', sub, exp: 9_999_999_999, jti, ...(sid !== undefined && { sid }) },
        'token',
        how,
        0,
      ).id
    const claims = fc.tuple(part, fc.option(part, { nil: undefined }), part)
    fc.assert(
      fc.property(claims, claims, (one, other) => {
        const named = ([sub, sid, jti]: typeof one) => JSON.stringify(sid === undefined ? [jti] : [sub, sid])
        assert.equal(idOf(one) === idOf(other), named(one) === named(other))
      }),
      {
        examples: [
          [
            ['a|b', 'c', 'x'],
            ['a', 'b|c', 'x'],
          ],
        ],
        numRuns: 2_000,
      },
    )
  })
