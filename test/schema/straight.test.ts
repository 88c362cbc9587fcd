import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isDeclared } from '../../src/schema/account.ts'
import { compileTree } from '../../src/schema/compile.ts'
import { holds } from '../../src/schema/holds.ts'
import { copySchema } from '../../src/schema/plain-schema.ts'
import { type CheckedSchema, checkValue } from '../../src/schema/schema.ts'
import { isFine, straighten } from '../../src/schema/straight.ts'
import { Work } from '../../src/schema/work.ts'
import { Random } from '../harness/random.ts'
import { randomSchema, randomValue, type Schema } from './random-schemas.ts'
import { node, object } from './recursive-schemas.ts'

const names = ['a', 'b', 'kind', 'n1', 'toString', 'constructor'] as const

/** Schemas of the sort that most are: each value has one opinion of it, and now and then a part that has several. */
function plainSchema(random: Random, depth: number): Schema {
  if (depth <= 0) return random.pick(scalars)
  const below = () => plainSchema(random, depth - 1)
  switch (random.below(13)) {
    case 0:
      return { type: 'array', items: below(), ...(random.chance(0.3) ? { minItems: 1, maxItems: 2 } : {}) }
    case 1:
      return { type: 'array', items: [below(), below()], additionalItems: random.pick([false, { type: 'string' }]) }
    case 2:
      return { type: 'object', additionalProperties: below() }
    case 3:
      return { type: 'object', patternProperties: { '^[an]': below() } }
    case 4:
      return {
        [random.pick(['anyOf', 'oneOf'])]: random.shuffled([
          tagged(random, ['x'], depth),
          tagged(random, ['y', 1], depth),
          { type: 'array', items: below() },
          random.pick(scalars),
          { type: 'null' },
        ]),
      }
    case 5:
      return { [random.pick(['anyOf', 'oneOf'])]: random.shuffled([random.pick(scalars), random.pick(scalars)]) }
    case 6:
      return { anyOf: [{ const: 'x' }, { const: 'y' }, { type: 'string', enum: ['x', 'z'] }] }
    case 7:
      return { $ref: '#/$defs/again' }
    case 8:
      // Nobody can tell them apart.
      return { anyOf: [members(random, depth), members(random, depth)] }
    case 9:
      // Closed by its type, and open by its branch.
      return { type: 'object', anyOf: [{ required: ['a'] }] }
    case 10:
      return { type: 'object', patternProperties: { '^[an]': below(), '^n': below() } }
    default:
      return members(random, depth)
  }
}

const scalars: readonly Schema[] = [
  { type: 'string', minLength: 1, maxLength: 2 },
  { type: 'string', pattern: '^x' },
  { type: 'string', format: 'uuid' },
  { type: ['string', 'null'], maxLength: 1 },
  { type: 'string', nullable: true },
  { type: 'number', minimum: 1, maximum: 2 },
  { type: 'number', exclusiveMinimum: 0, exclusiveMaximum: 2, multipleOf: 0.5 },
  { type: ['integer', 'boolean'] },
  { type: 'boolean' },
  { type: 'object' },
  { type: 'array' },
  { enum: ['x', 1, null] },
  { type: 'string', enum: ['x', 'xyz'], maxLength: 1 },
  {},
]

function members(random: Random, depth: number): Schema {
  const properties = Object.fromEntries(random.some(names, 0.5).map((name) => [name, plainSchema(random, depth - 1)]))
  return {
    type: 'object',
    properties,
    required: random.some(names, 0.15),
    ...(random.chance(0.2) ? { additionalProperties: random.pick<unknown>([false, true, { type: 'number' }]) } : {}),
    ...(random.chance(0.1) ? { minProperties: 1, maxProperties: 2 } : {}),
  }
}

function tagged(random: Random, values: readonly unknown[], depth: number): Schema {
  const { properties, ...rest } = members(random, depth)
  return { ...rest, properties: { ...Object(properties), kind: { enum: values } }, required: ['kind'] }
}

/** Members in another order, one of another kind, one gone. */
function mutated(random: Random, value: unknown): unknown {
  if (typeof value !== 'object' || value === null) {
    return random.chance(0.1)
      ? random.pick<unknown>(['x', '\u{1f600}\u{1f600}', 1.5, 3, -1, false, null, [], { a: 1 }, { n1: 'x' }])
      : value
  }
  if (Array.isArray(value)) return value.map((item) => mutated(random, item))
  const entries = Object.entries(value).filter(() => random.chance(0.95))
  return Object.fromEntries(random.shuffled(entries).map(([name, member]) => [name, mutated(random, member)]))
}

