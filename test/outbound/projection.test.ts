import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dangerouslyTrustHtml } from '../../src/outbound/encoded.ts'
import { compileOutbound, encodeOutgoing } from '../../src/outbound/outbound.ts'
import fc from '../harness/fast-check.ts'
import { typed } from './typed.ts'

const html = { contentMediaType: 'text/html' }
const url = { format: 'uri' }

function policyFor(schema: object, type = 'm') {
  const sanitizeHtml = (dirty: string) => `[${dirty}]`
  return compileOutbound({
    encode: 'none',
    sends: { [type]: { schema: typed(schema) } },
    path: 'secureWs',
    sanitizeHtml,
    warn: () => {},
  })
}

function textOf(value: unknown, policy: ReturnType<typeof policyFor>): string {
  const outgoing = encodeOutgoing(value, policy)
  assert.ok(!(outgoing instanceof Promise), 'waits')
  return String(outgoing.payload)
}

function sent(fields: object, policy: ReturnType<typeof policyFor>): unknown {
  const { type, ...rest } = JSON.parse(textOf({ type: 'm', ...fields }, policy))
  assert.equal(type, 'm')
  return rest
}

/** One schema in every form that lets everything through: each takes another way through the projection. */
const some = { type: ['string', 'number', 'boolean', 'null', 'array', 'object'], additionalProperties: true }
const forms: Readonly<Record<string, object>> = {
  any: {},
  typed: { ...some, items: {} },
  ref: { $ref: '#/$defs/Some', $defs: { Some: some } },
  allOf: { allOf: [some, { ...some, items: {} }, {}] },
  anyOf: { anyOf: [{ properties: { never: false }, required: ['never'] }, some] },
  oneOf: { oneOf: [{ ...some, items: true }] },
  nested: { anyOf: [{ allOf: [{ oneOf: [some] }, { oneOf: [some, false] }] }] },
}
const policies = Object.entries(forms).map(([form, schema]) => {
  const { $defs = {}, ...own } = { $defs: undefined, ...schema }
  return [form, policyFor({ properties: { a: own }, $defs })] as const
})

// An ORM row whose toJSON answers a row: asked again, a second answer would be sent that nobody has seen serialized.
test('toJSON is asked once, with the name of the member, and what it returned is not asked', () => {
  const twice = () => ({ b: 1, toJSON: () => ({ secret: 1 }) })
  const list = Object.assign([1, 2], { toJSON: () => Object.assign([3], { toJSON: () => ['secret'] }) })
  const box = Object.assign(new String('x'), { toJSON: () => 'secret' })
  const values: readonly (() => unknown)[] = [
    () => ({ toJSON: twice }),
    () => ({ deep: [{ toJSON: twice }], toJSON: undefined }),
    () => [{ toJSON: (key: string) => [key, { toJSON: (below: string) => below }] }],
    () => ({ toJSON: (key: string) => ({ key, toJSON: (again: string) => again }) }),
    () => list,
    () => ({ toJSON: () => list }),
    () => ({ toJSON: () => box }),
    () => box,
    () => Object.assign(() => 1, { toJSON: () => 'of a function' }),
    () => ({ toJSON: () => Object.assign(() => 1, { toJSON: () => 'secret' }) }),
    () => new Date(Number.NaN),
    () => Number.NaN,
    () => [Number.POSITIVE_INFINITY, new Number(Number.NaN), { toJSON: () => Number.NaN }],
  ]
  for (const [form, policy] of policies) {
    for (const value of values) {
      const expected = JSON.stringify({ type: 'm', a: value() })
      assert.equal(textOf({ type: 'm', a: value() }, policy), expected, form)
    }
    // JSON would write {}, as it does not ask the Date.
    assert.throws(() => textOf({ type: 'm', a: { toJSON: () => new Date(0) } }, policy), { code: 'SWS_NOT_ENCODABLE' })
    let asked = 0
    const toJSON = () => {
      asked += 1
      return [asked]
    }
    assert.deepEqual(sent({ a: { toJSON } }, policy), { a: [1] })
    assert.deepEqual(sent({ a: [{ toJSON }] }, policy), { a: [[2]] })
    assert.equal(asked, 2)
  }
})

test('the message itself is asked once as well', () => {
  const policy = policyFor({ properties: { a: { type: 'number' } } })
  const toJSON = () => ({ type: 'm', a: 2, toJSON: () => assert.fail('asked again') })
  assert.equal(textOf({ toJSON }, policy), '{"type":"m","a":2}')
  assert.throws(() => textOf(Object.assign([], { type: 'm' }), policy), { code: 'SWS_UNDECLARED_TYPE' })
})

