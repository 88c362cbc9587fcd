import type { Random } from '../harness/random.ts'

export type Schema = { readonly [keyword: string]: unknown }

/** Few names, so that branches speak of the same ones; two that every object inherits. */
const names = ['a', 'b', 'kind', 'label', 'n1', 'toString', 'constructor'] as const
const patterns = ['^n', '^[ab]$', 'l'] as const
const definitions = ['One', 'Two', 'Three'] as const

/** A schema for messages, with everything in it that says something of the same value twice. */
export function randomSchema(random: Random): Schema {
  const $defs = Object.fromEntries(definitions.map((name) => [name, objectSchema(random, 2)]))
  return { ...compositeObject(random, 3), $defs }
}

function anySchema(random: Random, depth: number): Schema | boolean {
  if (depth <= 0) return scalar(random)
  switch (random.below(9)) {
    case 0:
    case 1:
      return scalar(random)
    case 2:
      return { type: 'array', items: anySchema(random, depth - 1), ...(random.chance(0.2) ? { maxItems: 2 } : {}) }
    case 3:
      return { $ref: `#/$defs/${random.pick(definitions)}` }
    case 4:
      return { anyOf: branches(random, depth, () => anySchema(random, depth - 1)) }
    case 5:
      return random.pick([{}, true, { type: 'object' }])
    default:
      return compositeObject(random, depth)
  }
}

function scalar(random: Random): Schema {
  return random.pick<Schema>([
    { type: 'string' },
    { type: 'string', maxLength: 1 },
    { type: 'string', pattern: '^x' },
    { type: 'number' },
    { type: 'integer', minimum: 1 },
    { type: 'boolean' },
    { type: 'null' },
    { type: ['string', 'null'] },
    { const: 'x' },
    { enum: ['x', 1, null] },
  ])
}

function branches(random: Random, _depth: number, make: () => unknown): unknown[] {
  return random.shuffled(Array.from({ length: 1 + random.below(3) }, make))
}

function objectSchema(random: Random, depth: number): Schema {
  const properties = Object.fromEntries(
    random.some(names, 0.35).map((name) => [name, name === 'kind' ? tag(random) : anySchema(random, depth - 1)]),
  )
  return {
    type: 'object',
    properties,
    ...(random.chance(0.4) ? { required: random.some(names, 0.2) } : {}),
    ...(random.chance(0.2) ? { patternProperties: { [random.pick(patterns)]: anySchema(random, depth - 1) } } : {}),
    ...(random.chance(0.15)
      ? { additionalProperties: random.pick<unknown>([true, false, scalar(random), anySchema(random, depth - 1)]) }
      : {}),
    ...(random.chance(0.05) ? { maxProperties: 2 } : {}),
  }
}

function tag(random: Random): Schema {
  return random.pick<Schema>([{ const: 'x' }, { const: 'y' }, { enum: ['x', 'z'] }, { type: 'string' }])
}

function record(random: Random): Schema {
  return { type: 'object', additionalProperties: random.pick<unknown>([{ type: 'number' }, { type: 'string' }, {}]) }
}

/** An object said in one of the ways that composes. */
function compositeObject(random: Random, depth: number): Schema {
  const part = (): Schema =>
    random.chance(0.2)
      ? record(random)
      : random.chance(0.15)
        ? { $ref: `#/$defs/${random.pick(definitions)}` }
        : depth > 1 && random.chance(0.3)
          ? compositeObject(random, depth - 1)
          : objectSchema(random, depth - 1)
  const own = random.chance(0.5) ? objectSchema(random, depth - 1) : { type: 'object' }
  switch (random.below(8)) {
    case 0:
      return objectSchema(random, depth)
    case 1:
      return { ...own, anyOf: branches(random, depth, part) }
    case 2:
      return { ...own, oneOf: branches(random, depth, part) }
    case 3:
      return { ...own, allOf: branches(random, depth, part) }
    case 4:
      return {
        ...own,
        if: random.pick<Schema>([
          { required: ['a'] },
          { properties: { kind: { const: 'x' } } },
          objectSchema(random, 1),
        ]),
        ...(random.chance(0.8) ? { ['then' as string]: part() } : {}),
        ...(random.chance(0.6) ? { else: part() } : {}),
      }
    case 5:
      return { ...own, dependentSchemas: Object.fromEntries(random.some(names, 0.3).map((name) => [name, part()])) }
    case 6:
      return {
        ...own,
        ...(random.chance(0.5) ? { not: objectSchema(random, 1) } : {}),
        anyOf: branches(random, depth, part),
      }
    default:
      return { ...own, allOf: [part(), { anyOf: branches(random, depth, part) }] }
  }
}

/** A value that has a chance to fit, and now and then a member too many. */
export function randomValue(random: Random, schema: unknown, root: Schema, depth = 0): unknown {
  if (typeof schema !== 'object' || schema === null || depth > 6) return leaf(random)
  const { type, properties, items, $ref, anyOf, oneOf, allOf } = schema as { [keyword: string]: unknown }
  if ('const' in schema) return schema.const
  if ('enum' in schema && Array.isArray(schema.enum)) return random.pick(schema.enum)
  if (typeof $ref === 'string')
    return randomValue(random, Reflect.get(Object(root.$defs), $ref.slice(8)), root, depth + 1)
  if (type === 'array') {
    return Array.from({ length: random.below(3) }, () => randomValue(random, items, root, depth + 1))
  }
  if (Array.isArray(anyOf) && type === undefined) return randomValue(random, random.pick(anyOf), root, depth + 1)
  if (type !== 'object') return type === undefined ? leaf(random) : ofType(random, random.pick([type].flat()))
  const value: Record<string, unknown> = {}
  const add = (more: unknown) => {
    if (typeof more === 'object' && more !== null && !Array.isArray(more)) {
      for (const [name, member] of Object.entries(more)) define(value, name, member)
    }
  }
  for (const [name, member] of Object.entries(Object(properties))) {
    if (random.chance(0.75)) define(value, name, randomValue(random, member, root, depth + 1))
  }
  for (const union of [anyOf, oneOf])
    if (Array.isArray(union)) add(randomValue(random, random.pick(union), root, depth + 1))
  if (Array.isArray(allOf)) for (const part of allOf) add(randomValue(random, part, root, depth + 1))
  for (const keyword of ['then', 'else', 'additionalProperties']) {
    if (!(keyword in schema) || !random.chance(0.4)) continue
    const each = randomValue(random, Reflect.get(schema, keyword), root, depth + 1)
    if (keyword === 'additionalProperties') define(value, random.pick(names), each)
    else add(each)
  }
  if (random.chance(0.12)) define(value, random.pick([...names, 'isAdmin']), leaf(random))
  return value
}

function define(value: object, name: string, member: unknown): void {
  Object.defineProperty(value, name, { value: member, enumerable: true, configurable: true, writable: true })
}

function ofType(random: Random, type: unknown): unknown {
  switch (type) {
    case 'string':
      return random.pick(['x', 'xy', 'y', ''])
    case 'number':
    case 'integer':
      return random.pick([0, 1, 2, 1.5])
    case 'boolean':
      return random.chance(0.5)
    default:
      return null
  }
}

function leaf(random: Random): unknown {
  return random.pick<unknown>(['x', 'y', 1, 0, null, true, {}, [], { a: 1 }, { kind: 'x' }])
}
