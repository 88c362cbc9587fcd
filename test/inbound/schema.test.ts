import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Type } from 'typebox'
import { compileSchema } from '../../src/inbound/schema.ts'

const envelope = ['type', 'id']

function takes(schema: unknown, good: readonly object[], bad: readonly object[]): void {
  const compiled = compileSchema(schema, envelope, 'schema')
  for (const message of good) assert.equal(compiled.refuse(message)?.reason, undefined, JSON.stringify(message))
  for (const message of bad)
    assert.equal(compiled.refuse(message)?.code, 'SWS_INVALID_MESSAGE', JSON.stringify(message))
}

function wrong(schema: unknown, message: RegExp): void {
  assert.throws(() => compileSchema(schema, envelope, 'receives.say.schema'), { code: 'SWS_BAD_OPTION', message })
}

function object(properties: object, more: object = {}): object {
  return { type: 'object', properties, ...more }
}

describe('a strict schema', () => {
  it('MS-08 coerces nothing', () => {
    takes(
      Type.Object({ n: Type.Number(), s: Type.String(), b: Type.Boolean(), l: Type.Array(Type.Number()) }),
      [{ n: 1, s: '1', b: true, l: [1] }],
      [
        { n: '1', s: '1', b: true, l: [1] },
        { n: true, s: '1', b: true, l: [1] },
        { n: [1], s: '1', b: true, l: [1] },
        { n: {}, s: '1', b: true, l: [1] },
        { n: null, s: '1', b: true, l: [1] },
        { n: 1, s: 1, b: true, l: [1] },
        { n: 1, s: '1', b: 'true', l: [1] },
        { n: 1, s: '1', b: true, l: 1 },
      ],
    )
  })

  it('fills in no defaults, and removes nothing', () => {
    const compiled = compileSchema(object({ a: { type: 'number', default: 7 } }), envelope, 'schema')
    const message = {}
    assert.equal(compiled.refuse(message), undefined)
    assert.deepEqual(message, {})
    const extra = { a: 1, b: 2 }
    assert.notEqual(compiled.refuse(extra), undefined)
    assert.deepEqual(extra, { a: 1, b: 2 })
  })

  // "Unknown" includes what everything inherits: `required: ['valueOf']` must not be satisfied by Object.prototype.
  it('MS-07 looks at own members only', (t) => {
    takes(object({ valueOf: { type: 'string' } }, { required: ['valueOf'] }), [{ valueOf: 'x' }], [{}])
    const required = compileSchema(object({ admin: { type: 'boolean' } }, { required: ['admin'] }), envelope, 'schema')
    const other = compileSchema(object({ a: { type: 'number' } }), envelope, 'schema')
    t.after(() => Reflect.deleteProperty(Object.prototype, 'admin'))
    Object.defineProperty(Object.prototype, 'admin', {
      value: true,
      configurable: true,
      enumerable: true,
      writable: true,
    })
    assert.notEqual(required.refuse({}), undefined)
    assert.equal(required.refuse({ admin: true }), undefined)
    assert.equal(other.refuse({ a: 1 }), undefined)
  })

  it('counts code points for maxLength and minLength, as JSON Schema says', () => {
    const emoji = '\ud83d\ude00'
    takes(
      object({ t: { type: 'string', maxLength: 4 } }),
      [{ t: 'abcd' }, { t: emoji.repeat(4) }, { t: '' }],
      [{ t: 'abcde' }, { t: emoji.repeat(5) }, { t: `abcd${emoji}` }, { t: 'a'.repeat(9) }],
    )
    takes(
      object({ t: { type: 'string', minLength: 3 } }),
      [{ t: 'abc' }, { t: emoji.repeat(3) }, { t: `ab${emoji}` }],
      [{ t: 'ab' }, { t: emoji.repeat(2) }, { t: `a${emoji}` }, { t: '' }],
    )
    takes(object({ t: { type: 'string', maxLength: 0 } }), [{ t: '' }], [{ t: 'a' }])
  })

  it('says where in the schema it refused, and nothing the client wrote', () => {
    const compiled = compileSchema(object({ text: { type: 'string', maxLength: 3 } }), envelope, 'schema')
    assert.equal(compiled.refuse({ text: 'secret' })?.reason, 'schema: maxLength at #/properties/text/maxLength')
    assert.doesNotMatch(compiled.refuse({ secret: 1 })?.reason ?? '', /secret/)
  })
})