// A program that teaches BigInt to be serialized expects it of every message. JSON asks no other primitive.
test('a BigInt is what its toJSON says, and an error while it has none', () => {
  const policy = policyFor({ properties: { a: { type: 'string' }, b: { items: {} } } })
  for (const fields of [{ a: 1n }, { b: [1n] }, { a: { toJSON: () => 1n } }]) {
    assert.throws(() => sent(fields, policy), { code: 'SWS_NOT_ENCODABLE', message: /^A BigInt cannot be sent/ })
  }
  const taught = [BigInt.prototype, String.prototype, Number.prototype, Boolean.prototype]
  function toJSON(this: unknown, key: string) {
    return `${key}:${this}`
  }
  for (const prototype of taught) Object.defineProperty(prototype, 'toJSON', { configurable: true, value: toJSON })
  try {
    assert.deepEqual(sent({ a: 1n, b: [2n, 'x', 3, true, new String('y')] }, policy), {
      a: 'a:1',
      b: ['0:2', 'x', 3, true, '4:y'],
    })
    assert.throws(() => sent({ a: { toJSON: () => 1n } }, policy), { code: 'SWS_NOT_ENCODABLE' })
  } finally {
    for (const prototype of taught) Reflect.deleteProperty(prototype, 'toJSON')
  }
})

test('a list is its items by index, whatever it says when it is iterated', () => {
  const list = Object.assign([{ a: 1, secret: 2 }], { *[Symbol.iterator]() {}, secret: 3 })
  for (const items of [{ properties: { a: {} } }, [{ properties: { a: {} } }]]) {
    assert.deepEqual(sent({ list }, policyFor({ properties: { list: { items } } })), { list: [{ a: 1 }] })
  }
  assert.deepEqual(sent({ list: [1] }, policyFor({ properties: { list: { items: [{}, { minLength: 1 }] } } })), {
    list: [1],
  })
})

// One part would check the first answer of a getter, the other send the second.
test('OU-02 a member that several parts or branches look at is read once', () => {
  const shown = { properties: { at: {}, deep: { properties: { at: {} } }, list: { items: {} } } }
  const checked = { properties: { at: url, deep: { properties: { at: url } }, list: { items: url } } }
  const ways = [
    { allOf: [shown, checked] },
    { allOf: [checked, shown] },
    { $ref: '#/$defs/Shown', ...checked, $defs: { Shown: shown } },
    { ...shown, anyOf: [{ properties: { never: false, ...checked.properties }, required: ['never'] }, checked] },
    { oneOf: [{ ...checked, required: ['never'] }, shown] },
  ]
  for (const schema of ways) {
    const policy = policyFor(schema)
    let reads = 0
    const turning = {
      get at() {
        reads += 1
        return reads === 1 ? '/a' : 'javascript:x'
      },
    }
    assert.deepEqual(sent(turning, policy), { at: '/a' })
    reads = 0
    assert.deepEqual(sent({ deep: turning }, policy), { deep: { at: '/a' } })
    reads = 0
    const toJSON = () => turning.at
    assert.deepEqual(sent({ list: [{ toJSON }] }, policy), { list: ['/a'] })
    assert.deepEqual(sent({ list: ['/b', '/c'], at: undefined }, policy), { list: ['/b', '/c'] })
    assert.equal(reads, 1)
  }
})

// The usual way to say "one of the two": what it requires is no reason to send the whole row.
test('a part that declares no member adds none to what is declared', () => {
  const own = { type: 'object', properties: { a: { type: 'number' }, b: { type: 'number' } } }
  const silent = [{ required: ['a'] }, { required: ['b'] }]
  for (const schema of [
    { ...own, anyOf: silent },
    { ...own, oneOf: silent },
    { allOf: [own, { anyOf: silent }] },
    { allOf: [{ minProperties: 1 }, own, true, {}] },
    { allOf: [{ description: 'of what follows' }], anyOf: [own] },
    { ...own, anyOf: [{ properties: { c: {} }, required: ['c'] }, ...silent] },
    { $ref: '#/$defs/Silent', ...own, $defs: { Silent: { anyOf: silent } } },
  ]) {
    const policy = policyFor(schema)
    assert.deepEqual(sent({ a: 1, hash: 'secret' }, policy), { a: 1 })
    assert.throws(() => sent({ hash: 'secret', c: undefined }, policyFor({ ...own, ...schema, required: ['a'] })), {
      code: 'SWS_INVALID_OUTPUT',
    })
  }
  const list = { type: 'array', allOf: [{ items: own }] }
  assert.deepEqual(sent({ list: [{ a: 1, hash: 'secret' }] }, policyFor({ properties: { list } })), {
    list: [{ a: 1 }],
  })
  const short = { $ref: '#/$defs/Short' }
  const twice = policyFor({ properties: { a: short, b: short }, $defs: { Short: { maxLength: 1 } } })
  assert.deepEqual(sent({ a: 'a', b: 'b', c: 'c' }, twice), { a: 'a', b: 'b' })
  // Near misses: a part that says that there may be more.
  for (const schema of [
    { allOf: [own, { additionalProperties: true }] },
    { anyOf: silent, additionalProperties: true },
  ]) {
    assert.deepEqual(sent({ a: 1, b: 2, more: 3 }, policyFor(schema)), { a: 1, b: 2, more: 3 })
  }
})

