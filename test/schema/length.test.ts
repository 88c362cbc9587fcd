import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Ajv } from 'ajv'
import { countCodePoints } from '../../src/schema/length.ts'
import { copySchema } from '../../src/schema/plain-schema.ts'
import { checkValue, compilePlain } from '../../src/schema/schema.ts'
import fc from '../harness/fast-check.ts'

const plain = new Ajv({ strictTypes: false })

const limits = Array.from({ length: 8 }, (_, limit) =>
  ['maxLength', 'minLength'].map((keyword) => {
    const schema = { type: 'string', [keyword]: limit }
    const tree = compilePlain(copySchema(schema, 'x', false), 'x', false)
    return {
      schema,
      expected: plain.compile(schema),
      fits: (text: string) => checkValue(tree, text).fault === undefined,
    }
  }),
).flat()

function assertAgree(text: string): void {
  assert.equal(countCodePoints(text), [...text].length)
  for (const { schema, expected, fits } of limits)
    assert.equal(fits(text), expected(text), JSON.stringify([schema, text]))
}

test('lengths are what ajv says, for surrogate pairs and their halves too', () => {
  const unit = fc.constantFrom('a', '\u00e9', '\u20ac', '\u{1f600}', '\ud83d', '\ude00')
  fc.assert(fc.property(fc.string({ unit, maxLength: 20 }), assertAgree))
  // Just at a limit, one more, one less: in letters, in pairs, and in a mixture whose units say the one, its points the other.
  for (let count = 0; count <= 9; count++) {
    for (const text of ['a'.repeat(count), '\u{1f600}'.repeat(count), `a${'\u{1f600}'.repeat(count)}`])
      assertAgree(text)
  }
})

test('a text is read only where its units leave the question open', () => {
  const { charCodeAt } = String.prototype
  const text = 'a'.repeat(1_000)
  const readBy = (keyword: string, limit: number): number => {
    const schema = { type: 'string', [keyword]: limit }
    const tree = compilePlain(copySchema(schema, 'x', false), 'x', false)
    let read = 0
    const count = function count(this: string, at: number) {
      read += 1
      return charCodeAt.call(this, at)
    }
    const replace = (value: unknown) =>
      Object.defineProperty(String.prototype, 'charCodeAt', { configurable: true, writable: true, value })
    replace(count)
    try {
      checkValue(tree, text)
    } finally {
      replace(charCodeAt)
    }
    return read
  }
  assert.equal(readBy('maxLength', 1_000), 0)
  assert.equal(readBy('maxLength', 499), 0)
  assert.equal(readBy('minLength', 1_001), 0)
  assert.equal(readBy('minLength', 500), 0)
  assert.ok(readBy('maxLength', 999) > 0)
  assert.ok(readBy('minLength', 501) > 0)
})
