import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sanitizeMessage } from '../../src/inbound/cleaning.ts'
import { compileSchema } from '../../src/inbound/schema.ts'
import { compileOutbound, encodeOutgoing } from '../../src/outbound/outbound.ts'
import { Random } from '../harness/random.ts'

// `npm run fuzz:cleaning` says a larger number; another seed may stand behind it.
const [count, seed] = [Number(process.argv[2] ?? 1_000), Number(process.argv[3] ?? 4)]

type Schema = { readonly [keyword: string]: unknown }

const markup = { type: 'string', contentMediaType: 'text/html' }
const text = { type: 'string' }

/** Strings are named a and b, objects o, lists l: parts of an intersection may clean the same member, and never want another kind. */
function part(random: Random, depth: number): Schema {
  const leaf = () => random.pick<unknown>([markup, text, text, true])
  const named: [string, unknown][] = random.some(['a', 'b'], 0.5).map((name) => [name, leaf()])
  if (depth > 0 && random.chance(0.5))
    named.push(['o', random.chance(0.3) ? { $ref: '#/$defs/O' } : composed(random, depth - 1)])
  if (random.chance(0.5)) {
    const list = { type: 'array', items: leaf() }
    const tuple = { type: 'array', items: [leaf(), leaf()], additionalItems: leaf() }
    named.push(['l', random.pick<unknown>([list, tuple])])
  }
  return {
    type: 'object',
    properties: Object.fromEntries(named),
    ...(random.chance(0.3) ? { patternProperties: { [random.pick(['^[ac]$', 'b'])]: leaf() } } : {}),
    ...(random.chance(0.4) ? { additionalProperties: leaf() } : {}),
  }
}

function composed(random: Random, depth: number): Schema {
  const one = part(random, depth)
  if (random.chance(0.3)) return one
  const more = Array.from({ length: 1 + random.below(2) }, () => part(random, depth))
  return random.chance(0.5) ? { ...one, allOf: more } : { allOf: random.shuffled([one, ...more]) }
}

function randomValue(random: Random, depth: number): object {
  const texts = (): string[] => Array.from({ length: random.below(4) }, () => 't')
  return {
    ...Object.fromEntries(random.some(['a', 'b', 'c'], 0.5).map((name) => [name, 't'])),
    ...(depth > 0 && random.chance(0.4) ? { o: randomValue(random, depth - 1) } : {}),
    ...(random.chance(0.4) ? { l: texts() } : {}),
  }
}

/** The value with each text cleaned that any schema about it wants cleaned: schema by schema, as JSON Schema has it. */
function expected(value: unknown, schemas: readonly unknown[], root: Schema): unknown {
  const all = schemas.flatMap((schema) => inPlace(schema, root))
  if (typeof value === 'string')
    return all.some(({ contentMediaType }) => contentMediaType !== undefined) ? `[${value}]` : value
  if (Array.isArray(value)) {
    return value.map((item, index) => {
      const below = all.flatMap(({ items, additionalItems }) =>
        Array.isArray(items) ? [index < items.length ? items[index] : additionalItems] : [items],
      )
      return expected(item, below, root)
    })
  }
  return Object.fromEntries(
    Object.entries(Object(value)).map(([name, member]) => {
      const below = all.flatMap(({ properties = {}, patternProperties = {}, additionalProperties }) => {
        const said = Object.entries(Object(patternProperties)).flatMap(([pattern, each]) =>
          new RegExp(pattern).test(name) ? [each] : [],
        )
        if (Object.hasOwn(Object(properties), name)) said.push(Reflect.get(Object(properties), name))
        return said.length > 0 ? said : [additionalProperties]
      })
      return [name, expected(member, below, root)]
    }),
  )
}

function inPlace(schema: unknown, root: Schema): Schema[] {
  if (typeof schema !== 'object' || schema === null) return []
  const own = schema as Schema
  const same = [
    ...(Array.isArray(own.allOf) ? own.allOf : []),
    ...(own.$ref === undefined ? [] : [Object(root.$defs).O]),
  ]
  return [own, ...same.flatMap((each) => inPlace(each, root))]
}

// A part that names a member, and another that cleans all others: to the second, the member is one of them.
test('a text is cleaned when any schema about it wants it, on both ways, whatever the others say', async () => {
  const random = new Random(seed)
  let [taken, cleanedTexts] = [0, 0]
  for (let each = 0; each < count; each++) {
    const schema = { ...composed(random, 2), $defs: { O: part(random, 0) } } as Schema
    // A definition that nobody refers to and that would be cleaned is refused.
    if (!JSON.stringify(schema).includes('$ref')) continue
    const compiled = compileSchema(schema, [], 'schema')
    const policy = compileOutbound({
      encode: 'none',
      sends: { m: { schema } },
      path: 'secureWs',
      sanitizeHtml: (dirty) => `[${dirty}]`,
      warn: assert.fail,
    })
    for (let tries = 0; tries < 4; tries++) {
      const value = randomValue(random, 2)
      const message = structuredClone(value)
      if (compiled.refuse(message) !== undefined) continue
      taken++
      const right = expected(value, [schema], schema)
      const told = JSON.stringify({ schema, value })
      const outcome = await sanitizeMessage(message, compiled, (dirty) => `[${dirty}]`)
      assert.equal(outcome, undefined)
      assert.deepEqual(message, right, told)
      const outgoing = encodeOutgoing({ type: 'm', ...value }, policy)
      assert.ok(!(outgoing instanceof Promise))
      const { type: _, ...sent } = JSON.parse(String(outgoing.payload))
      assert.deepEqual(sent, right, told)
      cleanedTexts += JSON.stringify(right).split('[t]').length - 1
    }
  }
  assert.ok(taken > count / 4 && cleanedTexts > count / 8, `${taken} taken, ${cleanedTexts} texts cleaned`)
})

test('what cleans all other members cleans one that only another part names', async () => {
  const strip = { type: 'string', sanitize: ['strip-tags'] }
  const named = { type: 'object', properties: { x: text } }
  const others = { type: 'object', additionalProperties: strip }
  for (const allOf of [
    [named, others],
    [others, named],
  ]) {
    const compiled = compileSchema({ type: 'object', allOf }, [], 'schema')
    const message = { x: '<b>x', y: '<b>y' }
    assert.equal(compiled.refuse(message), undefined)
    assert.equal(sanitizeMessage(message, compiled, assert.fail), undefined)
    assert.deepEqual(message, { x: 'x', y: 'y' })
  }
  // A near miss: named beside it, with nothing to clean.
  const beside = compileSchema(
    { type: 'object', properties: { x: text, z: true }, additionalProperties: strip },
    [],
    'schema',
  )
  const message = { x: '<b>x', y: '<b>y', z: '<b>z' }
  assert.equal(sanitizeMessage(message, beside, assert.fail), undefined)
  assert.deepEqual(message, { x: '<b>x', y: 'y', z: '<b>z' })
})