describe('a closed schema', () => {
  it('CS-13 refuses properties nobody described, at every depth', () => {
    takes(
      object({ a: object({ b: { type: 'array', items: object({ c: { type: 'number' } }) } }) }),
      [{}, { a: {} }, { a: { b: [{ c: 1 }, {}] } }],
      [{ x: 1 }, { a: { x: 1 } }, { a: { b: [{ c: 1, x: 1 }] } }],
    )
    takes({ type: 'object' }, [{}], [{ x: 1 }])
    takes(object({ a: { type: ['object', 'null'] } }), [{ a: null }, { a: {} }], [{ a: { x: 1 } }])
  })

  it('lets the author say otherwise, there and only there', () => {
    takes(object({ a: object({}) }, { additionalProperties: true }), [{ x: { y: 1 } }, { a: {} }], [{ a: { x: 1 } }])
    takes(object({}, { additionalProperties: { type: 'number' } }), [{ x: 1 }], [{ x: 'y' }])
    takes(object({ any: {} }), [{ any: { x: [{ y: 1 }] } }, { any: 1 }], [{ x: 1 }])
  })

  it('closes TypeBox intersections as one object', () => {
    const both = Type.Intersect([
      Type.Object({ a: Type.String() }),
      Type.Object({ b: Type.Object({ c: Type.Number() }) }),
    ])
    takes(both, [{ a: '', b: { c: 1 } }], [{ a: '' }, { a: '', b: { c: 1 }, x: 1 }, { a: '', b: { c: 1, x: 1 } }])
    takes(
      Type.Intersect([Type.Object({ a: Type.String() })], { unevaluatedProperties: false }),
      [{ a: '' }],
      [{ a: '', x: 1 }],
    )
  })

  it('closes TypeBox unions: what the matching branch names, and no more', () => {
    const either = Type.Union([
      Type.Object({ kind: Type.Literal('circle'), r: Type.Number() }),
      Type.Object({ kind: Type.Literal('square'), side: Type.Number() }),
    ])
    takes(
      either,
      [
        { kind: 'circle', r: 1 },
        { kind: 'square', side: 1 },
      ],
      [
        { kind: 'circle', side: 1 },
        { kind: 'circle', r: 1, side: 1 },
        { kind: 'square', side: 1, x: 1 },
      ],
    )
    takes(
      Type.Object({ shape: Type.Union([either, Type.Null()]) }),
      [{ shape: null }, { shape: { kind: 'square', side: 1 } }],
      [{ shape: { kind: 'square', side: 1, r: 1 } }],
    )
  })

  it('closes TypeBox records, tuples, enums, literals, optionals and cycles', () => {
    takes(
      Type.Object({
        record: Type.Record(Type.String(), Type.Object({ n: Type.Number() })),
        tuple: Type.Tuple([Type.String(), Type.Object({ n: Type.Number() })]),
        one: Type.Enum({ a: 'x', b: 'y' }),
        maybe: Type.Optional(Type.Literal(7)),
        tree: Type.Cyclic({ Node: Type.Object({ v: Type.String(), next: Type.Optional(Type.Ref('Node')) }) }, 'Node'),
      }),
      [{ record: { k: { n: 1 } }, tuple: ['a', { n: 1 }], one: 'x', tree: { v: 'a', next: { v: 'b' } } }],
      [
        { record: { k: { n: 1, x: 1 } }, tuple: ['a', { n: 1 }], one: 'x', tree: { v: 'a' } },
        { record: {}, tuple: ['a', { n: 1, x: 1 }], one: 'x', tree: { v: 'a' } },
        { record: {}, tuple: ['a', { n: 1 }, 3], one: 'x', tree: { v: 'a' } },
        { record: {}, tuple: ['a', { n: 1 }], one: 'z', tree: { v: 'a' } },
        { record: {}, tuple: ['a', { n: 1 }], one: 'x', maybe: 8, tree: { v: 'a' } },
        { record: {}, tuple: ['a', { n: 1 }], one: 'x', tree: { v: 'a', next: { v: 'b', x: 1 } } },
      ],
    )
  })

  // ajv keeps the evaluated names in a plain object, where `toString` is found without ever having been evaluated.
  it('MS-07 refuses unknown properties with names that every object inherits', () => {
    const [a, b] = [
      object({ a: { type: 'string' } }, { required: ['a'] }),
      object({ b: { type: 'number' } }, { required: ['b'] }),
    ]
    const numbers = object({}, { patternProperties: { '^n': { type: 'number' } } })
    for (const name of ['toString', 'constructor', 'valueOf', 'hasOwnProperty', 'isPrototypeOf', 'unknown']) {
      takes({ anyOf: [a, b] }, [{ a: 'x' }, { a: 'x', b: 1 }], [{ a: 'x', [name]: 1 }])
      takes({ allOf: [a, b] }, [{ a: 'x', b: 1 }], [{ a: 'x', b: 1, [name]: 1 }])
      takes({ anyOf: [numbers, b] }, [{ n1: 1 }], [{ n1: 1, [name]: 1 }])
      takes({ anyOf: [a, b], unevaluatedProperties: false }, [{ a: 'x' }], [{ a: 'x', [name]: 1 }])
      takes(object({ x: { oneOf: [a, b] } }), [{ x: { a: 'x' } }], [{ x: { a: 'x', [name]: 1 } }])
      takes(a, [{ a: 'x' }], [{ a: 'x', [name]: 1 }])
    }
    const named = object({ constructor: { type: 'string' } })
    takes({ anyOf: [named, b] }, [{ constructor: 'Lotus' }, { b: 1 }], [{ constructor: 1 }, { toString: 'x' }])
    takes(named, [{ constructor: 'Lotus' }], [])
  })

  it('closes through $ref, and leaves the definition open for others to extend', () => {
    const schema = {
      $defs: { base: object({ a: { type: 'string' } }) },
      type: 'object',
      allOf: [{ $ref: '#/$defs/base' }],
      properties: { b: { $ref: '#/$defs/base' } },
    }
    takes(schema, [{ a: '', b: { a: '' } }], [{ x: 1 }, { b: { x: 1 } }])
    takes(object({ next: { $ref: '#' } }), [{ next: { next: {} } }], [{ next: { next: { x: 1 } } }])
  })

  // Closing inside `not` would make it match less, and so let more in.
  it('leaves questions as they were asked', () => {
    const schema = object(
      { a: { type: 'string' }, b: { type: 'string' } },
      { not: object({ a: { const: 'root' } }, { required: ['a'] }) },
    )
    takes(schema, [{ a: 'me', b: '' }], [{ a: 'root' }, { a: 'root', b: '' }])
    const conditional = object(
      { kind: { type: 'string' }, n: { type: 'number' } },
      { if: object({ kind: { const: 'plain' } }), else: { required: ['n'] } },
    )
    takes(
      conditional,
      [{ kind: 'number', n: 1 }, { kind: 'plain' }],
      [{ kind: 'number' }, { kind: 'plain', y: 1 }, { kind: 'number', n: 1, y: 1 }],
    )
  })
})