test('a value that no branch accepts is an error with its place, and not left out', () => {
  const text = { ...html, type: 'string' }
  const row = { type: 'object', properties: { id: { type: 'number' } }, required: ['id'] }
  const union = { anyOf: [text, row] }
  const list = { type: 'array', items: union }
  const deep = { anyOf: [{ type: 'object', properties: { a: union }, required: ['a'] }, list] }
  const policy = policyFor({ properties: { a: union, list, deep } })
  const refused = (fields: object, place: string) =>
    assert.throws(() => sent(fields, policy), {
      code: 'SWS_INVALID_OUTPUT',
      message: `The message "m" is not as declared: ${place} matches no branch of its union`,
    })
  refused({ a: 1 }, 'a')
  refused({ a: null }, 'a')
  refused({ a: { id: 'secret' } }, 'a')
  refused({ list: ['x', undefined] }, 'list.1')
  refused({ deep: { a: 1 } }, 'deep')
  refused({ deep: [1] }, 'deep')
  assert.deepEqual(sent({ a: undefined, list: ['<', { id: 1, b: 1 }], deep: { a: '<' } }, policy), {
    list: ['[<]', { id: 1 }],
    deep: { a: '[<]' },
  })
  assert.deepEqual(sent({ deep: ['<'] }, policy), { deep: ['[<]'] })
  // The member may be missing in the first branch, so without it the first would do: what was given is for the second.
  const number = { type: 'object', properties: { a: { type: 'number' } } }
  const later = policyFor({ properties: { each: { anyOf: [{ type: 'object', properties: { a: union } }, number] } } })
  assert.deepEqual(sent({ each: { a: 1, b: 2 } }, later), { each: { a: 1 } })
  // A branch may require what only its neighbour declares, as on the way in.
  const apart = policyFor({ allOf: [{ properties: { a: {} } }, { anyOf: [{ ...row, required: ['a'] }] }] })
  assert.deepEqual(sent({ a: 1, id: 2, b: 3 }, apart), { a: 1, id: 2 })
  assert.throws(() => sent({ id: 2 }, apart), { message: /: it matches no branch of its union$/ })
  const together = policyFor({ properties: { a: {} }, anyOf: [{ ...row, required: ['a'] }] })
  assert.deepEqual(sent({ a: 1, id: 2, b: 3 }, together), { a: 1, id: 2 })
})

test('a Map where an object is declared is an error, and not an empty object', () => {
  const policy = policyFor({
    properties: { a: { type: 'object', additionalProperties: {} }, b: { anyOf: [html, {}] } },
  })
  for (const lossy of [new Map([['a', 1]]), new Set([1]), new Error('x'), Promise.resolve(1), /x/]) {
    for (const fields of [{ a: lossy }, { a: { deep: lossy } }, { b: [lossy] }]) {
      assert.throws(() => sent(fields, policy), { code: 'SWS_NOT_ENCODABLE', message: /would be sent as \{\}/ })
    }
  }
  assert.deepEqual(sent({ a: {}, b: Object.create(null), c: new Map() }, policy), { a: {}, b: {} })
})

test('markup is found through every way that leads to it, and nothing else is taken for it', () => {
  const markup = dangerouslyTrustHtml('<b>')
  const policy = policyFor({
    properties: {
      one: { $ref: '#/$defs/Rich' },
      all: { allOf: [{ $ref: '#/$defs/Rich' }, { minLength: 1 }] },
      any: { type: 'string', anyOf: [{ maxLength: 1 }, html] },
      link: { allOf: [url, { maxLength: 20 }] },
      text: { type: ['string', 'object'] },
      list: { items: [html], additionalItems: { items: html } },
    },
    $defs: { Rich: html },
  })
  assert.deepEqual(sent({ one: '<', all: '<', any: '<', text: markup, list: ['<', ['<', markup]] }, policy), {
    ...{ one: '[<]', all: '[<]', any: '<', text: '<b>', list: ['[<]', ['[<]', '<b>']] },
  })
  assert.deepEqual(sent({ one: markup, all: markup, any: markup, link: '/a' }, policy), {
    ...{ one: '<b>', all: '<b>', any: '<b>', link: '/a' },
  })
  assert.throws(() => sent({ link: markup }, policyFor({ properties: { link: { ...url, maxLength: 1 } } })), {
    code: 'SWS_INVALID_OUTPUT',
  })
  assert.throws(() => sent({ link: dangerouslyTrustHtml('javascript:x') }, policy), { code: 'SWS_UNSAFE_URL' })
})

