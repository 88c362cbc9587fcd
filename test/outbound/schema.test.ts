import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { Type } from 'typebox'
import { dangerouslyTrustHtml, encodedAs } from '../../src/outbound/encoded.ts'
import {
  compileOutbound,
  type EncodeMode,
  encodeOutgoing,
  type SanitizeHtml,
  type Sends,
} from '../../src/outbound/outbound.ts'
import { typed } from './typed.ts'

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
  return policyFor({ m: { schema: typed(schema) } }, ...rest)
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
      message: /^links\.1\.href of the message "m" must/,
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

// Two posts of one attacker in one list: the first too deep, which a worker finds out, the second too large, known at once.
// A rejection that nobody hears ends the process.
test('OU-14 when one document is refused at once, no refusal of another goes unheard', async () => {
  const unheard: unknown[] = []
  const hear = (cause: unknown) => unheard.push(cause)
  const policy = of(Type.Object({ list: Type.Array(rich) }), (dirty) => {
    if (dirty === 'large') throw new Error('too large')
    return Promise.reject(new Error(`too deep: ${dirty}`))
  })
  process.on('unhandledRejection', hear)
  try {
    assert.throws(() => encodeOutgoing({ type: 'm', list: ['1', '2', 'large'] }, policy), { message: 'too large' })
    await assert.rejects(async () => encodeOutgoing({ type: 'm', list: ['1', '2'] }, policy), {
      message: 'too deep: 1',
    })
    await setImmediate()
  } finally {
    process.off('unhandledRejection', hear)
  }
  assert.deepEqual(unheard, [])
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
    [
      { m: { schema: { type: 'object', properties: { a: { type: 'string', contentEncoding: 'base64' } } } } },
      /schema\.properties\.a\.contentEncoding/,
    ],
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

test('each mistake at the caller says what is wrong, where, and what is declared', () => {
  const policy = policyFor({
    m: { schema: Type.Object({ a: Type.Optional(Type.String()), at: Type.Optional(link) }) },
    n: { schema: Type.Object({ b: Type.String() }) },
  })
  assert.throws(() => encodeOutgoing({ type: 'x' }, policy), {
    code: 'SWS_UNDECLARED_TYPE',
    message: /^`[^`]*sends` (?:has no type|was sent) .*: the types of this route are declared in sends: m, n$/,
  })
  assert.throws(() => encodeOutgoing({ type: 'x' }, policyFor({})), {
    code: 'SWS_UNDECLARED_TYPE',
    message: /^`[^`]*sends` (?:has no type|was sent) .*: the types of this route are declared in sends: none$/,
  })
  const n = of(Type.Object({ a: Type.String(), at: Type.Optional(link) }))
  for (const [fields, why] of [
    [{}, "it must have required property 'a'"],
    [{ a: 1 }, '/a must be string'],
  ] as const) {
    assert.throws(
      () => encodeOutgoing({ type: 'm', ...fields }, n),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, 'SWS_INVALID_OUTPUT')
        assert.equal(error.message, `The message "m" is not as declared: ${why}`)
        return true
      },
    )
  }
  assert.throws(() => encodeOutgoing({ type: 'm', a: 'x', at: 'javascript:x' }, n), {
    code: 'SWS_UNSAFE_URL',
    message: /^at of the message "m" must/,
  })
  // What is not declared is not even looked at.
  assert.deepEqual(sent({ type: 'm', a: 'x', b: 1n, at: '/' }, n), { type: 'm', a: 'x', at: '/' })
  assert.throws(() => encodeOutgoing({ type: 'm', a: 1n }, n), {
    code: 'SWS_NOT_ENCODABLE',
    message: 'A BigInt cannot be sent: send its text',
  })
})

