import assert from 'node:assert/strict'
import { test } from 'node:test'
import { closeReason, closeReasonBytes, cutToBytes, isSendableCloseCode } from '../../src/connection/close.ts'
import { CloseCode } from '../../src/errors.ts'
import fc from '../harness/fast-check.ts'

test('OU-06 text is cut at a code point, to as many bytes as fit', () => {
  assert.equal(cutToBytes('a'.repeat(200), 123), 'a'.repeat(123))
  assert.equal(cutToBytes('\u20ac'.repeat(41), 123), '\u20ac'.repeat(41))
  assert.equal(cutToBytes(`a${'\u20ac'.repeat(41)}`, 123), `a${'\u20ac'.repeat(40)}`)
  assert.equal(cutToBytes('\u{1f600}', 3), '')
  assert.equal(cutToBytes('\ud800', 3), '\ufffd')
})

test('OU-06 whatever is cut is well-formed, short enough, a beginning, and as long as it can be', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 80 }), fc.nat(125), (text, limit) => {
      const cut = cutToBytes(text, limit)
      const whole = text.toWellFormed()
      assert.ok(cut.isWellFormed() && whole.startsWith(cut) && Buffer.byteLength(cut) <= limit)
      const [next = ''] = whole.slice(cut.length)
      if (next !== '')
        assert.ok(
          Buffer.byteLength(cut) + Buffer.byteLength(String.fromCodePoint(whole.codePointAt(cut.length) ?? 0)) > limit,
        )
    }),
  )
})

test('every reason of ours fits a close frame, and only 1012 says when to return', () => {
  for (const code of Object.values(CloseCode)) {
    assert.ok(Buffer.byteLength(closeReason(code, 123_456_789)) <= closeReasonBytes)
    assert.equal(closeReason(code, 5).includes('retry'), code === 1012)
    assert.ok(isSendableCloseCode(code))
  }
  assert.equal(closeReason(1012), 'service restart')
  assert.equal(closeReason(1012, 12.6), 'service restart; retry after 13 ms')
})

test('FR-10 codes that may be sent are the ones of RFC 6455 section 7.4', () => {
  const sendable = [1000, 1003, 1007, 1011, 1014, 3000, 4999]
  const not = [-1, 0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 1000.5, Number.NaN, Infinity]
  assert.deepEqual(sendable.filter(isSendableCloseCode), sendable)
  assert.deepEqual(not.filter(isSendableCloseCode), [])
})