// A record declares every name; its rules are not for the type, which the route wrote itself.
test('what a schema says of every member says nothing of the type', () => {
  const row = { type: 'object', properties: { a: { type: 'number' } } }
  for (const [each, given, wanted] of [
    [html, '<', '[<]'],
    [url, '/a', '/a'],
    [{ anyOf: [row, { type: 'array', items: row }] }, [{ a: 1, b: 2 }], [{ a: 1 }]],
    [{ allOf: [row, { maxProperties: 1 }] }, { a: 1, b: 2 }, { a: 1 }],
  ] as const) {
    for (const schema of [
      { additionalProperties: each, maxProperties: 1 },
      { patternProperties: { '': each }, maxProperties: 1 },
      { anyOf: [{ additionalProperties: each, maxProperties: 1 }, row] },
    ]) {
      const policy = policyFor(schema, 'javascript:m')
      assert.equal(
        textOf({ type: 'javascript:m', x: given }, policy),
        JSON.stringify({ type: 'javascript:m', x: wanted }),
      )
    }
  }
  for (const schema of [
    { maxProperties: 1, additionalProperties: true },
    { anyOf: [{ maxProperties: 1, additionalProperties: true }] },
  ]) {
    assert.deepEqual(sent({ a: { type: '<' } }, policyFor(schema)), { a: { type: '<' } })
  }
  // Near misses: the type of a member, and a type that is named.
  assert.deepEqual(sent({ a: { type: '<' } }, policyFor({ additionalProperties: { additionalProperties: html } })), {
    a: { type: '[<]' },
  })
  const named = policyFor({ properties: { type: { const: 'm' } }, required: ['type'], additionalProperties: html })
  assert.deepEqual(sent({ a: '<' }, named), { a: '[<]' })
  const said = {
    get type() {
      return 'm'
    },
  }
  assert.equal(textOf(Object.create(said, { a: { value: '<', enumerable: true } }), named), '{"type":"m","a":"[<]"}')
})

test('a reference out of the schema is told with its place', () => {
  const $ref = 'http://json-schema.org/draft-07/schema#'
  const places: readonly [object, string][] = [
    [{ $ref }, ''],
    [{ properties: { a: { $ref } } }, '.properties.a'],
    [{ allOf: [{}, { patternProperties: { '^a': { $ref } } }] }, '.allOf.1.patternProperties.^a'],
    [{ additionalProperties: { $ref } }, '.additionalProperties'],
    [{ properties: { a: { items: { anyOf: [{ $ref }] } } } }, '.properties.a.items.anyOf.0'],
    [{ properties: { a: { items: [{}, { oneOf: [{ $ref }] }] } } }, '.properties.a.items.1.oneOf.0'],
    [{ properties: { a: { items: [{}], additionalItems: { $ref } } } }, '.properties.a.additionalItems'],
    [{ properties: { a: { $ref: '#/$defs/B' } }, $defs: { B: { $ref } } }, '.$defs.B'],
  ]
  for (const [schema, place] of places) {
    assert.throws(() => policyFor(schema), {
      code: 'SWS_BAD_OPTION',
      message: `fastify-secure-ws: option \`secureWs.sends.m.schema${place}.$ref\` is "${$ref}". A \`$ref\` points into its own schema: \`#/$defs/Name\`, or the \`$id\` of a definition in sight.`,
    })
  }
})

test('where everything may pass, what passes is what JSON.stringify makes of it', () => {
  const leaf = fc.oneof(
    fc.constantFrom(undefined, null, Number.NaN, Symbol.iterator, () => 1, new String('<'), new Date(0), -0, 1e21),
    fc.string({ unit: 'binary' }),
    fc.boolean(),
  )
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof({ depthSize: 'small' }, leaf, tie('list'), tie('object'), tie('asked')),
    list: fc.array(tie('value'), { maxLength: 3 }),
    object: fc.dictionary(fc.oneof(fc.constantFrom('__proto__', 'toString', 'a'), fc.string()), tie('value')),
    asked: tie('value').map((answer) => ({ toJSON: () => (answer instanceof Date ? null : answer) })),
  }))
  fc.assert(
    fc.property(value, (a) => {
      const expected = JSON.stringify({ type: 'm', a })
      for (const [form, policy] of policies) assert.equal(textOf({ type: 'm', a }, policy), expected, form)
    }),
  )
})
