import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Ajv } from 'ajv'
import fc from 'fast-check'
import { countLengthsQuickly } from '../../src/outbound/length.ts'

const plain = new Ajv()
const quick = new Ajv()
countLengthsQuickly(quick)

test('lengths are what ajv says, for surrogate pairs and their halves too', () => {
  const unit = fc.constantFrom('a', '\u00e9', '\u20ac', '\u{1f600}', '\ud83d', '\ude00')
  const limits = Array.from({ length: 8 }, (_, limit) =>
    ['maxLength', 'minLength'].map((keyword) => {
      const schema = { type: 'string', [keyword]: limit }
      return { schema, expected: plain.compile(schema), actual: quick.compile(schema) }
    }),
  ).flat()
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 20 }), (text) => {
      for (const { schema, expected, actual } of limits) {
        assert.equal(actual(text), expected(text), JSON.stringify([schema, text]))
        assert.equal(actual.errors?.[0]?.message, expected.errors?.[0]?.message)
      }
    }),
  )
})
