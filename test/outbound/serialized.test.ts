import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dangerouslyTrustHtml, Encoded } from '../../src/outbound/encoded.ts'
import { fillEncoded } from '../../src/outbound/fill.ts'
import { compileOutbound, type EncodeMode, encodeOutgoing } from '../../src/outbound/outbound.ts'
import { encodePiece, encodeSerialized, isSuspect } from '../../src/outbound/serialized.ts'
import fc from '../harness/fast-check.ts'

const policy = compileOutbound({
  encode: 'html',
  sends: undefined,
  path: 'secureWs',
  sanitizeHtml: (dirty) => dirty,
  warn: () => {},
})

function sent(value: unknown, mode: EncodeMode = 'html'): string {
  const outgoing = encodeOutgoing(value, policy, mode)
  assert.ok(!(outgoing instanceof Promise))
  assert.equal(outgoing.binary, false)
  return String(outgoing.payload)
}

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/** The reference: walks the value and encodes each string and key, then serializes. */
function walk(value: unknown): unknown {
  if (typeof value === 'string') return [...value].map((char) => entities[char] ?? char).join('')
  if (Encoded.is(value, 'html')) return String(value)
  if (Array.isArray(value)) return value.map(walk)
  if (typeof value !== 'object' || value === null) return value
  const copy = Object.create(null)
  for (const [key, member] of Object.entries(value)) copy[String(walk(key))] = walk(member)
  return copy
}

const hostile = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({
    unit: fc.constantFrom('<', '>', '&', '"', "'", '\\', 'u', '0', '3', 'c', 'm', 't', '{', '}', ':', ',', '\n', 'a'),
  }),
  // Every spelling that could be taken for the encoder's own marks, an escape, or a half of one.
  fc.constantFrom(
    'm<b>',
    't<b>',
    'm',
    't',
    '\\u003c',
    '\\',
    '\\\\"',
    '":"m<',
    '{}',
    '\u2028',
    '\ud800',
    '__proto__',
    'toJSON',
  ),
)
const anyValue = fc.letrec((again) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    hostile,
    fc.double(),
    fc.boolean(),
    fc.constant(null),
    fc.array(again('value'), { maxLength: 4 }),
    fc.dictionary(
      hostile.filter((key) => key !== 'toJSON'),
      again('value'),
      { maxKeys: 4 },
    ),
  ),
})).value
const withMarkup = fc.letrec((again) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    hostile,
    hostile.map(dangerouslyTrustHtml),
    fc.integer(),
    fc.array(again('value'), { maxLength: 4 }),
    fc.dictionary(
      hostile.filter((key) => key !== 'toJSON'),
      again('value'),
      { maxKeys: 4 },
    ),
  ),
})).value
const notText = (value: unknown) => typeof value !== 'string' && !Encoded.is(value)

test('OU-02 OU-07 rewriting the text equals walking the value', () => {
  fc.assert(
    fc.property(anyValue.filter(notText), (value) => {
      assert.equal(sent(value), JSON.stringify(walk(value)))
    }),
    { numRuns: 13_000 },
  )
})

test('OU-08 with markup inside, rewriting equals walking, whatever the strings imitate', () => {
  fc.assert(
    fc.property(withMarkup.filter(notText), (value) => {
      assert.equal(sent(value), JSON.stringify(walk(value)))
    }),
    { numRuns: 8_000 },
  )
})

test('the three ways to rewrite agree: jumping, filling, and piece by piece', () => {
  fc.assert(
    fc.property(fc.array(hostile, { maxLength: 40 }), (strings) => {
      const json = JSON.stringify(strings)
      const wanted = JSON.stringify(walk(strings))
      assert.equal(String(fillEncoded(json)), wanted)
      assert.equal(String(encodeSerialized(json)), wanted)
      assert.equal(encodePiece(json), wanted)
      if (!isSuspect(json)) assert.equal(json, wanted)
    }),
    { numRuns: 1_000 },
  )
})

// Compared as text: V8 13.6 reads the key "\u2028" as a single backslash if it has just seen an object with that key.
test('OU-09 in json mode nothing but the five escapes is added, and no character is left that a script could end at', () => {
  const escaped = /\\(?:u(003c|003e|0026|2028|2029)|.)/gs
  fc.assert(
    fc.property(anyValue.filter(notText), (value) => {
      const text = sent(value, 'json')
      assert.doesNotMatch(text, /[<>&\u2028\u2029]/)
      const undone = text.replace(escaped, (found, hex) =>
        hex ? String.fromCharCode(Number.parseInt(hex, 16)) : found,
      )
      assert.equal(undone, JSON.stringify(value))
    }),
    { numRuns: 1_000 },
  )
})

test('OU-09 in json mode every string is equal after JSON.parse', () => {
  fc.assert(
    fc.property(fc.array(hostile), (strings) => {
      assert.deepEqual(JSON.parse(sent(strings, 'json')), strings)
    }),
    { numRuns: 1_000 },
  )
})

// One leaf per special character: each must be seen on its own, or removing one escape would go unnoticed.
for (const [char, entity] of Object.entries(entities)) {
  test(`OU-08 ${char} alone makes a message suspect, and is encoded sparse, dense, in keys and beside markup`, () => {
    assert.equal(sent({ a: char }), `{"a":"${entity}"}`)
    assert.equal(sent({ [char]: 1 }), `{"${entity}":1}`)
    assert.equal(sent([char.repeat(500)]), `["${entity.repeat(500)}"]`)
    assert.equal(sent(['x'.repeat(5000) + char]), `["${'x'.repeat(5000)}${entity}"]`)
    assert.equal(
      sent([char, dangerouslyTrustHtml(char), { [char]: char }]),
      `["${entity}",${JSON.stringify(char)},{"${entity}":"${entity}"}]`,
    )
  })
}

