import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkOrigin } from '../../src/admission/origin.ts'
import { compileOrigins } from '../../src/admission/origin-list.ts'
import { compileSchema } from '../../src/inbound/schema.ts'
import { loosened } from '../../src/lock/loosened.ts'
import { isNarrower } from '../../src/lock/narrower.ts'
import { covers } from '../../src/lock/origins.ts'
import { Random } from '../harness/random.ts'
import { randomSchema, randomValue, type Schema } from '../schema/random-schemas.ts'
import { base, byCookie, byToken, policyOf, type Server, yes } from './policy.ts'

// `node test/lock/random.test.ts 20000 7` tries as many as you like, from another seed.
const [count, seed] = [Number(process.argv[2] ?? 60), Number(process.argv[3] ?? 29)]

/** Values of one option, from those that let through least; `apart`: none lets through more than another; `guards`: each is one. */
interface Dimension {
  readonly values: readonly unknown[]
  readonly kind?: 'apart' | 'guards'
  put(server: Server, value: unknown): Server
}

const onPlugin = (put: (value: unknown) => object, values: readonly unknown[]): Dimension => ({
  values,
  put: (server, value) => ({ ...server, plugin: { ...server.plugin, ...put(value) } }),
})
const onRoute = (put: (value: unknown) => object, values: readonly unknown[], kind?: 'apart'): Dimension => ({
  values,
  ...(kind && { kind }),
  put: (server, value) => ({ ...server, route: { ...server.route, ...put(value) } }),
})
const onRule = (name: string, values: readonly unknown[]): Dimension => ({
  values,
  put: (server, value) => {
    const receives = server.route.receives as { readonly say: object }
    return { ...server, route: { ...server.route, receives: { ...receives, say: { ...receives.say, [name]: value } } } }
  },
})
const limit = (name: string, values: readonly unknown[]) => onRoute((value) => ({ [name]: value }), values)

const object = (properties: object, more: object = {}) => ({ type: 'object', properties, ...more })
const text = { type: 'string' }

/** Written by hand from docs/options.md: nothing of it is read out of what it judges. */
const dimensions: readonly Dimension[] = [
  onPlugin(
    (origins) => ({ origins, hosts: ['a.example'] }),
    [
      ['https://a.example'],
      ['https://a.example', 'https://b.example'],
      ['https://a.example', 'https://b.example', 'https://*.example.org'],
      ['https://a.example', 'https://b.example', 'https://**.example.org'],
    ],
  ),
  onPlugin((value) => ({ allowInsecureTransport: value }), [false, true]),
  onPlugin((value) => ({ earlyRefusal: value }), [true, false]),
  onPlugin((value) => ({ denyByDefault: value }), [true, false]),
  onPlugin(
    (value) => ({ session: { revalidateEvery: value, maxAge: 2_592_000_000 - Number(value) } }),
    [1_000, 60_000],
  ),
  onPlugin((value) => ({ dangerouslyLeaveUpgrades: value }), [[], ['/a'], ['/a', '/b']]),
  { ...onPlugin((value) => ({ authenticate: value }), [byCookie, [byCookie, byToken], byToken]), kind: 'guards' },
  onPlugin((value) => ({ encode: value }), ['html', 'json', 'none']),
  onPlugin((value) => ({ helmet: value }), [undefined, false]),
  onRoute((value) => ({ protocols: value }), [undefined, ['a'], ['b']], 'apart'),
  onRoute((value) => ({ authorize: value }), [yes, () => true], 'apart'),
  onRoute((value) => ({ binary: value }), [undefined, ['image/png'], ['image/png', 'image/gif']]),
  limit('limits', [
    { messageBytes: 10, idle: 10 },
    { messageBytes: 10, idle: 100 },
    { messageBytes: 100, idle: 100 },
  ]),
  onRule('rate', [{ perSecond: 1 }, { perSecond: 1, burst: 2 }, { perSecond: 2, burst: 2 }, undefined]),
  onRule('replay', [{ window: 10 }, { window: 20 }, undefined]),
  onRule('freshAuth', [10, 20, undefined]),
  onRule('schema', [
    object({ a: { ...text, maxLength: 1 } }, { required: ['a'] }),
    object({ a: { ...text, maxLength: 2 } }, { required: ['a'] }),
    object({ a: { ...text, maxLength: 2 } }),
    object({ a: text }),
    object({ a: text, b: { type: 'array', items: { type: 'integer' } } }),
    object({ a: text, b: { type: 'array', items: { type: ['number', 'null'] } } }),
    object({ a: text, b: { type: 'array' } }),
  ]),
  onRule('reply', [undefined, { type: 'integer' }, { type: 'number' }]),
  onRoute(
    (value) => ({ sends: value }),
    [
      {},
      { said: { schema: object({ a: text }) } },
      { said: { schema: object({ a: text, b: text }) } },
      { said: { schema: object({ a: text, b: text }, { additionalProperties: true }) } },
    ],
  ),
]

