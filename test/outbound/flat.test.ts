import assert from 'node:assert/strict'
import { test } from 'node:test'
import { writeFlat } from '../../src/outbound/flat.ts'

// A text that is written past the encoder is an attack that has worked, whatever it stands beside.
test('OU-01 a message with anything in it that JSON or HTML write otherwise is not written flat', () => {
  const long = 'x'.repeat(300)
  for (const unit of ['&', '<', '>', "'", '"', '\\', '\0', '\n', '\u000f', '\u0010', '\u001f', '\ud800', '\udc00']) {
    for (const text of [unit, `a${unit}`, `${unit}a`, `${long}${unit}`, `${unit}${long}`]) {
      assert.equal(writeFlat({ type: 'said', text }), undefined, JSON.stringify(text))
      assert.equal(writeFlat({ type: 'said', [text]: 'a' }), undefined, JSON.stringify(text))
    }
  }
  for (const member of [{}, [], new Date(), Symbol('a'), () => 'a', 1n, new String('a')]) {
    assert.equal(writeFlat({ type: 'said', member }), undefined)
  }
})

test('its near miss is what JSON.stringify makes of it', () => {
  const messages = [
    {},
    { type: 'said' },
    { type: 'said', text: 'x'.repeat(300), other: '', '': 'a', 'with space': '\u00e9 \u2028 \u007f' },
    { type: 'said', left: undefined, one: 1, half: -0.5, zero: -0, huge: 1e300, small: 5e-324 },
    { nothing: null, yes: true, no: false, nan: Number.NaN, infinite: Number.NEGATIVE_INFINITY, 7: 'first' },
    { emoji: `${'x'.repeat(300)}\u{1f600}` },
  ]
  for (const message of messages) assert.equal(writeFlat(message), JSON.stringify(message))
})

test('OU-01 what a polluted Object.prototype has is not written', (t) => {
  Reflect.set(Object.prototype, 'polluted', 'yes')
  t.after(() => Reflect.deleteProperty(Object.prototype, 'polluted'))
  assert.equal(writeFlat({ type: 'said' }), '{"type":"said"}')
})
