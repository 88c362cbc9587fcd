import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Type } from 'typebox'
import { dangerouslyTrustHtml } from '../../src/outbound/encoded.ts'
import {
  compileOutbound,
  type EncodeMode,
  encodeOutgoing,
  type SanitizeHtml,
  type Sends,
} from '../../src/outbound/outbound.ts'

const rich = Type.String({ contentMediaType: 'text/html' })
const link = Type.String({ format: 'uri' })

function policyFor(sends: Sends, sanitizeHtml: SanitizeHtml = (dirty) => `[${dirty}]`, encode: EncodeMode = 'html') {
  return compileOutbound({ encode, sends, path: 'secureWs', sanitizeHtml, warn: () => {} })
}

function sent(value: unknown, policy: ReturnType<typeof policyFor>): unknown {
  const outgoing = encodeOutgoing(value, policy)
  assert.ok(!(outgoing instanceof Promise), 'waits')
  assert.equal(outgoing.binary, false)
  return JSON.parse(String(outgoing.payload))
}

function of(schema: object, ...rest: [SanitizeHtml?, EncodeMode?]) {
  return policyFor({ m: { schema } }, ...rest)
}

test('OU-13 each member is encoded as its schema says: text, markup, URL', () => {
  const policy = of(Type.Object({ by: Type.String(), body: rich, at: link }))
  assert.deepEqual(sent({ type: 'm', by: '<i>', body: '<b>', at: '/a?b&c' }, policy), {
    type: 'm',
    by: '&lt;i&gt;',
    body: '[<b>]',
    at: '/a?b&amp;c',
  })
})

test('OU-13 markup passes where the schema says markup, and is text where it says text', () => {
  const policy = of(Type.Object({ by: Type.String(), body: rich }))
  const markup = dangerouslyTrustHtml('<b>')
  assert.deepEqual(sent({ type: 'm', by: markup, body: markup }, policy), { type: 'm', by: '&lt;b&gt;', body: '<b>' })
  assert.deepEqual(
    sent(
      { type: 'm', by: markup, body: markup },
      of(Type.Object({ by: Type.String(), body: rich }), undefined, 'json'),
    ),
    { type: 'm', by: '<b>', body: '<b>' },
  )
})

// A handler spreads a row of the database: { ...user, type: 'said' }. The password hash is not declared.
test('what is not declared is dropped, at every depth; what may be more is kept', () => {
  const policy = policyFor({
    m: {
      schema: Type.Object({
        user: Type.Object({ name: Type.String() }),
        list: Type.Array(Type.Object({ a: Type.Number() })),
      }),
    },
    open: { schema: Type.Object({ a: Type.Number() }, { additionalProperties: true }) },
    record: { schema: Type.Record(Type.String(), Type.Object({ a: Type.Number() })) },
    empty: { schema: Type.Object({}) },
    tuple: { schema: Type.Object({ pair: Type.Tuple([Type.Object({ a: Type.Number() }), Type.String()]) }) },
    unknown: { schema: Type.Object({ any: Type.Unknown() }) },
  })
  assert.deepEqual(sent({ type: 'm', secret: 1, user: { name: 'n', hash: 'h' }, list: [{ a: 1, b: 2 }] }, policy), {
    type: 'm',
    user: { name: 'n' },
    list: [{ a: 1 }],
  })
  assert.deepEqual(sent({ type: 'open', a: 1, b: { c: '<' } }, policy), { type: 'open', a: 1, b: { c: '&lt;' } })
  assert.deepEqual(sent({ type: 'record', '<': { a: 1, b: 2 } }, policy), { type: 'record', '&lt;': { a: 1 } })
  assert.deepEqual(sent({ type: 'empty', a: 1 }, policy), { type: 'empty' })
  assert.deepEqual(sent({ type: 'tuple', pair: [{ a: 1, b: 2 }, '<'] }, policy), {
    type: 'tuple',
    pair: [{ a: 1 }, '&lt;'],
  })
  assert.deepEqual(
    sent({ type: 'unknown', any: { a: ['<', dangerouslyTrustHtml('<b>'), new Date(0)] }, more: 1 }, policy),
    { type: 'unknown', any: { a: ['&lt;', '&lt;b&gt;', '1970-01-01T00:00:00.000Z'] } },
  )
})

