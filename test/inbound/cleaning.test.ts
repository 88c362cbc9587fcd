import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Type } from 'typebox'
import { SecureWsError } from '../../src/errors.ts'
import type { SanitizeHtml } from '../../src/inbound/cleaning.ts'
import { sanitizeMessage } from '../../src/inbound/cleaning.ts'
import { compileSchema } from '../../src/inbound/schema.ts'

const html = { contentMediaType: 'text/html' }
const plain = { sanitize: ['strip-tags', 'one-line', 'trim'] }

const text = { type: 'string', ...plain }
const any = ['string', 'number', 'boolean', 'null', 'array', 'object']
const definitions: Readonly<Record<string, object>> = {
  Clean: text,
  CleanList: { type: 'array', items: text },
  Tree: { type: 'object', properties: { t: text, below: { $ref: '#/$defs/Tree' } } },
  Text: { type: 'string' },
  Count: { type: 'integer' },
  Again: { $ref: '#/$defs/Count' },
  Chain: { type: 'object', properties: { next: { $ref: '#/$defs/Chain' } } },
}

/** Branches that clean: the kinds of value they take, as far as one look tells, and a value before and after. */
const cleaning: readonly (readonly [object, readonly string[], () => unknown, unknown])[] = [
  [text, ['string'], () => ' <b>x', 'x'],
  [{ type: 'array', items: text }, ['array'], () => [' ', 'x '], ['', 'x']],
  [{ type: ['array', 'null'], items: text }, ['array', 'null'], () => ['x '], ['x']],
  [{ type: 'object', properties: { x: text } }, ['object'], () => ({ x: '<i>' }), { x: '' }],
  [{ type: ['integer', 'object'], additionalProperties: text }, ['number', 'object'], () => ({ x: ' y ' }), { x: 'y' }],
  [{ $ref: '#/$defs/Clean' }, ['string'], () => ' <b>x', 'x'],
  [{ $ref: '#/$defs/CleanList' }, ['array'], () => [' '], ['']],
  [{ $ref: '#/$defs/Tree' }, ['object'], () => ({ below: { t: ' t ' } }), { below: { t: 't' } }],
  [{ allOf: [text] }, any, () => ' ', ''],
]

/** Branches that do not. */
const others: readonly (readonly [unknown, readonly string[]])[] = [
  ...any.map((type) => [{ type }, [type]] as const),
  [{ type: 'integer' }, ['number']],
  [{ type: ['integer', 'null'] }, ['number', 'null']],
  [{ type: ['string', 'boolean'] }, ['string', 'boolean']],
  [{ enum: ['x', 1] }, ['string', 'number']],
  [{ enum: [null, [1]] }, ['null', 'array']],
  [{ enum: [{ x: 1 }, true] }, ['object', 'boolean']],
  [{ const: 'x' }, ['string']],
  [{ const: null }, ['null']],
  [{ const: [] }, ['array']],
  [{ const: 1 }, ['number']],
  [{}, any],
  [true, any],
  [false, []],
  [{ $ref: '#/$defs/Text' }, ['string']],
  [{ $ref: '#/$defs/Count' }, ['number']],
  [{ $ref: '#/$defs/Chain' }, ['object']],
  // One look does not tell.
  [{ $ref: '#/$defs/Again' }, any],
  [{ allOf: [{ type: 'null' }] }, any],
]

/** With those that are referred to, as an unused one that cleans is refused. */
function withDefinitions(schema: object): object {
  const used = new Set<string>()
  const collect = (within: object) => {
    for (const [, name = ''] of JSON.stringify(within).matchAll(/"#\/\$defs\/(\w+)"/g)) {
      if (used.has(name)) continue
      used.add(name)
      collect(definitions[name] ?? {})
    }
  }
  collect(schema)
  return { ...schema, $defs: Object.fromEntries([...used].map((name) => [name, definitions[name]])) }
}