test('a wrong declaration is told by its value, with what to write instead', () => {
  const object = Type.Object({})
  const refused = (path: string, value: string, advice: string) => ({
    code: 'SWS_BAD_OPTION',
    message: `fastify-secure-ws: option \`secureWs.sends${path}\` is ${value}. ${advice}`,
  })
  const ours = 'Use another name: requests, replies, errors, `left` and `expiring` are messages of this package.'
  const wrong: [unknown, ReturnType<typeof refused>][] = [
    ['m', refused('', '"m"', 'Write { said: { schema: Type.Object({ ... }) } }.')],
    [[], refused('', '[]', 'Write { said: { schema: Type.Object({ ... }) } }.')],
    [{ '': { schema: object } }, refused('.', '""', ours)],
    [{ error: { schema: object } }, refused('.error', '"error"', ours)],
    [{ reply: { schema: object } }, refused('.reply', '"reply"', ours)],
    [{ left: { schema: object } }, refused('.left', '"left"', ours)],
    [{ expiring: { schema: object } }, refused('.expiring', '"expiring"', ours)],
    [{ m: null }, refused('.m.schema', 'null', 'Write a schema.')],
    [{ m: [object] }, refused('.m.schema', '[{"type":"object","properties":{}}]', 'Write a schema.')],
    [{ m: { schema: true } }, refused('.m.schema', 'true', 'Write a schema.')],
    [{ m: { schema: object, rate: 1 } }, refused('.m.rate', '1', 'Only `schema` and `reply` are known here.')],
    [
      { m: { schema: { properties: { a: { $ref: '#/$defs/B' } }, $defs: { A: {} } } } },
      refused('.m.schema.properties.a.$ref', '"#/$defs/B"', 'This `$ref` points at nothing in the schema.'),
    ],
  ]
  for (const [sends, expected] of wrong) {
    assert.throws(
      () => Reflect.apply(policyFor, undefined, [sends]),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, expected.code)
        assert.equal(error.message, expected.message)
        return true
      },
    )
  }
})

test('what a member is to JSON decides what is kept: boxes, toJSON, functions, holes', () => {
  const rawJson: unknown = 'rawJSON' in JSON ? JSON.rawJSON : undefined
  assert.ok(typeof rawJson === 'function')
  const typed = Type.Optional(Type.Union([Type.String(), Type.Number(), Type.Boolean(), Type.Null()]))
  const policy = policyFor({
    m: { schema: Type.Object({ a: typed, list: Type.Optional(Type.Array(Type.Any())) }) },
    any: { schema: Type.Object({ a: Type.Any() }) },
    markup: { schema: Type.Object({ a: Type.Optional(rich) }) },
  })
  const markup = dangerouslyTrustHtml('<b>')
  const kept: [unknown, unknown][] = [
    [new String('<'), '&lt;'],
    [new Number(2), 2],
    [new Boolean(false), false],
    [rawJson('"<"'), '&lt;'],
    [rawJson('3'), 3],
    [null, null],
    ['', ''],
    [0, 0],
    [new Date(0), '1970-01-01T00:00:00.000Z'],
    [{ toJSON: () => null }, null],
    [{ toJSON: (key: string) => `key:${key}` }, 'key:a'],
    [{ toJSON: () => markup }, '&lt;b&gt;'],
  ]
  for (const [a, wanted] of kept) {
    for (const type of ['m', 'any']) assert.deepEqual(sent({ type, a }, policy), { type, a: wanted })
  }
  for (const a of [undefined, () => 1, Symbol('s'), { toJSON: () => undefined }, { toJSON: () => () => 1 }]) {
    for (const type of ['m', 'any', 'markup']) {
      if (type !== 'any') assert.deepEqual(sent({ type, a }, policy), { type })
    }
    assert.deepEqual(sent({ type: 'm', list: [a, 1, [a]] }, policy), { type: 'm', list: [null, 1, [null]] })
  }
  assert.deepEqual(sent({ type: 'm', list: new Array(1) }, policy), { type: 'm', list: [null] })
  assert.deepEqual(sent({ type: 'any', a: { toJSON: 1, b: '<' } }, policy), {
    type: 'any',
    a: { toJSON: 1, b: '&lt;' },
  })
  assert.deepEqual(sent({ type: 'markup', a: new String('<') }, policy), { type: 'markup', a: '[<]' })
  assert.deepEqual(sent({ type: 'markup', a: { toJSON: () => markup } }, policy), { type: 'markup', a: '<b>' })
  assert.deepEqual(sent({ type: 'markup', a: encodedAs('js', '<b>') }, policy), { type: 'markup', a: '[<b>]' })
})

test('the message itself may come from toJSON; what that returns must be a declared object', () => {
  const policy = of(Type.Object({ a: Type.String() }))
  assert.deepEqual(sent({ toJSON: (key: string) => ({ type: 'm', a: `<${key}` }) }, policy), { type: 'm', a: '&lt;' })
  assert.deepEqual(sent({ type: 'm', a: 'x', toJSON: 1 }, policy), { type: 'm', a: 'x' })
  for (const body of [null, undefined, 'm', 1, () => ({ type: 'm', a: 'x' })]) {
    assert.throws(() => encodeOutgoing({ toJSON: () => body }, policy), {
      code: 'SWS_UNDECLARED_TYPE',
      message: /(?:has no type|was sent) .*: the types of this route are declared in sends: m$/,
    })
  }
})