test('an undeclared type, and whatever has none, is an error that does not repeat what was sent', () => {
  const policy = of(Type.Object({}))
  for (const value of [
    'm',
    '{"type":"m"}',
    1,
    null,
    [],
    ['m'],
    {},
    { type: 1 },
    { type: 'n<script>' },
    { type: '__proto__' },
    { type: 'constructor' },
    { type: ['m'] },
    new Map([['type', 'm']]),
    dangerouslyTrustHtml('m'),
    Object.create({ type: 'n' }),
  ]) {
    assert.throws(() => encodeOutgoing(value, policy), {
      code: 'SWS_UNDECLARED_TYPE',
      message: /declared in sends: m$/,
    })
  }
  assert.throws(() => encodeOutgoing(Buffer.from('x'), policy, undefined, false), { code: 'SWS_UNDECLARED_TYPE' })
  const bytes = Buffer.from('x')
  assert.deepEqual(encodeOutgoing(bytes, policy), { payload: bytes, binary: true })
})

test('a message that is not as declared is an error, and tells no value', () => {
  const policy = of(
    Type.Object({
      a: Type.String({ maxLength: 3 }),
      n: Type.Optional(Type.Number()),
      toString: Type.Optional(Type.String()),
    }),
  )
  const wrong = [
    {},
    { a: 1 },
    { a: 'secret' },
    { a: null },
    { a: 'x', n: '1' },
    { a: 'x', n: Number.NaN },
    { a: undefined },
    { a: () => 1 },
    { a: ['x'] },
    { a: { b: 'x' } },
  ]
  for (const fields of wrong) {
    assert.throws(
      () => encodeOutgoing({ type: 'm', ...fields }, policy),
      (error: Error & { code?: string }) => error.code === 'SWS_INVALID_OUTPUT' && !error.message.includes('secret'),
    )
  }
  assert.throws(() => encodeOutgoing({ type: 'm' }, of(Type.Object({ toString: Type.String() }))), {
    code: 'SWS_INVALID_OUTPUT',
  })
  assert.deepEqual(sent({ type: 'm', a: new String('x'), n: undefined }, policy), { type: 'm', a: 'x' })
})

test('OU-11 an unsafe URL is an error, deep inside and in any case', () => {
  const policy = of(Type.Object({ links: Type.Array(Type.Object({ href: link })) }))
  for (const href of ['javascript:alert(1)', 'JAVA\tSCRIPT:x', 'data:text/html,x', '//evil.example']) {
    assert.throws(() => encodeOutgoing({ type: 'm', links: [{ href: '/a' }, { href }] }, policy), {
      code: 'SWS_UNSAFE_URL',
      message: /^links\.1\.href of "m" must/,
    })
  }
  for (const format of ['uri-reference', 'iri', 'iri-reference', 'url']) {
    const other = of(Type.Object({ a: Type.String({ format }) }))
    assert.throws(() => encodeOutgoing({ type: 'm', a: 'javascript:x' }, other), { code: 'SWS_UNSAFE_URL' })
    assert.deepEqual(sent({ type: 'm', a: 'b/c' }, other), { type: 'm', a: 'b/c' })
  }
  assert.throws(() => encodeOutgoing({ type: 'm', a: 'x' }, of(Type.Object({ a: Type.String({ format: 'date' }) }))), {
    code: 'SWS_INVALID_OUTPUT',
  })
})