describe('compileSchema', () => {
  it('MS-10 refuses remote references, $async, $data and dynamic references', () => {
    wrong(object({ a: { $ref: 'https://evil.example/schema' } }), /properties\.a\.\$ref/)
    wrong(object({ a: { $ref: 'other' } }), /\$ref/)
    wrong(object({ a: { $ref: '#/$defs/missing' } }), /points at nothing/)
    wrong(object({}, { $async: true }), /\$async/)
    wrong(object({ a: { $dynamicRef: '#x' } }), /\$dynamicRef/)
    wrong(object({ a: { $recursiveRef: '#' } }), /\$recursiveRef/)
    wrong(object({ a: { type: 'number', maximum: { $data: '1/b' } }, b: { type: 'number' } }), /schema/)
    wrong(object({}, { $schema: 'https://example.org/own' }), /\$schema/)
    takes(
      object({}, { $schema: 'http://json-schema.org/draft-07/schema#', $id: 'https://example.org/say' }),
      [{}],
      [{ a: 1 }],
    )
  })

  it('refuses what is no object schema, or open at the top', () => {
    for (const schema of [
      undefined,
      null,
      true,
      'object',
      [],
      {},
      { type: 'string' },
      { anyOf: [{ type: 'null' }] },
      { properties: {} },
    ]) {
      wrong(schema, /receives\.say\.schema/)
    }
  })

  it('refuses misspelt keywords and keywords without their type', () => {
    wrong(object({ a: { type: 'string', maxlength: 5 } }), /maxlength/)
    wrong(object({ a: { minLength: 1 } }), /properties\.a\.minLength` .* write `type: 'string'`/)
    wrong(object({ a: { properties: { b: {} } } }), /properties\.a\.properties` .* write `type: 'object'`/)
    wrong(
      { anyOf: [object({ a: { minLength: 1 } }), object({})] },
      /anyOf\.0\.properties\.a\.minLength` .* write `type: 'string'`/,
    )
    wrong(object({ a: Type.Undefined() }), /schema/)
    wrong(object({ a: { type: 'string', maxLength: -1 } }), /schema/)
  })

  // `Type.Refine` checks with a function that ajv never sees: the listener would get what its author thinks is impossible.
  it('refuses TypeBox refinements and codecs instead of leaving them out', () => {
    wrong(Type.Object({ a: Type.Refine(Type.String(), (value) => value === 'x') }), /properties\.a.*~refine/)
    wrong(Type.Object({ a: Type.Codec(Type.String()).Decode(Number).Encode(String) }), /~codec/)
  })

  it('refuses members of the envelope, also behind allOf and $ref', () => {
    wrong(object({ type: { const: 'say' } }), /properties\.type.*envelope/)
    wrong(object({ id: { type: 'string' } }), /envelope/)
    wrong(object({}, { required: ['id'] }), /envelope/)
    wrong({ $defs: { d: object({ id: { type: 'string' } }) }, allOf: [{ $ref: '#/$defs/d' }] }, /envelope/)
    takes(
      object({ a: object({ id: { type: 'string' }, type: { type: 'string' } }) }),
      [{ a: { id: '', type: '' } }],
      [],
    )
    takes(object({ nonce: { type: 'string' } }), [{ nonce: '' }], [])
  })

  // 16,000 empty objects fit into one message, and comparing each with each takes seconds.
  it('MS-04 refuses uniqueItems over anything but scalars without a small maxItems', () => {
    wrong(object({ l: { type: 'array', uniqueItems: true, items: object({}) } }), /maxItems/)
    wrong(object({ l: { type: 'array', uniqueItems: true } }), /maxItems/)
    wrong(object({ l: { type: 'array', uniqueItems: true, items: object({}), maxItems: 257 } }), /maxItems/)
    takes(
      object({ l: { type: 'array', uniqueItems: true, items: object({}), maxItems: 256 } }),
      [{ l: [{}] }],
      [{ l: [{}, {}] }],
    )
    takes(
      object({ l: { type: 'array', uniqueItems: true, items: { type: 'string' } } }),
      [{ l: ['a'] }],
      [{ l: ['a', 'a'] }],
    )
  })

  it('MS-09 refuses patterns that hang, as keywords and as property patterns', () => {
    wrong(object({ a: { type: 'string', pattern: '^(a+)+$' } }), /properties\.a\.pattern.*ReDoS/)
    wrong(object({}, { patternProperties: { '^(a+)+$': { type: 'string' } } }), /ReDoS/)
    wrong(object({ a: { type: 'string', pattern: '(' } }), /schema/)
  })

  it('MS-09 checks maxLength before a pattern sees the text', () => {
    const schema = compileSchema(object({ a: { type: 'string', pattern: '^x*$', maxLength: 3 } }), envelope, 'schema')
    assert.match(schema.refuse({ a: 'yyyy' })?.reason ?? '', /maxLength/)
    assert.match(schema.refuse({ a: 'yyy' })?.reason ?? '', /pattern/)
  })

  it('survives schemas that contain themselves, and is not changed by later changes', () => {
    const endless: Record<string, unknown> = { type: 'object' }
    endless.properties = { a: endless }
    wrong(endless, /nests deeper/)
    const properties: Record<string, unknown> = { a: { type: 'string' } }
    const compiled = compileSchema(object(properties), envelope, 'schema')
    properties.b = {}
    assert.notEqual(compiled.refuse({ b: 1 }), undefined)
  })

  it('refuses annotations nobody would check', () => {
    wrong(object({ a: { type: 'string', contentMediaType: 'image/png' } }), /text\/html/)
    wrong(object({ a: { type: 'string', contentEncoding: 'base64' } }), /byte/)
    wrong(object({ a: { type: 'string', contentSchema: {} } }), /not be checked/)
    wrong(object({}, { dependencies: { a: ['b'] } }), /dependentRequired/)
  })
})