// A part that says nothing about markup must not turn a link or markup of the next into something else.
test('patterns, tuples, true, false and what is left over are projected each by its own schema', () => {
  const policy = of({
    properties: {
      exact: { type: 'string' },
      never: false,
      anything: true,
      pair: { items: [{ contentMediaType: 'text/html' }, { type: 'string' }], additionalItems: { format: 'uri' } },
      short: { items: [{ type: 'string' }], additionalItems: false },
      open: { items: [{ type: 'string' }] },
      list: { items: { properties: { a: { type: 'number' } } } },
      bare: { type: 'object' },
      loose: { description: 'says nothing' },
    },
    patternProperties: { '^x': { contentMediaType: 'text/html' }, '^\\u{1f600}$': { type: 'number' } },
    additionalProperties: { format: 'iri' },
  })
  const ok = (fields: object, wanted: object = fields) =>
    assert.deepEqual(sent({ type: 'm', ...fields }, policy), { type: 'm', ...wanted })
  ok({ exact: '<' }, { exact: '&lt;' })
  ok({ xtra: '<', '\u{1f600}': 1 }, { xtra: '[<]', '\u{1f600}': 1 })
  ok({ anything: { a: ['<'] }, loose: { b: '<' } }, { anything: { a: ['&lt;'] }, loose: { b: '&lt;' } })
  ok({ never: 'secret' }, {})
  ok({ pair: ['<', '<', '/a'] }, { pair: ['[<]', '&lt;', '/a'] })
  ok({ open: ['<', { a: '<' }] }, { open: ['&lt;', { a: '&lt;' }] })
  ok({ list: [{ a: 1, secret: 2 }, {}] }, { list: [{ a: 1 }, {}] })
  // Another kind of value does not pass whole.
  assert.throws(() => sent({ type: 'm', list: [['secret']] }, policy), { code: 'SWS_INVALID_OUTPUT' })
  ok({ bare: { secret: 1 } }, { bare: {} })
  ok({ link: '/a' })
  for (const fields of [{ link: 'javascript:x' }, { pair: ['', '', '/', 'javascript:x'] }]) {
    assert.throws(() => encodeOutgoing({ type: 'm', ...fields }, policy), {
      code: 'SWS_UNSAFE_URL',
      message: /^(?:link|pair\.3) of the message "m" must/,
    })
  }
  assert.throws(() => encodeOutgoing({ type: 'm', short: ['x', 'more'] }, policy), { code: 'SWS_INVALID_OUTPUT' })
})

test('allOf, oneOf and $ref together: each part adds what it declares, in objects and in lists', () => {
  const policy = policyFor({
    m: {
      schema: typed({
        $ref: '#/$defs/Base',
        allOf: [
          { properties: { list: { items: { properties: { a: { type: 'string' } } } }, none: { type: 'null' } } },
          { properties: { list: { items: { properties: { b: { contentMediaType: 'text/html' } } } } } },
        ],
        oneOf: [
          { properties: { kind: { const: 'x' }, one: { contentMediaType: 'text/html' } }, required: ['kind'] },
          { properties: { kind: { const: 'y' }, one: { type: 'string' } }, required: ['kind'] },
        ],
        $defs: { Base: { properties: { base: { type: 'string' }, none: {} } } },
      }),
    },
  })
  const fields = { base: '<', none: null, list: [{ a: '<', b: '<', c: 1 }, {}], secret: 1 }
  const both = { base: '&lt;', none: null, list: [{ a: '&lt;', b: '[<]' }, {}] }
  assert.deepEqual(sent({ type: 'm', kind: 'x', one: '<', ...fields }, policy), {
    ...{ type: 'm', kind: 'x', one: '[<]' },
    ...both,
  })
  assert.deepEqual(sent({ type: 'm', kind: 'y', one: '<', ...fields }, policy), {
    ...{ type: 'm', kind: 'y', one: '&lt;' },
    ...both,
  })
  assert.throws(() => encodeOutgoing({ type: 'm', kind: 'z', ...fields }, policy), { code: 'SWS_INVALID_OUTPUT' })
})

