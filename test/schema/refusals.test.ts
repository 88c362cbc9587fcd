import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SecureWsError } from '../../src/errors.ts'
import { compileSchema } from '../../src/inbound/schema.ts'
import { compileReply } from '../../src/outbound/outbound.ts'

/** The schema of the member `a`, the path below it that the error names, and what the error says to do. */
type Refusal = readonly [schema: unknown, path: string, advice: RegExp]

const count = /Write a whole number, 0 or more\.$/
const number = /Write a number\.$/
const flag = /Write `true` or `false`\.$/
const string = /Write a string\.$/
const names = /Write a list of names, each once\.$/
const schemas = /Write a list of schemas, one at least\.$/
const schema = /Write a schema here\.$/
const alone = /is "\(alone\)".*or leave it out\.$/
const list = /what follows a list of `items`: write that list/
const circle = /one of its own parts.*refer to it from a member or an item\.$/
const withoutType = /write `type: '(?:string|number|object|array)'` beside it\.$/
const branch = (keyword: string, value: unknown) => ({ [keyword]: value })

const refusals: readonly Refusal[] = [
  ...['minLength', 'maxLength'].flatMap((keyword): Refusal[] =>
    ['1', -1, 1.5, null, Number.NaN].map((value) => [{ type: 'string', [keyword]: value }, `.${keyword}`, count]),
  ),
  ...['minItems', 'maxItems'].map((name): Refusal => [{ type: 'array', [name]: '1' }, `.${name}`, count]),
  ...['minProperties', 'maxProperties'].map((name): Refusal => [{ type: 'object', [name]: -1 }, `.${name}`, count]),
  ...['minContains', 'maxContains'].flatMap((name): Refusal[] => [
    [{ type: 'array', contains: {}, [name]: 'x' }, `.${name}`, count],
    [{ type: 'array', [name]: 1 }, `.${name}`, alone],
  ]),
  [{ type: 'array', contains: {}, minContains: 0 }, '.minContains', /asks nothing: write `maxContains`/],
  [{ type: 'array', contains: {}, minContains: 3, maxContains: 2 }, '.maxContains', /write `minContains` or more/],
  ...['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'].map(
    (name): Refusal => [{ type: 'number', [name]: '1' }, `.${name}`, number],
  ),
  [{ type: 'number', multipleOf: 0 }, '.multipleOf', /Write a number above 0\.$/],
  [{ type: 'number', multipleOf: Number.POSITIVE_INFINITY }, '.multipleOf', /Write a number above 0\.$/],
  [{ type: 'array', maxItems: 3, uniqueItems: 'x' }, '.uniqueItems', flag],
  [{ type: 'string', nullable: 'yes' }, '.nullable', flag],
  [{ type: 'string', deprecated: 1 }, '.deprecated', flag],
  [{ type: 'string', readOnly: 1 }, '.readOnly', flag],
  [{ type: 'string', writeOnly: 1 }, '.writeOnly', flag],
  [{ type: 'string', title: 7 }, '.title', string],
  [{ type: 'string', description: null }, '.description', string],
  [{ type: 'string', $comment: {} }, '.$comment', string],
  [{ type: 'string', examples: 1 }, '.examples', /Write a list\.$/],
  [{ enum: [] }, '.enum', /Write a list of the values, one at least\.$/],
  [{ enum: 'x' }, '.enum', /Write a list of the values, one at least\.$/],
  [{ type: 'object', required: 'a' }, '.required', names],
  [{ type: 'object', required: ['a', 'a'] }, '.required', names],
  [{ type: 'object', required: [1] }, '.required', names],
  [{ type: 'object', dependentRequired: { a: 'b' } }, '.dependentRequired', /an object of lists of names/],
  [{ type: 'object', dependentRequired: { a: ['b'], c: 'd' } }, '.dependentRequired', /an object of lists of names/],
  [{ type: 'object', dependentRequired: 7 }, '.dependentRequired', /an object of lists of names/],
  [{ type: 'object', dependentRequired: null }, '.dependentRequired', /an object of lists of names/],
  ...['anyOf', 'oneOf', 'allOf'].flatMap((keyword): Refusal[] => [
    [branch(keyword, []), `.${keyword}`, schemas],
    [branch(keyword, {}), `.${keyword}`, schemas],
    [branch(keyword, [7]), `.${keyword}.0`, schema],
  ]),
  ...['not', 'if', 'then', 'else'].map((keyword): Refusal => {
    const beside = keyword === 'if' ? { else: {} } : keyword === 'not' ? {} : { if: {} }
    return [{ ...beside, [keyword]: [] }, `.${keyword}`, schema]
  }),
  [branch('then', {}), '.then', alone],
  [branch('else', {}), '.else', alone],
  [branch('if', {}), '.if', alone],
  [{ nullable: true }, '.nullable', /write `type` beside it, or `anyOf/],
  [{ type: 'null', nullable: false }, '.nullable', /`type` has 'null'/],
  [{ type: ['string', 'null'], nullable: false }, '.nullable', /`type` has 'null'/],
  [{ type: 'array', items: {}, additionalItems: false }, '.additionalItems', list],
  [{ type: 'array', additionalItems: false }, '.additionalItems', list],
  [{ type: 'array', items: [], additionalItems: false }, '.additionalItems', list],
  [{ type: 'array', items: 7 }, '.items', schema],
  // It was told to write `additionalItems`, and then not to.
  [{ type: 'array', items: [] }, '.items', /Write the schema of the items, or a list of the first ones\.$/],
  [{ type: 'array', items: [{}] }, '.items', /Say what may follow/],
  [{ type: 'array', contains: [] }, '.contains', schema],
  [{ type: 'object', properties: [] }, '.properties', /Write an object of schemas\.$/],
  [{ type: 'object', propertyNames: [] }, '.propertyNames', schema],
  [{ type: 'object', additionalProperties: [] }, '.additionalProperties', schema],
  [{ type: 'object', unevaluatedProperties: 3 }, '.unevaluatedProperties', schema],
  [{ type: 'object', dependentSchemas: { b: 3 } }, '.dependentSchemas.b', schema],
  [{ type: 'strin' }, '.type', /Did you mean 'string'\?$/],
  [{ type: ['string', 'x'] }, '.type', /Write one of 'string', .*or a list of them\.$/],
  [{ type: [] }, '.type', /or a list of them\.$/],
  [{ type: ['string', 'string'] }, '.type', /Write each type once\.$/],
  [{ type: 'string', format: 'emial' }, '.format', /Did you mean 'email'\? Known are date, /],
  [{ type: 'string', format: 7 }, '.format', /There is no such format\. Known are/],
  // Each asked nothing, and was taken.
  [{ type: 'integer', format: 'email' }, '.format', /a format of a string.*write `type: 'string'`/],
  [{ type: 'string', format: 'int32' }, '.format', /a format of a number.*write `type: 'number'`/],
  [{ type: 'number', minLength: 1 }, '.minLength', withoutType],
  [{ type: 'string', anyOf: [{ minimum: 1 }] }, '.anyOf.0.minimum', withoutType],
  [{ type: 'string', allOf: [{ type: 'number' }] }, '.allOf.0.type', /says `type: 'string'`, so no value can be both/],
  [{ $ref: '#/$defs/Circle' }, '', circle],
  [{ allOf: [{ $ref: '#/$defs/Ring' }] }, '', circle],
  // Neither is a URI (RFC 3986, section 2.1): both ended the start with a URIError that named no option.
  ...['%', '%zz', '%ff', 'a%'].map((name): Refusal => [{ $ref: `#/$defs/${name}` }, '.$ref', /points at nothing/]),
  [{ type: 'object', properties: { '\ud800': {} } }, '.properties.\ud800', /Half a character/],
]
const $defs = { Circle: { $ref: '#/$defs/Circle' }, Ring: { anyOf: [{ type: 'null' }, { $ref: '#/$defs/Ring' }] } }

for (const [given, path, advice] of refusals) {
  test(`${JSON.stringify(given)} is refused with its path and what to write`, () => {
    const used = JSON.stringify(given).includes('$ref') ? { $defs } : {}
    const whole = { type: 'object', properties: { a: given }, ...used }
    const at = path === '' ? '.schema.$defs.' : `.schema.properties.a${path}`
    const expected = (error: unknown) => {
      assert.ok(error instanceof SecureWsError)
      assert.equal(error.code, 'SWS_BAD_OPTION')
      assert.ok(error.message.includes(`option \`m${at}${path === '' ? '' : '` is'}`), error.message)
      assert.match(error.message, advice)
      assert.doesNotMatch(error.message, /compile|ajv|data\/|strict/i)
      return true
    }
    assert.throws(() => compileSchema(whole, [], 'm.schema'), expected)
    assert.throws(() => compileReply('m', whole, 'm.schema', assert.fail, assert.fail), expected)
  })
}

test('near misses of these are taken', () => {
  const taken = [
    { type: 'string', minLength: 0, maxLength: 2 ** 40 },
    { type: ['string', 'null'], nullable: true },
    { type: 'integer', format: 'int32' },
    { type: ['number', 'string'], format: 'date' },
    { type: 'array', items: [{}], additionalItems: {} },
    { type: 'array', contains: {}, minContains: 0, maxContains: 0 },
    { type: 'object', properties: { b: {} }, required: [] },
    { if: { const: 1 }, else: { type: 'string' } },
    { enum: ['x', 'x'] },
    { type: 'number', multipleOf: 0.5 },
    { type: 'object', dependentRequired: { b: ['c'], d: [] } },
    { type: 'string', allOf: [{ format: 'email' }] },
    { type: 'array', items: { $ref: '#' } },
  ]
  for (const a of taken) compileSchema({ type: 'object', properties: { a } }, [], 'm.schema')
})