test('any change of the options is told as looser exactly where one of them got looser', async () => {
  const random = new Random(seed)
  const found = { looser: 0, other: 0 }
  const anywhere = () => dimensions.map(({ values }) => random.below(values.length))
  const serverAt = (place: readonly number[]) =>
    dimensions.reduce((server, each, index) => each.put(server, each.values[place[index] ?? 0]), base)
  for (let round = 0; round < count; round++) {
    const from = anywhere()
    // Few changes at a time, or some of them would always be looser.
    const to = from.map((at, index) => (random.chance(0.12) ? random.below(dimensions[index]?.values.length ?? 1) : at))
    const isLooser = (at: number, index: number) => {
      const [was, kind] = [from[index] ?? 0, dimensions[index]?.kind]
      return kind === 'guards' ? at !== was : at > was && kind !== 'apart'
    }
    const expected = to.some(isLooser)
    const lines = loosened(await policyOf(serverAt(from)), await policyOf(serverAt(to)))
    assert.equal(lines.length > 0, expected, JSON.stringify({ from, to, lines }))
    found[expected ? 'looser' : 'other']++
  }
  assert.ok(Math.min(found.looser, found.other) > count / 5, JSON.stringify(found))
})

/** A schema with something changed anywhere in it. */
function changed(random: Random, schema: unknown): unknown {
  if (typeof schema !== 'object' || schema === null) return random.pick([schema, true, { type: 'string' }, 1, 'x'])
  const entries = Object.entries(schema)
  const at = random.below(Math.max(entries.length, 1))
  if (random.chance(0.25))
    return Array.isArray(schema) ? schema.filter((_, index) => index !== at) : without(schema, at)
  if (!Array.isArray(schema) && random.chance(0.2)) {
    const more = random.pick<Schema>([
      { maxLength: 1 },
      { maxProperties: 1 },
      { additionalProperties: true },
      { title: 'x' },
    ])
    return { ...schema, ...more, ...random.pick([{}, { required: ['a'] }, { properties: { a: { type: 'number' } } }]) }
  }
  if (Array.isArray(schema)) return schema.map((each, index) => (index === at ? changed(random, each) : each))
  return Object.fromEntries(entries.map(([name, each], index) => [name, index === at ? changed(random, each) : each]))
}

function without(schema: object, at: number): object {
  return Object.fromEntries(Object.entries(schema).filter((_, index) => index !== at))
}

function compiled(schema: unknown): ReturnType<typeof compileSchema> | undefined {
  try {
    return compileSchema(schema, [], 'schema')
  } catch {
    // Most changes make no schema of it.
    return undefined
  }
}

test('a schema that counts as narrower admits nothing that the one before did not', () => {
  const random = new Random(seed)
  const found = { narrower: 0, values: 0 }
  while (found.narrower < count / 2) {
    const first: Schema = randomSchema(random)
    const second = changed(random, random.chance(0.5) ? changed(random, first) : first) as Schema
    // Asked first, because to compile is dear; and again of what a lock file holds.
    if (JSON.stringify(first) === JSON.stringify(second) || !isNarrower(first, second)) continue
    const [was, is] = [compiled(first), compiled(second)]
    if (was === undefined || is === undefined || !isNarrower(was.plain, is.plain)) continue
    found.narrower++
    for (let each = 0; each < 30; each++) {
      const value = randomValue(random, random.pick([first, second]), random.pick([first, second]))
      if (typeof value !== 'object' || value === null || Array.isArray(value) || is.refuse(value) !== undefined)
        continue
      found.values++
      assert.equal(was.refuse(value), undefined, JSON.stringify({ first, second, value }))
    }
  }
  assert.ok(found.values > count, JSON.stringify(found))
})

test('a pattern covers another exactly where it admits each origin that the other admits', () => {
  const schemes = ['https', 'http']
  const rests = ['a.example', 'b.a.example', 'c.b.a.example', 'aa.example', 'a.example:8443']
  const patterns = schemes.flatMap((scheme) =>
    rests.flatMap((rest) => ['', '*.', '**.'].map((stars) => `${scheme}://${stars}${rest}`)),
  )
  const fronts = ['', 'x.', 'y.x.', 'z.y.x.']
  const origins = schemes.flatMap((scheme) =>
    rests.flatMap((rest) => fronts.map((front) => `${scheme}://${front}${rest}`)),
  )
  const admitted = (pattern: string) => {
    const policy = { ...compileOrigins([pattern], 'origins'), missing: false, nullOrigin: false, fileOrigin: false }
    return new Set(
      origins.filter((origin) => checkOrigin({ origin, fromBrowser: true }, policy, undefined) === undefined),
    )
  }
  const sets = new Map(patterns.map((pattern) => [pattern, admitted(pattern)]))
  for (const [outer, wide] of sets) {
    for (const [inner, narrow] of sets)
      assert.equal(covers(outer, inner), narrow.isSubsetOf(wide), `${outer} covers ${inner}`)
  }
})
