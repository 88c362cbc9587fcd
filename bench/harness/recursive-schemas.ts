import type { Random } from '../../test/harness/random.ts'

type Schema = { readonly [keyword: string]: unknown }

const names = ['a', 'b', 'c', 'kind', 'n1', 'n2'] as const
const definitions = ['One', 'Two', 'Three', 'Four'] as const

/** A schema in which everything may hold everything, in several ways at once: what doubles with each level does so here. */
export function manySidedSchema(random: Random): Schema {
  const $defs = Object.fromEntries(definitions.map((name) => [name, union(random)]))
  const list = { type: 'array', items: anywhere(random) }
  return { type: 'object', properties: { list }, additionalProperties: anywhere(random), $defs }
}

function anywhere(random: Random): Schema {
  return { $ref: `#/$defs/${random.pick(definitions)}` }
}

function union(random: Random): Schema {
  const branches = Array.from({ length: 1 + random.below(6) }, () => container(random))
  const leaves = random.shuffled([{ type: 'string', maxLength: 4_096 }, { type: 'number' }, { type: 'boolean' }])
  return { [random.pick(['anyOf', 'anyOf', 'oneOf'])]: random.shuffled([...branches, ...leaves]) }
}

function container(random: Random): Schema {
  const properties = () =>
    Object.fromEntries(random.some(names, 0.5).map((name) => [name, name === 'kind' ? {} : anywhere(random)]))
  const tagged = random.chance(0.3)
    ? { properties: { ...properties(), kind: { const: random.pick(['x', 'y', 'z']) } }, required: ['kind'] }
    : { properties: properties() }
  const object = { type: 'object', ...tagged }
  switch (random.below(9)) {
    case 0:
      return { type: 'array', items: anywhere(random) }
    case 1:
      return { type: 'object', additionalProperties: anywhere(random) }
    case 2:
      return { type: 'object', patternProperties: { '^n': anywhere(random), '^[ab]$': anywhere(random) } }
    case 3:
      return { allOf: [object, { type: 'object', properties: properties() }] }
    case 4:
      return {
        ...object,
        if: { properties: { kind: { const: 'x' } } },
        ['then' as string]: { properties: properties() },
      }
    case 5:
      return { ...object, dependentSchemas: { a: { properties: properties() } } }
    case 6:
      return { ...object, not: { required: ['c'], properties: { c: anywhere(random) } } }
    case 7:
      return { ...object, unevaluatedProperties: anywhere(random) }
    default:
      return object
  }
}

/**
 * A message of about so many bytes, deep or wide: a list, or a record, of values that are taken by themselves, and now and then one
 * that is not.
 *
 * @param isTaken of a message
 */
export function randomMessage(
  random: Random,
  schema: Schema,
  bytes: number,
  isTaken: (message: object) => boolean,
): object {
  const depth = 2 + random.below(27)
  const most = random.pick([1, 64, 1_024])
  const inList = random.chance(0.5)
  const garbage = random.pick([0, 0, 0, 0.01])
  const list: unknown[] = []
  let left = bytes
  for (let tries = 0; left > 0 && tries < 4_000; tries++) {
    const from = Reflect.get(schema, 'additionalProperties')
    const value = random.chance(garbage)
      ? { undeclared: 1 }
      : valueFor(random, from, schema, { depth, left: Math.min(left, most) })
    if (!isTaken(inList ? { list: [value] } : { m: value }) && !random.chance(garbage)) continue
    list.push(value)
    left -= JSON.stringify(value).length + 1
  }
  return inList ? { list } : Object.fromEntries(list.map((value, index) => [`m${index}`, value]))
}

interface Room {
  readonly depth: number
  left: number
}

function valueFor(random: Random, schema: unknown, root: Schema, room: Room): unknown {
  const { $ref, anyOf, oneOf, allOf, items, properties, ...own } = Object(schema)
  if ($ref !== undefined) return valueFor(random, Reflect.get(Object(root.$defs), $ref.slice(8)), root, room)
  room.left -= 4
  const union: readonly unknown[] | undefined = anyOf ?? oneOf
  const below: Room = room.depth > 0 ? room : { depth: 0, left: 0 }
  const deeper = (part: unknown) => {
    const inside = { depth: below.depth - 1, left: below.left }
    const value = valueFor(random, part, root, inside)
    room.left = inside.left
    return value
  }
  if (union !== undefined) {
    const isLeaf = (branch: unknown) => ['string', 'number', 'boolean'].includes(Object(branch).type)
    const ends = room.depth <= 0 || room.left <= 0
    return valueFor(random, random.pick(union.filter((branch) => isLeaf(branch) === ends)), root, room)
  }
  if (own.const !== undefined) return own.const
  if (own.type === 'string') return random.chance(0.2) ? 'x'.repeat(random.below(400)) : 'x'
  if (own.type === 'number') return random.below(100)
  if (own.type === 'boolean') return true
  if (own.type === 'array') return Array.from({ length: 1 + random.below(4) }, () => deeper(items))
  if (allOf !== undefined) {
    return Object.assign({}, ...allOf.map((part: unknown) => valueFor(random, part, root, room)))
  }
  const value: Record<string, unknown> = {}
  for (const [name, part] of Object.entries(Object(properties))) {
    if (own.required?.includes(name) || random.chance(0.6))
      value[name] = name === 'kind' ? tag(random, part) : deeper(part)
  }
  const others = own.additionalProperties ?? own.unevaluatedProperties ?? own.patternProperties?.['^n']
  if (others !== undefined) {
    for (let count = random.below(3); count > 0; count--) value[`n${random.below(1_000)}`] = deeper(others)
  }
  return value
}

function tag(random: Random, schema: unknown): unknown {
  return Object(schema).const ?? random.pick(['x', 'y', 'z'])
}