test('the answer waits for the sanitizer, in arrays and deep members, and for nothing else', async () => {
  const policy = of(
    Type.Object({ list: Type.Array(Type.Object({ body: rich })), top: Type.Optional(rich) }),
    async (dirty) => `(${dirty})`,
  )
  const outgoing = encodeOutgoing(
    { type: 'm', list: [{ body: '<a>' }, { body: dangerouslyTrustHtml('<b>') }], top: '<c>' },
    policy,
  )
  assert.ok(outgoing instanceof Promise)
  assert.deepEqual(JSON.parse(String((await outgoing).payload)), {
    type: 'm',
    list: [{ body: '(<a>)' }, { body: '<b>' }],
    top: '(<c>)',
  })
  assert.deepEqual(sent({ type: 'm', list: [{ body: dangerouslyTrustHtml('<b>') }] }, policy), {
    type: 'm',
    list: [{ body: '<b>' }],
  })
})

test('OU-14 when the sanitizer refuses, the caller gets its error and nothing is sent', async () => {
  const error = new Error('too deep')
  const now = of(Type.Object({ body: rich }), () => {
    throw error
  })
  const later = of(Type.Object({ body: rich }), () => Promise.reject(error))
  assert.throws(() => encodeOutgoing({ type: 'm', body: '<' }, now), error)
  await assert.rejects(async () => encodeOutgoing({ type: 'm', body: '<' }, later), error)
  const unasked = of(Type.Object({ body: rich, n: Type.Number() }), () => assert.fail('asked about an invalid message'))
  assert.throws(() => encodeOutgoing({ type: 'm', body: '<' }, unasked), { code: 'SWS_INVALID_OUTPUT' })
})

test('unions: the first branch that accepts decides what is kept, and what is markup', () => {
  const a = Type.Object({ kind: Type.Literal('a'), body: rich })
  const b = Type.Object({ kind: Type.Literal('b'), body: Type.String(), at: link })
  const policy = policyFor({
    m: { schema: Type.Object({ each: Type.Array(Type.Union([a, b])), maybe: Type.Union([rich, Type.Null()]) }) },
    root: { schema: Type.Union([a, b]) },
  })
  assert.deepEqual(
    sent(
      {
        type: 'm',
        maybe: '<',
        each: [
          { kind: 'a', body: '<', at: 'javascript:x' },
          { kind: 'b', body: '<', at: '/', more: 1 },
        ],
      },
      policy,
    ),
    {
      type: 'm',
      maybe: '[<]',
      each: [
        { kind: 'a', body: '[<]' },
        { kind: 'b', body: '&lt;', at: '/' },
      ],
    },
  )
  assert.deepEqual(sent({ type: 'm', maybe: null, each: [] }, policy), { type: 'm', maybe: null, each: [] })
  assert.deepEqual(sent({ type: 'root', kind: 'b', body: '<', at: '/' }, policy), {
    type: 'root',
    kind: 'b',
    body: '&lt;',
    at: '/',
  })
  assert.throws(() => encodeOutgoing({ type: 'root', kind: 'c', body: '<' }, policy), { code: 'SWS_INVALID_OUTPUT' })
})

test('intersections keep what any part declares; cycles and a schema that names its type work', () => {
  const part = (name: string) => Type.Object({ [name]: Type.String(), deep: Type.Object({ [name]: rich }) })
  const node = Type.Cyclic({ Node: Type.Object({ body: rich, next: Type.Optional(Type.Ref('Node')) }) }, 'Node')
  const policy = policyFor({
    both: { schema: Type.Intersect([part('a'), part('b')]) },
    tree: { schema: Type.Object({ root: node }) },
    again: { schema: Type.Object({ root: node }) },
    named: { schema: Type.Object({ type: Type.Literal('named'), a: Type.Number() }, { additionalProperties: false }) },
    wrong: { schema: Type.Object({ type: Type.Literal('other') }) },
  })
  assert.deepEqual(sent({ type: 'both', a: '<', b: '<', c: 1, deep: { a: '1', b: '2', c: '3' } }, policy), {
    type: 'both',
    a: '&lt;',
    b: '&lt;',
    deep: { a: '[1]', b: '[2]' },
  })
  assert.deepEqual(sent({ type: 'tree', root: { body: '1', x: 1, next: { body: '2' } } }, policy), {
    type: 'tree',
    root: { body: '[1]', next: { body: '[2]' } },
  })
  assert.deepEqual(sent({ type: 'named', a: 1, b: 2 }, policy), { type: 'named', a: 1 })
  assert.throws(() => encodeOutgoing({ type: 'wrong' }, policy), { code: 'SWS_INVALID_OUTPUT' })
})

