import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toStandardJsonSchema } from '@valibot/to-json-schema'
import { type } from 'arktype'
import Fastify from 'fastify'
import { Type } from 'typebox'
import * as v from 'valibot'
import { z } from 'zod'
import secureWs from '../../src/index.ts'
import { toJsonSchema } from '../../src/schema/standard-schema.ts'
import { json } from '../harness/frames.ts'
import { startServer } from '../harness/server.ts'
import { until } from '../harness/until.ts'

/** One message, four times: what is refused must not depend on the library. */
const libraries = {
  typebox: {
    schema: Type.Object({
      text: Type.String({ minLength: 1, maxLength: 20 }),
      to: Type.Optional(Type.String({ format: 'uuid' })),
      kind: Type.Union([Type.Literal('note'), Type.Literal('call')]),
      at: Type.Union([Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }), Type.Null()]),
      tags: Type.Array(Type.String({ maxLength: 8 }), { maxItems: 3 }),
      by: Type.Object({ name: Type.String() }),
    }),
    reply: Type.Object({ name: Type.String() }),
  },
  zod: {
    schema: z.object({
      text: z.string().min(1).max(20),
      to: z.guid().optional(),
      kind: z.enum(['note', 'call']),
      at: z.int().min(0).nullable(),
      tags: z.array(z.string().max(8)).max(3),
      by: z.object({ name: z.string() }),
    }),
    reply: z.object({ name: z.string() }),
  },
  valibot: {
    schema: toStandardJsonSchema(
      v.object({
        text: v.pipe(v.string(), v.minLength(1), v.maxLength(20)),
        to: v.optional(v.pipe(v.string(), v.uuid())),
        kind: v.picklist(['note', 'call']),
        at: v.nullable(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(Number.MAX_SAFE_INTEGER))),
        tags: v.pipe(v.array(v.pipe(v.string(), v.maxLength(8))), v.maxLength(3)),
        by: v.object({ name: v.string() }),
      }),
    ),
    reply: toStandardJsonSchema(v.object({ name: v.string() })),
  },
  arktype: {
    schema: type({
      text: '1 <= string <= 20',
      'to?': /^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/,
      kind: "'note' | 'call'",
      at: '0 <= number.integer <= 9007199254740991 | null',
      tags: '(string <= 8)[] <= 3',
      by: { name: 'string' },
    }),
    reply: type({ name: 'string' }),
  },
} as const

const uuid = '0b0f8a3e-6a0c-4b52-8d2f-7d0f8e9f1c11'
const good = { text: 'hello', kind: 'note', at: 7, tags: ['a'], by: { name: 'Ada' } }
const accepted: readonly object[] = [
  good,
  { ...good, to: uuid },
  { ...good, at: null },
  { ...good, at: 0 },
  { ...good, tags: [] },
  { ...good, tags: ['12345678', 'b', 'c'] },
  { ...good, text: 'x'.repeat(20) },
  { ...good, kind: 'call' },
]
const without = (name: keyof typeof good) => Object.fromEntries(Object.entries(good).filter(([key]) => key !== name))
const refused: readonly object[] = [
  ...(['text', 'kind', 'at', 'tags', 'by'] as const).map(without),
  ...['isAdmin', 'userId', 'To', 'toString', 'valueOf', 'hasOwnProperty'].map((name) => ({ ...good, [name]: true })),
  ...['', 'x'.repeat(21), 7, null, true, [], {}, ['hello']].map((text) => ({ ...good, text })),
  ...['', 'Note', 'notes', 1, null, ['note'], { note: 1 }].map((kind) => ({ ...good, kind })),
  ...[-1, 1.5, '7', true, [7], {}, 9007199254740992].map((at) => ({ ...good, at })),
  ...[null, 'a', {}, ['123456789'], ['a', 'b', 'c', 'd'], [1], [null], [['a']]].map((tags) => ({ ...good, tags })),
  ...[null, 'Ada', [], {}, { name: 7 }, { name: 'Ada', role: 'root' }].map((by) => ({ ...good, by })),
  ...['', 'x', uuid.slice(1), `${uuid}0`, 7, null, [uuid]].map((to) => ({ ...good, to })),
]

