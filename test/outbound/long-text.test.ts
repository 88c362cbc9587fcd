import assert from 'node:assert/strict'
import { test } from 'node:test'
import { long as shortest, writeAroundLongText } from '../../src/outbound/long-text.ts'
import { compileOutbound, type EncodeMode, encodeMessage, encodeOutgoing } from '../../src/outbound/outbound.ts'
import fc from '../harness/fast-check.ts'

const long = 'x'.repeat(shortest)

function policy(encode: EncodeMode) {
  const schema = { type: 'object', additionalProperties: true }
  return compileOutbound({
    encode,
    sends: { said: { schema } },
    path: 'secureWs',
    sanitizeHtml: (dirty) => dirty,
    warn: () => {},
  })
}

// A text that is written past the encoder is an attack that has worked, whatever it stands beside.
const special = ['&', '<', '>', "'", '"', '\\', '\0', '\n', '\u000f', '\u0010', '\u001f', '\ud800', '\udc00']
function around(message: Readonly<Record<string, unknown>>): string | undefined {
  const written = writeAroundLongText(message, (others) => JSON.stringify({ others: Object.keys(others) }))
  if (written === undefined) return undefined
  assert.equal(written.bytes, Buffer.byteLength(written.json))
  return written.json
}
const encodedAs = (message: object, mode: EncodeMode) => String(encodeMessage(message, mode).payload)

test('OU-01 a long text that needs no encoding is written as it is, and only such a text', () => {
  assert.equal(around({ type: 'said', text: long }), `{"type":"said","text":"${long}"}`)
  for (const unit of special) {
    for (const text of [`${long}${unit}`, `${unit}${long}`]) {
      assert.equal(around({ text }), undefined, JSON.stringify(unit))
      assert.equal(around({ [text]: long }), undefined, JSON.stringify(unit))
    }
  }
  for (const unit of ['\u00e9', '\u013c', '\u2028', '\u{1f600}', ' ', '\u007f']) {
    for (const text of [`${long}${unit}`, unit.repeat(70_000)]) {
      assert.equal(around({ text }), `{"text":"${text}"}`, JSON.stringify(unit))
      assert.equal(around({ [text]: long }), `{"${text}":"${long}"}`, JSON.stringify(unit))
    }
    // A pair is more than the look at short text can tell from half of one.
    const isPair = unit.length === 2
    assert.equal(around({ long, a: unit }), `{"long":"${long}",${isPair ? '"others":["a"]' : `"a":"${unit}"`}}`)
    assert.equal(
      around({ long, [unit]: 'a' }),
      `{"long":"${long}","${isPair ? `others":["${unit}"]` : `${unit}":"a"`}}`,
    )
  }
  assert.equal(around({ text: long.slice(1) }), undefined)
  assert.equal(around({}), undefined)
})

test('OU-01 what stands beside a long text is written elsewhere, if it is written otherwise', () => {
  for (const unit of special) {
    for (const text of [unit, `a${unit}`, `${unit}a`]) {
      assert.equal(around({ long, text }), `{"long":"${long}","others":["text"]}`, JSON.stringify(text))
      assert.equal(around({ long, [text]: 'a' }), `{"long":"${long}",${JSON.stringify({ others: [text] }).slice(1)}`)
    }
  }
  for (const member of [{}, [], new Date(), Symbol('a'), () => 'a', 1n, new String('a'), undefined]) {
    assert.equal(around({ member, long }), `{"others":["member"],"long":"${long}"}`)
  }
})

test('its near misses are what JSON.stringify makes of them', () => {
  for (const members of [
    { type: 'said', other: '', '': 'a', 'with space': '\u00e9 \u2028 \u007f' },
    { one: 1, half: -0.5, zero: -0, huge: 1e300, small: 5e-324 },
    { nothing: null, yes: true, no: false, nan: Number.NaN, infinite: Number.NEGATIVE_INFINITY, 7: 'first' },
  ]) {
    assert.equal(around({ ...members, long }), JSON.stringify({ ...members, long }))
  }
})

test('OU-01 a long text that a polluted Object.prototype has is no member', (t) => {
  Reflect.set(Object.prototype, 'polluted', long)
  t.after(() => Reflect.deleteProperty(Object.prototype, 'polluted'))
  assert.equal(encodedAs({ type: 'said' }, 'html'), '{"type":"said"}')
})

// The oracle serializes, and then encodes every string of the text that it has written.
const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}
const encoded = (text: string) => text.replace(/[&<>"']/g, (unit) => entities[unit] ?? '')
const encodedWhole = (value: unknown): unknown => {
  if (typeof value === 'string') return encoded(value)
  if (Array.isArray(value)) return value.map(encodedWhole)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [encoded(key), encodedWhole(member)]))
}

const escapeOf = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`

const unit = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('', 'a', '\u00e9', '\u013c', '\u{1f600}') },
  { weight: 1, arbitrary: fc.constantFrom('&', '<', '"', '\\', '\n', '\u0000', '\ud800', '\u2028') },
)
const text = fc.tuple(fc.constantFrom('', long, `${long}${long}`), unit).map(([most, rest]) => most + rest)
const value = fc.oneof(
  text,
  fc.integer(),
  fc.constant(null),
  fc.array(text, { maxLength: 2 }),
  fc.dictionary(text.filter(isReadBack), text),
)
const name = fc
  .oneof(fc.constantFrom('a', 'b<', '1', '__proto__', 'toJSON', 'constructor'), fc.string())
  .filter(isReadBack)

/** JSON.parse of Node 24 takes a name with an escape for another one that it saw before: what is sent is right, and reads wrong. */
function isReadBack(name: string): boolean {
  return !JSON.stringify(name).includes('\\')
}

test('OU-01 whatever is long in a message, it is what serializing and encoding make of it', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(name, value), { maxLength: 5 }), (members) => {
      const message = Object.fromEntries([['type', 'said'], ...members.filter(([key]) => key !== 'type')])
      assert.equal(encodedAs(message, 'html'), JSON.stringify(encodedWhole(message)))
      assert.equal(encodedAs(message, 'none'), JSON.stringify(message))
      // Compared as text: JSON.parse of V8 13.6 takes a name that is written `\u0026` for one that is a backslash.
      const whole = { html: JSON.stringify(encodedWhole(message)), none: JSON.stringify(message) }
      const json = whole.none.replace(/[<>&\u2028\u2029]/g, escapeOf)
      for (const [mode, expected] of [
        ['html', whole.html] as const,
        ['none', whole.none] as const,
        ['json', json] as const,
      ]) {
        const sent = encodeOutgoing(message, policy(mode))
        assert.ok('payload' in sent)
        assert.equal(String(sent.payload), expected)
        // A text that is taken for ASCII leaves with the lower byte of each unit: U+013C is `<` then.
        if (sent.length !== undefined) assert.equal(sent.length, Buffer.byteLength(expected))
      }
    }),
    { numRuns: 500 },
  )
})