// A getter that is harmless for the check and hostile for the socket.
test('OU-02 every member is read once; toJSON is called once, and its markup is still markup', () => {
  const policy = of(Type.Object({ at: link, body: Type.Optional(rich) }))
  let reads = 0
  const turning = {
    type: 'm',
    get at() {
      reads += 1
      return reads === 1 ? '/a' : 'javascript:x'
    },
  }
  assert.deepEqual(sent(turning, policy), { type: 'm', at: '/a' })
  assert.equal(reads, 1)
  const post = { toJSON: () => ({ type: 'm', at: new URL('https://a.example/'), body: dangerouslyTrustHtml('<b>') }) }
  assert.deepEqual(sent(post, policy), { type: 'm', at: 'https://a.example/', body: '<b>' })
})

test('OU-03 cycles, BigInt and members that throw are errors at the caller', () => {
  const policy = of(Type.Object({ a: Type.Unknown(), tree: Type.Optional(Type.Unsafe({ $ref: '#' })) }))
  const cycle: { type: string; a?: unknown; tree?: unknown } = { type: 'm', a: 1 }
  cycle.tree = cycle
  const thrower = {
    type: 'm',
    get a() {
      throw 'x'
    },
  }
  for (const value of [cycle, { type: 'm', a: 1n }, { type: 'm', a: [1n] }, thrower, { type: 'm', a: new Map() }]) {
    assert.throws(() => encodeOutgoing(value, policy), { code: 'SWS_NOT_ENCODABLE' })
  }
})

test('a member called __proto__ is a member, and changes nobody', () => {
  const policy = of(Type.Record(Type.String(), Type.Object({ polluted: Type.String() })))
  const outgoing = encodeOutgoing(JSON.parse('{"type":"m","__proto__":{"polluted":"<"}}'), policy)
  assert.ok(!(outgoing instanceof Promise))
  assert.equal(outgoing.payload, '{"type":"m","__proto__":{"polluted":"&lt;"}}')
  assert.equal(Reflect.get({}, 'polluted'), undefined)
})

test('a wrong declaration fails at registration, with its path', () => {
  const wrong: [unknown, RegExp][] = [
    ['m', /secureWs\.sends/],
    [{ m: {} }, /secureWs\.sends\.m\.schema/],
    [{ m: Type.Object({}) }, /secureWs\.sends\.m\.schema/],
    [{ m: { schema: Type.Object({}), rate: 1 } }, /secureWs\.sends\.m\.rate/],
    [{ error: { schema: Type.Object({}) } }, /secureWs\.sends\.error/],
    [{ reply: { schema: Type.Object({}) } }, /secureWs\.sends\.reply/],
    [{ m: { schema: { type: 'objekt' } } }, /secureWs\.sends\.m\.schema/],
    [{ m: { schema: { type: 'object', propertys: {} } } }, /secureWs\.sends\.m\.schema/],
    [{ m: { schema: { $ref: 'https://a.example/schema' } } }, /secureWs\.sends\.m\.schema/],
    [{ m: { schema: { type: 'object', properties: { a: { if: {} } } } } }, /schema\.properties\.a\.if/],
    [{ m: { schema: { $async: true, type: 'object' } } }, /schema\.\$async/],
  ]
  for (const [sends, message] of wrong) {
    assert.throws(() => Reflect.apply(policyFor, undefined, [sends]), { code: 'SWS_BAD_OPTION', message })
  }
})

test('a schema changed after registration changes nothing', () => {
  const schema = { type: 'object', properties: { a: { type: 'string' } } }
  const policy = of(schema)
  Object.assign(schema.properties, { secret: { type: 'string' } })
  assert.deepEqual(sent({ type: 'm', a: 'x', secret: 'y' }, policy), { type: 'm', a: 'x' })
})
