import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Ajv } from 'ajv'
import fc from 'fast-check'
import { countLengthsQuickly } from '../../src/schema/length.ts'

const plain = new Ajv({ strictTypes: false })
const quick = new Ajv({ strictTypes: false })
countLengthsQuickly(quick)

const limits = Array.from({ length: 8 }, (_, limit) =>
  ['maxLength', 'minLength'].map((keyword) => {
    const schema = { [keyword]: limit }
    return { schema, expected: plain.compile(schema), actual: quick.compile(schema) }
  }),
).flat()

function assertAgree(value: unknown): void {
  for (const { schema, expected, actual } of limits) {
    assert.equal(actual(value), expected(value), JSON.stringify([schema, value]))
    assert.equal(actual.errors?.[0]?.message, expected.errors?.[0]?.message)
  }
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

test('what is not text has no length, and a limit that is no number does not compile', () => {
  for (const value of [null, true, 3, [], [1, 2, 3], ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'], {}, { length: 3 }]) {
    assertAgree(value)
  }
  for (const limit of ['3', -1, 1.5, null]) {
    for (const ajv of [plain, quick]) {
      assert.throws(() => ajv.compile({ maxLength: limit }), /maxLength/)
      assert.throws(() => ajv.compile({ minLength: limit }), /minLength/)
    }
  }
})

test('a text is read only where its units leave the question open, and no further than it has to be', () => {
  const iterate = String.prototype[Symbol.iterator]
  const { charCodeAt } = String.prototype
  const text = 'a'.repeat(1_000)
  const replace = (key: PropertyKey, value: unknown) =>
    Object.defineProperty(String.prototype, key, { configurable: true, writable: true, value })
  const readBy = (keyword: string, limit: number): number => {
    const validate = quick.compile({ [keyword]: limit })
    let read = 0
    replace('charCodeAt', function count(this: string, at: number) {
      read += 1
      return charCodeAt.call(this, at)
    })
    replace(Symbol.iterator, function* count(this: string) {
      for (const point of { [Symbol.iterator]: () => iterate.call(this) }) {
        read += 1
        yield point
      }
    })
    try {
      validate(text)
    } finally {
      replace('charCodeAt', charCodeAt)
      replace(Symbol.iterator, iterate)
    }
    return read
  }
  assert.equal(readBy('maxLength', 1_000), 0)
  assert.equal(readBy('minLength', 1_001), 0)
  assert.equal(readBy('maxLength', 3), 5)
  assert.equal(readBy('minLength', 3), 4)
})