test('the same application, written with four libraries, takes and refuses the same messages', async (t) => {
  assert.ok(refused.length >= 50)
  const server = await startServer(
    t,
    { limits: { refusals: { perMinute: 1000 }, messages: { perSecond: 1000, burst: 1000 } } },
    (app) => {
      for (const [name, { schema, reply }] of Object.entries(libraries)) {
        app.get(`/${name}`, { websocket: true, secureWs: { receives: { say: { schema, reply } } } }, (socket) => {
          socket.on('say', () => ({ name: 'Ada', passwordHash: 'secret' }))
        })
      }
    },
  )
  for (const name of Object.keys(libraries)) {
    const peer = await server.connect({ path: `/${name}` })
    const messages = [...accepted, ...refused]
    peer.write(...messages.map((message, id) => json({ type: 'say', id, ...message })))
    await until(() => peer.messages.length === messages.length, `${name}: all were answered`)
    for (const [id, message] of messages.entries()) {
      const expected =
        id < accepted.length
          ? { type: 'reply', id, value: { name: 'Ada' } }
          : { type: 'error', code: 'SWS_INVALID_MESSAGE', id }
      assert.deepEqual(peer.messages[id], expected, `${name}: ${JSON.stringify(message)}`)
    }
  }
})

// A schema that says more than its JSON Schema is a check that nobody asks: it fails the start, with the place.
test('what JSON Schema does not carry is refused at registration, with what to do instead', () => {
  const refinement = /A refinement is not JSON Schema: ask in `authorize` of the message, or in the listener\./
  const transform = /A transform is not JSON Schema/
  const filled = /A default is not filled in/
  const flags = /A flag of a regular expression is not JSON Schema/
  const text = z.string()
  const zodCases: [z.ZodType, RegExp, string][] = [
    [text.refine((value) => value !== ''), refinement, '.a'],
    [text.superRefine(() => {}), refinement, '.a'],
    [z.array(z.object({ b: text.refine(() => true) })), refinement, '.a.b'],
    [z.union([z.number(), text.refine(() => true)]), refinement, '.a'],
    [
      z.record(
        text,
        text.refine(() => true),
      ),
      refinement,
      '.a',
    ],
    [z.tuple([text, text.refine(() => true)]), refinement, '.a'],
    [z.lazy(() => text.refine(() => true)), refinement, '.a'],
    [
      text
        .refine(() => true)
        .nullable()
        .optional()
        .readonly(),
      refinement,
      '.a',
    ],
    // Of these zod's JSON Schema says less than they ask: `javascript:x` is a URI.
    [z.url({ protocol: /^https$/ }), refinement, '.a'],
    [z.url({ hostname: /^a\.example$/ }), refinement, '.a'],
    [z.httpUrl(), refinement, '.a'],
    [z.stringFormat('email', (value) => value.endsWith('@a.example')), refinement, '.a'],
    [text.regex(/^[^a]+$/i), flags, '.a'],
    [text.regex(/^a/).regex(/^b$/m), flags, '.a'],
    [z.email({ pattern: /^[^a]+@b$/i }), flags, '.a'],
    [z.record(text.regex(/^a$/i), z.number()), flags, '.a'],
    [z.url({ normalize: true }), transform, '.a'],
    [text.trim(), transform, '.a'],
    [text.toLowerCase(), transform, '.a'],
    [z.coerce.number(), transform, '.a'],
    [text.transform(Number), transform, '.a'],
    [z.preprocess(String, text), transform, '.a'],
    [z.codec(text, z.number(), { decode: Number, encode: String }), transform, '.a'],
    [z.stringbool(), transform, '.a'],
    [text.default('x'), filled, '.a'],
    [text.prefault('x'), filled, '.a'],
    [text.catch('x'), filled, '.a'],
  ]
  for (const [a, message, at] of zodCases) {
    const expected = (error: Error & { code?: string }) => {
      assert.equal(error.code, 'SWS_BAD_OPTION')
      assert.match(error.message, message)
      assert.ok(error.message.includes(`\`at${at}\` is "(a schema of zod)"`), error.message)
      return true
    }
    assert.throws(() => toJsonSchema(z.object({ a }), 'at'), expected)
  }
  const a = v.string()
  const valibotCases: [v.GenericSchema, RegExp][] = [
    [
      v.object({
        a: v.pipe(
          a,
          v.check(() => true),
        ),
      }),
      /no JSON Schema for it: The "check" action/,
    ],
    [v.object({ a: v.pipe(a, v.regex(/^[^a]+$/i)) }), /no JSON Schema for it: RegExp flags are not supported/],
    [v.object({ a: v.pipe(a, v.trim()) }), /no JSON Schema for it: The "trim" action/],
    [v.object({ a: v.pipe(a, v.transform(Number)) }), /no JSON Schema for it: The "transform" action/],
    [v.object({ a: v.optional(a, 'x') }), filled],
  ]
  for (const [schema, message] of valibotCases) {
    assert.throws(() => toJsonSchema(toStandardJsonSchema(schema), 'at'), { code: 'SWS_BAD_OPTION', message })
  }
  const arktypeCases: [object, RegExp][] = [
    [type({ a: type('string').narrow(() => true) }), refinement],
    [type({ a: 'string.url' }), refinement],
    [type({ a: /^[^a]+$/i }), flags],
    [type({ a: type(/^a$/i).array() }), flags],
    [type({ 'a?': /^[^a]$/s }), flags],
    [type({ a: 'string.trim' }), transform],
    [type({ a: 'string.numeric.parse' }), transform],
    [type({ a: "string = 'x'" }), /A transform|A default/],
  ]
  for (const [schema, message] of arktypeCases) {
    assert.throws(() => toJsonSchema(schema, 'at'), { code: 'SWS_BAD_OPTION', message })
  }
})