async function cleaned(schema: object, message: object, sanitizeHtml: SanitizeHtml = async (dirty) => `[${dirty}]`) {
  const compiled = compileSchema(schema, [], 'schema')
  assert.equal(compiled.refuse(message), undefined)
  const refusal = await sanitizeMessage(message, compiled, sanitizeHtml)
  return refusal?.code ?? message
}

function wrong(schema: object, message: RegExp): void {
  assert.throws(() => compileSchema(schema, [], 'receives.say.schema'), { code: 'SWS_BAD_OPTION', message })
}

describe('sanitizeMessage', () => {
  it('does the text steps in the order they are written', async () => {
    const schema = (...sanitize: string[]) => Type.Object({ t: Type.String({ sanitize }) })
    assert.deepEqual(await cleaned(schema('strip-tags', 'one-line', 'trim'), { t: ' <b>a\r\nb</b>\n' }), { t: 'a b' })
    assert.deepEqual(await cleaned(schema('trim', 'one-line'), { t: '\u0001a\u0001' }), { t: ' a ' })
    assert.deepEqual(await cleaned(schema('one-line', 'trim'), { t: '\u0001a\u0001' }), { t: 'a' })
  })

  it('finds strings in members, arrays, tuples, records, intersections, references and cycles', async () => {
    const schema = Type.Object({
      a: Type.Object({ list: Type.Array(Type.String(plain)) }),
      tuple: Type.Tuple([Type.Number(), Type.String(plain)]),
      record: Type.Record(Type.String(), Type.String(plain)),
      both: Type.Intersect([Type.Object({ x: Type.String(plain) }), Type.Object({ y: Type.String() })]),
      tree: Type.Cyclic(
        { Node: Type.Object({ v: Type.String(plain), next: Type.Optional(Type.Ref('Node')) }) },
        'Node',
      ),
      more: Type.Object({ known: Type.String() }, { additionalProperties: Type.String(plain) }),
      raw: Type.String(),
    })
    const b = '<b> x '
    assert.deepEqual(
      await cleaned(schema, {
        a: { list: [b, b] },
        tuple: [1, b],
        record: { k: b, constructor: b },
        both: { x: b, y: b },
        tree: { v: b, next: { v: b, next: { v: b } } },
        more: { known: b, other: b },
        raw: b,
      }),
      {
        a: { list: ['x', 'x'] },
        tuple: [1, 'x'],
        record: { k: 'x', constructor: 'x' },
        both: { x: 'x', y: b },
        tree: { v: 'x', next: { v: 'x', next: { v: 'x' } } },
        more: { known: b, other: 'x' },
        raw: b,
      },
    )
  })

  // { "n": { "n": ... } }: two parts led to the same member, so its plan was followed twice, and four times below that. 200 bytes
  // were two thousand million looks, and the server was gone.
  it('MS-09 follows a plan once, however many parts of a recursive schema lead to it', {
    timeout: 30_000,
  }, async () => {
    const part = (more: object) => ({ type: 'object', properties: { n: { $ref: '#/$defs/A' }, ...more } })
    const list = (more: object) => ({
      type: 'object',
      properties: { l: { type: 'array', items: { $ref: '#/$defs/A' } }, ...more },
    })
    const text = { t: { type: 'string', ...plain } }
    const allOf = [
      part(text),
      part({}),
      list({}),
      list({}),
      { type: 'object', patternProperties: { '^n$': { $ref: '#/$defs/A' } } },
    ]
    const schema = { type: 'object', properties: { a: { $ref: '#/$defs/A' } }, $defs: { A: { allOf } } }
    const nested = (t: string, below = 15): object => (below === 0 ? { t } : { n: { l: [nested(t, below - 1)] } })
    assert.deepEqual(await cleaned(schema, { a: nested(' <b>x\ny') }), { a: nested('x y') })
  })

  it('sends HTML through the sanitizer, after the text steps, and nothing else', async () => {
    const schema = Type.Object({ body: Type.String({ sanitize: ['trim'], ...html }), title: Type.String() })
    assert.deepEqual(await cleaned(schema, { body: ' <p> ', title: ' <p> ' }), { body: '[<p>]', title: ' <p> ' })
    assert.deepEqual(await cleaned(schema, { body: 'x', title: '' }, (dirty) => dirty.toUpperCase()), {
      body: 'X',
      title: '',
    })
  })

  it('stays synchronous without HTML', () => {
    const compiled = compileSchema(Type.Object({ t: Type.String(plain) }), [], 'schema')
    assert.equal(sanitizeMessage({ t: '<b>' }, compiled, assert.fail), undefined)
  })

  // "   " has a length of three, and of none once it is trimmed.
  it('checks the message once more when a text step changed it', async () => {
    const schema = Type.Object({ name: Type.String({ sanitize: ['strip-tags', 'trim'], minLength: 1 }) })
    assert.equal(await cleaned(schema, { name: '   ' }), 'SWS_INVALID_MESSAGE')
    assert.equal(await cleaned(schema, { name: '<b></b>' }), 'SWS_INVALID_MESSAGE')
    assert.deepEqual(await cleaned(schema, { name: ' a ' }), { name: 'a' })
  })

  it('does not refuse HTML that grew by being written properly', async () => {
    const schema = Type.Object({ body: Type.String({ ...html, maxLength: 5 }) })
    assert.deepEqual(await cleaned(schema, { body: 'a & b' }, async () => 'a &amp; b'), { body: 'a &amp; b' })
  })

  it('refuses when the sanitizer refuses, throws, or returns no string', async () => {
    const schema = Type.Object({ a: Type.String(html), b: Type.String(html) })
    const message = () => ({ a: 'x', b: '<script>' })
    const refusing = async (dirty: string) => {
      if (dirty === 'x') return dirty
      throw new SecureWsError('SWS_SANITIZE_REFUSED', 'too deep')
    }
    assert.equal(await cleaned(schema, message(), refusing), 'SWS_INVALID_MESSAGE')
    assert.equal(await cleaned(schema, message(), () => Promise.reject(new Error('no worker'))), 'SWS_INTERNAL')
    assert.equal(
      await cleaned(schema, message(), () => {
        throw new Error('no worker')
      }),
      'SWS_INTERNAL',
    )
    assert.equal(await cleaned(schema, message(), async () => JSON.parse('null')), 'SWS_INTERNAL')
  })
})