test('OU-08 what is encoded already is encoded again, once: &lt; is text like any other', () => {
  assert.equal(sent({ a: '&lt;' }), '{"a":"&amp;lt;"}')
})

// {"a":"\\"} ends in an escaped backslash and a real quote; {"a":"\\\""} has an escaped quote after it.
test('pairs of backslashes before a quote', () => {
  for (let count = 0; count < 6; count += 1) {
    for (const text of ['\\'.repeat(count), `${'\\'.repeat(count)}"`, `${'\\'.repeat(count)}"<`]) {
      const wanted = JSON.stringify(walk([text, text]))
      assert.equal(sent([text, text]), wanted)
      assert.equal(String(fillEncoded(JSON.stringify([text, text]))), wanted)
      assert.equal(sent([text, text, dangerouslyTrustHtml('<')]), `${wanted.slice(0, -1)},"<"]`)
    }
  }
})

// A field forwarded with JSON.rawJSON keeps the sender's spelling: "\u003cimg onerror=...>" has no < to find.
test('JSON.rawJSON cannot smuggle a character past the encoder by spelling it out', () => {
  const rawJson: unknown = 'rawJSON' in JSON ? JSON.rawJSON : undefined
  assert.ok(typeof rawJson === 'function')
  const spellings = {
    '\\u003c': '&lt;',
    '\\u003C': '&lt;',
    '\\u003e': '&gt;',
    '\\u0026': '&amp;',
    '\\u0027': '&#39;',
    '\\u0022': '&quot;',
  }
  for (const [spelling, entity] of Object.entries(spellings)) {
    const raw: unknown = rawJson(`"${spelling}"`)
    assert.equal(sent({ raw }), `{"raw":"${entity}"}`)
    assert.equal(sent({ raw: rawJson(`"${spelling.repeat(300)}"`) }), `{"raw":"${entity.repeat(300)}"}`)
    assert.equal(sent({ raw, markup: dangerouslyTrustHtml('<b>') }), `{"raw":"${entity}","markup":"<b>"}`)
    assert.equal(
      sent({ raw: rawJson(`"m${spelling}"`), markup: dangerouslyTrustHtml('') }),
      `{"raw":"m${entity}","markup":""}`,
    )
  }
  assert.equal(sent({ raw: rawJson('1e999'), markup: dangerouslyTrustHtml('<') }), '{"raw":1e999,"markup":"<"}')
  // Near misses: the same six characters as text, and other escapes.
  assert.equal(sent({ a: '\\u003c' }), '{"a":"\\\\u003c"}')
  assert.equal(sent({ a: '\u0003c' }), '{"a":"\\u0003c"}')
  assert.equal(
    String(fillEncoded('["\\u0003c\\u0041\\u003d\\u013c\\u103c"]')),
    '["\\u0003c\\u0041\\u003d\\u013c\\u103c"]',
  )
})

test('OU-15 64 KB of < grows to four times its size, larger than the buffer that is kept', () => {
  assert.equal(sent(['<'.repeat(65_536)]), `["${'&lt;'.repeat(65_536)}"]`)
  assert.equal(sent(["'".repeat(65_536)]), `["${'&#39;'.repeat(65_536)}"]`)
})

test('dense text may hold any character of two, three or four bytes', () => {
  const text = '<\u00e9\u20ac\u{1f600}&'.repeat(200)
  assert.equal(sent([text]), JSON.stringify(walk([text])))
})

test('filling twice gives two buffers that do not share bytes', () => {
  const one = fillEncoded('["<<<<"]')
  fillEncoded('[">>>>"]')
  assert.equal(String(one), '["&lt;&lt;&lt;&lt;"]')
})

// Two ways to the same text: which one is taken must follow how much there is to encode, or one of them is only slow.
test('bytes are filled from eight in five hundred characters on, and nothing else', () => {
  const text = (count: number, gap: number) => JSON.stringify(`${'x'.repeat(gap - 1)}<`.repeat(count))
  const isFilled = (json: string) => Buffer.isBuffer(encodeSerialized(json))
  assert.equal(isFilled(text(7, 1)), false)
  assert.equal(isFilled(text(8, 1)), true)
  assert.equal(isFilled(text(8, 60)), true)
  assert.equal(isFilled(text(8, 64)), false)
  // The eighth ends at 512 characters, and then at 511.
  assert.equal(isFilled(`"${text(8, 64).slice(2)}`), false)
  assert.equal(isFilled(`"${text(8, 64).slice(3)}`), true)
  assert.equal(isFilled(text(800, 100)), false)
  // Sparse at first, dense later.
  assert.equal(isFilled(text(8, 100).slice(0, -1) + text(2_000, 1).slice(1)), true)
})

test('clean JSON is not looked at twice', () => {
  assert.equal(isSuspect('{"type":"said","text":"nothing to see","list":[1,true,null]}'), false)
  for (const suspect of ['"<"', '">"', '"&"', `"'"`, '"\\""', '"\\u003c"', '{}']) assert.equal(isSuspect(suspect), true)
})