test('what says nothing more than its JSON Schema passes, and is read once', () => {
  const { email, id, word, mac, cycle } = {
    ...{ email: z.email(), id: z.uuid(), word: z.string().regex(/^a$/u).regex(/b/g) },
    ...{ mac: z.stringFormat('hostname', /^[a-f]$/), cycle: type({ a: /^[a-c]$/u, b: 'string.uuid' }) },
  }
  for (const schema of [z.object({ email, id, word, mac }), cycle])
    assert.ok(Object(toJsonSchema(schema, 'at')).properties)
  // A getter that says one thing to who looks for defaults, and another to who copies.
  let reads = 0
  const converted = {
    type: 'object',
    get properties() {
      return { a: reads++ < 2 ? { type: 'string' } : { type: 'string', default: 'x' } }
    },
  }
  const standard = (input: () => unknown) => ({
    '~standard': { version: 1, vendor: 'x', validate: () => {}, jsonSchema: { input, output: input } },
  })
  const { properties }: { properties?: unknown } = Object(
    toJsonSchema(
      standard(() => converted),
      'at',
    ),
  )
  assert.deepEqual([properties, properties], [{ a: { type: 'string' } }, { a: { type: 'string' } }])
  const circle: { type: string; self?: unknown } = { type: 'object' }
  circle.self = circle
  for (const wrong of [undefined, circle, 1n]) {
    assert.throws(
      () =>
        toJsonSchema(
          standard(() => wrong),
          'at',
        ),
      { code: 'SWS_BAD_OPTION', message: /has no JSON Schema for it/ },
    )
  }
})

test('a library without Standard JSON Schema is named, with the helper that gives it', async () => {
  const advice: [object, RegExp][] = [
    [
      v.object({ a: v.string() }),
      /"\(a schema of valibot\)"\. Wrap it: `toStandardJsonSchema\(schema\)` of @valibot\/to-json-schema\.$/,
    ],
    [{ '~standard': { version: 1, vendor: 'zod', validate: () => {} } }, /Update zod to 4\.2 or newer\.$/],
    [
      { '~standard': { version: 1, vendor: 'other', validate: () => {} } },
      /Its library has no Standard JSON Schema for it: write JSON Schema\.$/,
    ],
  ]
  for (const [schema, message] of advice) {
    const app = Fastify()
    await app.register(secureWs, { authenticate: false })
    const declare = () => app.get('/', { websocket: true, secureWs: { receives: { say: { schema } } } }, () => {})
    assert.throws(declare, { code: 'SWS_BAD_OPTION', message })
    await app.close()
  }
})

test('what is no schema of a library comes back as it came', () => {
  for (const given of [{ type: 'object' }, Type.Object({}), null, undefined, true, 'x', () => {}, { '~standard': 1 }]) {
    assert.equal(toJsonSchema(given, 'at'), given)
  }
  // A member of that name is a member, not the keyword.
  const named = z.object({ default: z.string(), properties: z.object({ default: z.number() }) })
  assert.deepEqual(Object.keys(Object(toJsonSchema(named, 'at')).properties), ['default', 'properties'])
})