/** As `compilePlain` does, without what Ajv says of it, which takes most of the time. */
function compiled(schema: object): CheckedSchema {
  const tree = compileTree(copySchema(schema, 'schema', false), 'schema', false)
  return { ...tree, straight: straighten(tree.root) }
}

describe('a schema with one opinion of each value', () => {
  it('says of every value what its tree says', () => {
    const random = new Random(14)
    const counts = { straight: 0, yes: 0, no: 0 }
    for (let each = 0; each < 1_000; each++) {
      const depth = 1 + random.below(3)
      const schema = random.chance(0.1)
        ? randomSchema(random)
        : { ...members(random, depth), $defs: { again: members(random, 1) } }
      let tree: ReturnType<typeof compiled>
      try {
        tree = compiled(schema)
      } catch {
        continue
      }
      const { root, straight } = tree
      if (straight === undefined) continue
      counts.straight++
      for (let value = 0; value < 10; value++) {
        const message = mutated(random, randomValue(random, schema, schema))
        const work = new Work(message, false)
        const expected = holds(root, message, work) && isDeclared(message, [root], work)
        assert.equal(isFine(straight, message, new Work(message, false)), expected, JSON.stringify({ schema, message }))
        counts[expected ? 'yes' : 'no']++
      }
    }
    assert.ok(counts.straight > 500 && counts.yes > 1_000 && counts.no > 1_000, JSON.stringify(counts))
  })

  it('has a reason for a no, which is the reason of its tree', () => {
    const schema = object({ l: { type: 'array', items: object({ n: { type: 'integer' } }, { required: ['n'] }) } })
    const { fault } = checkValue(compiled(schema), { l: [{ n: 1 }, { n: 1.5 }] })
    assert.deepEqual([fault?.keyword, fault?.place], ['type', ['l', 1, 'n']])
  })

  it('takes members in every order', () => {
    const { straight } = compiled(object({ a: { type: 'string' }, b: { type: 'number' }, c: { type: 'null' } }))
    assert.ok(straight !== undefined)
    for (const value of [{ c: null, b: 1, a: 'x' }, { b: 1, a: 'x' }, { c: null }, {}, { a: 'x', c: null }]) {
      assert.equal(isFine(straight, value, new Work(value, false)), true, JSON.stringify(value))
    }
    assert.equal(isFine(straight, { a: 'x', b: 'x' }, new Work({}, false)), false)
  })

  // Attack: a polluted Object.prototype gives every message a member that it does not have.
  it('counts no inherited member', () => {
    const { straight } = compiled(object({ a: { type: 'string' } }, { required: ['a'] }))
    const { straight: union } = compiled(
      object({ u: { anyOf: ['x', 'y'].map((kind) => object({ kind: { const: kind } }, { required: ['kind'] })) } }),
    )
    assert.ok(straight !== undefined && union !== undefined)
    for (const enumerable of [true, false]) {
      for (const [name, value] of Object.entries({ a: 'x', kind: 'x' })) {
        Object.defineProperty(Object.prototype, name, { value, enumerable, configurable: true })
      }
      try {
        assert.equal(isFine(straight, {}, new Work({}, false)), false)
        assert.equal(isFine(straight, { a: 'y' }, new Work({}, false)), true)
        assert.equal(isFine(union, { u: {} }, new Work({}, false)), false)
      } finally {
        for (const name of ['a', 'kind']) Reflect.deleteProperty(Object.prototype, name)
      }
    }
    assert.equal(isFine(union, { u: { kind: 'x' } }, new Work({}, false)), true)
  })

  it('is not what two patterns are, or patterns beside properties: a name may match both', () => {
    const record = (patterns: string[], properties: object = {}) =>
      compiled({ ...object(properties), patternProperties: Object.fromEntries(patterns.map((each) => [each, {}])) })
    assert.ok(record(['^a']).straight !== undefined)
    assert.equal(record(['^a', '^n']).straight, undefined)
    assert.equal(record(['^a'], { a: {} }).straight, undefined)
  })

  it('is left where a part has several, and the budget holds for that part', () => {
    const untagged = Array.from({ length: 200 }, (_, n) =>
      object({ [`n${n}`]: { type: 'number' } }, { required: [`n${n}`] }),
    )
    const schema = object({ plain: object({ a: node }), l: { type: 'array', items: { anyOf: untagged } } })
    const tree = compiled({ ...schema, $defs: { node: { type: 'string' } } })
    assert.ok(tree.straight !== undefined)
    assert.equal(checkValue(tree, { plain: { a: 'x' }, l: [{ n7: 1 }] }).fault, undefined)
    const { fault, visits } = checkValue(tree, { l: Array.from({ length: 16_000 }, () => ({ n199: 1 })) })
    assert.equal(fault?.keyword, 'too much work')
    assert.ok(visits < 12 * 11 * 16_001, `${visits}`)
  })
})
