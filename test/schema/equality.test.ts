import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { isMultipleOf } from '../../src/schema/multiple-of.ts'
import { areUnique } from '../../src/schema/unique-items.ts'
import fc from '../harness/fast-check.ts'

test('MS-07 two equal names are not unique, whatever every object inherits under them', () => {
  for (const name of ['__proto__', 'constructor', 'toString', 'a']) {
    assert.equal(areUnique([name, name]), false, name)
    assert.equal(areUnique([name, `${name}x`]), true, name)
  }
})

test('items are equal as JSON has it', () => {
  const equal: [unknown, unknown][] = [
    [
      { a: 1, b: 2 },
      { b: 2, a: 1 },
    ],
    [0, -0],
    [JSON.parse('{"__proto__":1}'), JSON.parse('{"__proto__":1}')],
  ]
  const different: [unknown, unknown][] = [
    [1, '1'],
    [1, true],
    [null, 'null'],
    [{ a: 1 }, '{"a":1}'],
    [{ a: 1 }, 's{"a":1}'],
    [
      [1, 2],
      [2, 1],
    ],
    [JSON.parse('{"__proto__":1}'), {}],
  ]
  for (const pair of equal) assert.equal(areUnique(pair), false, JSON.stringify(pair))
  for (const pair of different) assert.equal(areUnique(pair), true, JSON.stringify(pair))
})

test('any list is judged as pair by pair would judge it', () => {
  const item = fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.parse(JSON.stringify(value).replaceAll('-0', '0')))
  fc.assert(
    fc.property(fc.array(item, { maxLength: 6 }), (items) => {
      const twice = items.some((one, at) => items.some((other, where) => where > at && isDeepStrictEqual(one, other)))
      assert.equal(areUnique(items), !twice)
    }),
  )
})

test('a multiple is one of the decimals that were written', () => {
  const multiples: [number, number][] = [
    [0.3, 0.1],
    [1.1, 0.1],
    [4.35, 0.01],
    [19.99, 0.01],
    [1e21, 0.1],
    [-0.7, 0.1],
    [0, 0.1],
    [6, 3],
  ]
  const others: [number, number][] = [
    [0.35, 0.1],
    [0.30000000000000004, 0.1],
    [4.351, 0.01],
    [7, 3],
    [1, 1e300],
    [5e-324, 1],
  ]
  for (const [value, step] of multiples) assert.equal(isMultipleOf(value, step), true, `${value} / ${step}`)
  for (const [value, step] of others) assert.equal(isMultipleOf(value, step), false, `${value} / ${step}`)
  assert.equal(isMultipleOf(5e-324, 5e-324), true)
  assert.equal(isMultipleOf(Number.MAX_VALUE, 5e-324), true, 'the widest pair there is')
})
