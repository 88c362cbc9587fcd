import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Type } from 'typebox'
import { SecureWsError } from '../../src/errors.ts'
import type { SanitizeHtml } from '../../src/inbound/cleaning.ts'
import { sanitizeMessage } from '../../src/inbound/cleaning.ts'
import { compileSchema } from '../../src/inbound/schema.ts'

const html = { contentMediaType: 'text/html' }
const plain = { sanitize: ['strip-tags', 'one-line', 'trim'] }

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

  it('fails registration where it is not certain to apply', () => {
    const text = { type: 'string', ...plain }
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