// additionalProperties: false and a schema that names its type somewhere else than on top.
test('type is checked wherever the schema names it, and is unknown to a schema that does not', () => {
  const named = { type: 'object', properties: { type: { const: 'm' } }, required: ['type'] }
  for (const schema of [
    { allOf: [named] },
    { anyOf: [{ type: 'null' }, named] },
    { oneOf: [named] },
    { $ref: '#/$defs/A', $defs: { A: { allOf: [{ $ref: '#/$defs/B' }] }, B: named } },
  ]) {
    assert.deepEqual(sent({ type: 'm', secret: 1 }, of(schema)), { type: 'm' })
  }
  const unnamed = of({ type: 'object', properties: { a: { type: 'number' } }, maxProperties: 1 })
  assert.deepEqual(sent({ type: 'm', a: 1 }, unnamed), { type: 'm', a: 1 })
  const partly = of({ properties: { a: { type: 'number' } }, allOf: [true], maxProperties: 1 })
  assert.deepEqual(sent({ type: 'm', a: 1 }, partly), { type: 'm', a: 1 })
  const inherited = of({ $ref: '#/$defs/A', $defs: { A: { properties: { a: {} }, maxProperties: 1 } } })
  assert.deepEqual(sent({ type: 'm', a: 1 }, inherited), { type: 'm', a: 1 })
})

test('a schema that is one of its own parts is refused, however it gets there', () => {
  for (const schema of [
    { $ref: '#' },
    { properties: { type: {} }, anyOf: [{ type: 'object' }, { $ref: '#' }] },
    { allOf: [{ $ref: '#/$defs/A' }], $defs: { A: { oneOf: [{ $ref: '#/$defs/B' }] }, B: { $ref: '#/$defs/A' } } },
  ]) {
    assert.throws(() => of(schema), {
      code: 'SWS_BAD_OPTION',
      message: /`secureWs\.sends\.m\.schema.*one of its own parts.*from a member or an item/,
    })
  }
  // Near misses: the same part twice, many parts deep, and a schema that is a member of itself.
  let deep: object = { properties: { type: { const: 'm' } } }
  for (let level = 0; level < 12; level++) deep = { allOf: [deep] }
  const named = { $ref: '#/$defs/A', ...{ allOf: [{ $ref: '#/$defs/A' }], $defs: { A: deep } } }
  assert.deepEqual(sent({ type: 'm', a: 1 }, of(named)), { type: 'm' })
  const tree = of({ properties: { left: { $ref: '#' }, a: {} } })
  assert.deepEqual(sent({ type: 'm', left: { left: { a: 1, b: 1 } } }, tree), { type: 'm', left: { left: { a: 1 } } })
})

test('keywords of a schema shared with receives, and every URL format, compile', () => {
  const policy = of({
    properties: { a: { type: 'string', sanitize: ['trim'] }, pair: { items: [{}] }, b: { type: ['string', 'null'] } },
    required: ['elsewhere'],
  })
  assert.throws(() => encodeOutgoing({ type: 'm', a: '<' }, policy), {
    code: 'SWS_INVALID_OUTPUT',
    message: `The message "m" is not as declared: it must have required property 'elsewhere'`,
  })
  for (const format of ['uri', 'uri-reference', 'iri', 'iri-reference', 'url']) {
    const link = of({ properties: { a: { format } } })
    assert.deepEqual(sent({ type: 'm', a: '/a b' }, link), { type: 'm', a: '/a b' })
    for (const a of [['javascript:x', 1], { a: 'javascript:x' }]) {
      assert.throws(() => sent({ type: 'm', a }, link), { code: 'SWS_INVALID_OUTPUT' })
    }
  }
})

// Without a type, a keyword is about some kinds of values only: every other kind passed whole.
test('a keyword without its type is refused', () => {
  for (const a of [{ minLength: 1 }, { properties: {} }, { items: {} }, { minimum: 1 }, { format: 'uri' }]) {
    assert.throws(() => policyFor({ m: { schema: { type: 'object', properties: { a } } } }), {
      code: 'SWS_BAD_OPTION',
      message: /type/,
    })
  }
})

test('markup is not judged as a URL', () => {
  const policy = of(Type.Object({ body: rich, at: link }))
  assert.deepEqual(sent({ type: 'm', body: 'javascript:x', at: '/' }, policy), {
    ...{ type: 'm', body: '[javascript:x]', at: '/' },
  })
})

test('a sanitizer may answer with markup or text, at once or later', async () => {
  const clean = dangerouslyTrustHtml('<i>')
  const schema = Type.Object({ a: rich, deep: Type.Object({ list: Type.Array(rich) }) })
  for (const answer of [clean, '<i>']) {
    const wanted = { type: 'm', a: '<i>', deep: { list: ['<i>', '<i>'] } }
    const value = { type: 'm', a: '<', deep: { list: ['<', '<'] } }
    assert.deepEqual(
      sent(
        value,
        of(schema, () => answer),
      ),
      wanted,
    )
    const later = encodeOutgoing(
      value,
      of(schema, () => Promise.resolve(answer)),
    )
    assert.ok(later instanceof Promise)
    assert.deepEqual(JSON.parse(String((await later).payload)), wanted)
  }
})
