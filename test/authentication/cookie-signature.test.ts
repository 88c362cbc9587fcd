import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { Signer } from '@fastify/cookie'
import { cookieSignature } from '../../src/authentication/cookie-signature.ts'
import fc from '../harness/fast-check.ts'

const secrets = ['first', 'second'].map((name) => Buffer.from(`${name} secret of the server, long enough`))
const theirs = new Signer(secrets)
const ours = cookieSignature(secrets)

const anyText = fc.string({ unit: 'binary', maxLength: 60 })

test('what @fastify/cookie signs is verified, and what is signed here it verifies', () => {
  fc.assert(
    fc.property(anyText, (value) => {
      assert.equal(ours.sign(value), theirs.sign(value))
      assert.equal(ours.verify(theirs.sign(value)), value)
    }),
  )
})

// RFC 2104: keys up to a block are padded, longer ones are hashed first.
test('the signature is the HMAC of node:crypto, for secrets and values of any length', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.uint8Array({ minLength: 63, maxLength: 65 })),
      fc.oneof(
        fc.string({ unit: 'binary', maxLength: 300 }),
        fc.string({ unit: 'binary', minLength: 500, maxLength: 1_100 }),
      ),
      (key, value) => {
        const expected = createHmac('sha256', key).update(value).digest('base64').replace(/=+$/, '')
        assert.equal(cookieSignature([Buffer.from(key)]).sign(value), `${value}.${expected}`)
      },
    ),
    { numRuns: 1_000 },
  )
})

// What is kept between two texts must be nothing of the first: shorter, longer, and longer than what is kept for.
test('one signature signs texts of any lengths in any order as node:crypto does', () => {
  const key = Buffer.alloc(32, 7)
  const kept = cookieSignature([key])
  const length = fc.oneof(fc.nat(64), fc.constantFrom(1_023, 1_024, 1_025, 2_000))
  fc.assert(
    fc.property(fc.array(length, { minLength: 2, maxLength: 8 }), (lengths) => {
      for (const [at, each] of lengths.entries()) {
        const value = String.fromCharCode(97 + at).repeat(each)
        const expected = createHmac('sha256', key).update(value).digest('base64').replace(/=+$/, '')
        assert.equal(kept.sign(value), `${value}.${expected}`)
        assert.equal(kept.verify(`${value}.${expected}`), value)
      }
    }),
  )
})

test('a value that an older secret signed is verified, and signed with the first', () => {
  const old = new Signer(secrets.slice(1)).sign('s1')
  assert.equal(ours.verify(old), 's1')
  assert.notEqual(ours.sign('s1'), old)
  assert.equal(cookieSignature(secrets.slice(0, 1)).verify(old), undefined)
})

test('whatever else is written, both say the same', () => {
  const signed = theirs.sign('s1')
  const nearMisses = [
    '',
    '.',
    's1',
    's1.',
    signed.slice(0, -1),
    `${signed}=`,
    `${signed} `,
    ` ${signed}`,
    signed.replace('.', '..'),
    signed.toUpperCase(),
    signed.slice(signed.indexOf('.')),
    // The same bytes for a lenient decoder: base64url, and the unused bits of the last character.
    signed.replaceAll('+', '-').replaceAll('/', '_'),
    `${signed.slice(0, -1)}${String.fromCharCode(signed.charCodeAt(signed.length - 1) + 1)}`,
    // 43 characters that are more bytes.
    `s1.${'\u00e9'.repeat(43)}`,
  ]
  for (const text of nearMisses) {
    const { valid, value } = theirs.unsign(text)
    assert.equal(ours.verify(text), valid ? value : undefined, JSON.stringify(text))
  }
  fc.assert(
    fc.property(anyText, (text) => {
      assert.equal(ours.verify(text), undefined)
    }),
  )
})