describe('a sanitized string in a schema', () => {
  it('may be a branch of a union when the kind of value tells which', async () => {
    const schema = Type.Object({ t: Type.Union([Type.Null(), Type.Number(), Type.String(plain)]) })
    assert.deepEqual(await cleaned(schema, { t: ' <b>' }), { t: '' })
    assert.deepEqual(await cleaned(schema, { t: null }), { t: null })
    assert.deepEqual(
      await cleaned(Type.Object({ t: Type.Union([Type.Null(), Type.Object({ x: Type.String(plain) })]) }), {
        t: { x: ' ' },
      }),
      {
        t: { x: '' },
      },
    )
  })

  it('fails registration where another branch could describe the same value', () => {
    wrong(Type.Object({ t: Type.Union([Type.String(plain), Type.String()]) }), /union/)
    wrong(Type.Union([Type.Object({ a: Type.String(plain) }), Type.Object({ b: Type.String() })]), /union/)
    wrong(Type.Object({ t: Type.Union([Type.String(html), Type.Unknown()]) }), /union/)
    wrong(Type.Object({ t: Type.Union([Type.String(html), Type.Literal('x')]) }), /union/)
  })

  // A string that two branches could describe is cleaned or not by chance: the client picks the branch that does not clean.
  it('is certain in a branch exactly where no other branch takes the same kind of value', async () => {
    for (const [branch, kinds, dirty, clean] of cleaning) {
      for (const [other, otherKinds] of others) {
        const isCertain = kinds !== any && kinds.every((kind) => !otherKinds.includes(kind))
        for (const keyword of ['anyOf', 'oneOf']) {
          for (const branches of [
            [branch, other],
            [other, branch],
          ]) {
            const told = JSON.stringify({ [keyword]: branches })
            const schema = withDefinitions({ type: 'object', properties: { t: { [keyword]: branches } } })
            if (isCertain) assert.deepEqual(await cleaned(schema, { t: dirty() }), { t: clean }, told)
            else wrong(schema, /`receives\.say\.schema` is "\(a union\)".*another could describe the same kind/)
          }
        }
      }
    }
  })

  it('is as certain whatever else is in the schema, if nothing of that is cleaned', async () => {
    const twice = { anyOf: [{ $ref: '#/$defs/Chain' }, { type: 'object' }] }
    const beside: readonly object[] = [
      { type: 'object', properties: { u: { anyOf: [{ type: 'string' }, { type: 'string', maxLength: 9 }] } } },
      { type: 'object', properties: { u: { oneOf: [twice, { type: 'null' }] } } },
      { type: 'object', if: { required: ['u'] }, else: { properties: { w: { type: 'string' } } } },
      { type: 'object', dependentSchemas: { u: { properties: { u: { type: 'string' } } } } },
      { type: 'object', properties: { u: { const: { sanitize: ['trim'] } }, v: { enum: [{ sanitize: [] }, 1] } } },
    ]
    for (const other of beside) {
      const schema = withDefinitions({ allOf: [{ type: 'object', properties: { t: text } }, other] })
      assert.deepEqual(await cleaned(schema, { t: ' x' }), { t: 'x' }, JSON.stringify(other))
    }
  })

  // Without the flag that reads whole characters, the name of one is two: it would be declared by the pattern, and not cleaned.
  it('is found by a pattern as the validator reads it, and behind the first items', async () => {
    const name = { type: 'object', patternProperties: { '^.$': text } }
    assert.deepEqual(await cleaned(name, { '\u{1f600}': ' x' }), { '\u{1f600}': 'x' })
    const list = { type: 'array', items: [{ type: 'string' }], additionalItems: text }
    assert.deepEqual(await cleaned({ type: 'object', properties: { list } }, { list: [' a', ' b', ' c'] }), {
      list: [' a', 'b', 'c'],
    })
  })

  it('fails registration where it is not certain to apply', () => {
    wrong(
      { type: 'object', if: {}, else: { properties: { a: { type: 'string', ...html } } } },
      /"text\/html".*not certain/,
    )
    wrong({ type: 'object', properties: { a: {} }, if: {}, else: { properties: { a: text } } }, /not certain/)
    wrong(
      { type: 'object', properties: { a: {} }, dependentSchemas: { a: { properties: { a: text } } } },
      /not certain/,
    )
    wrong({ type: 'object', unevaluatedProperties: text }, /not certain/)
    wrong({ type: 'object', $defs: { unused: text } }, /not certain/)
    wrong({ type: 'object', properties: { a: { not: text } } }, /nothing is sanitized/)
    wrong({ type: 'object', properties: { a: { type: 'array', contains: text } } }, /nothing is sanitized/)
  })

  it('fails registration for unknown steps and other types', () => {
    wrong(
      { type: 'object', properties: { a: { type: 'string', sanitize: ['strip-tag'] } } },
      /sanitize\[0\].*strip-tags/,
    )
    wrong({ type: 'object', properties: { a: { type: 'string', sanitize: [] } } }, /sanitize/)
    wrong({ type: 'object', properties: { a: { type: 'string', sanitize: 'trim' } } }, /sanitize/)
    wrong({ type: 'object', properties: { a: { type: 'number', sanitize: ['trim'] } } }, /type: 'string'/)
    wrong({ type: 'object', properties: { a: { type: ['string', 'null'], ...html } } }, /type: 'string'/)
  })
})
