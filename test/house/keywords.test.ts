import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileSchema } from '../../src/inbound/schema.ts'
import { keywords, refusedKeywords } from '../../src/schema/keywords.ts'
import { differencesIn, schemasPage, writtenSchemas } from './keywords.ts'
import { textOf } from './source-files.ts'

test('docs/schemas.md is what the list of keywords says', () => {
  assert.equal(textOf(schemasPage), writtenSchemas(textOf(schemasPage)), 'run `npm run docs`')
})

test('the differences that the page allows are read from it', () => {
  const differences = differencesIn(textOf(schemasPage))
  for (const name of ['`format`', '`additionalProperties`', 'a member that no schema that holds declares']) {
    assert.ok(differences.has(name), name)
  }
  for (const name of ['keyword', '---', '`minLength`', '`if`']) assert.ok(!differences.has(name), name)
})

// A keyword that is let through and never asked makes a closed schema open: `unevaluatedItems: false` was one.
test('a keyword that is refused or unknown is told with its path and what to write', () => {
  const objectionTo = (keyword: string) => () =>
    compileSchema({ type: 'object', properties: { a: { [keyword]: false } } }, [], 'say.schema')
  for (const [keyword, advice] of refusedKeywords) {
    assert.ok(!keywords.has(keyword))
    assert.throws(objectionTo(keyword), {
      code: 'SWS_BAD_OPTION',
      message: `fastify-secure-ws: option \`say.schema.properties.a.${keyword}\` is false. ${advice}`,
    })
  }
  assert.throws(objectionTo('maxLenght'), { message: /properties\.a\.maxLenght` is false.*Did you mean `maxLength`\?/ })
  assert.throws(objectionTo('toString'), { message: /There is no such keyword\. Leave it out\./ })
})

test('a keyword without the type that it is about is told with its path and the type', () => {
  for (const [keyword, { about }] of keywords) {
    if (
      about === undefined ||
      ['sanitize', 'contentMediaType', 'minContains', 'maxContains', 'uniqueItems'].includes(keyword)
    )
      continue
    if (['items', 'additionalItems', 'contains', 'unevaluatedProperties', 'dependentSchemas'].includes(keyword))
      continue
    const value = {
      pattern: 'a',
      format: 'date',
      required: ['b'],
      dependentRequired: { b: ['c'] },
      propertyNames: true,
    }[keyword]
    const wanted = value ?? (keywords.get(keyword)?.role === undefined ? 1 : {})
    const schema = { type: 'object', properties: { a: { anyOf: [{ type: 'null' }, { [keyword]: wanted }] } } }
    assert.throws(() => compileSchema(schema, [], 'say.schema'), {
      code: 'SWS_BAD_OPTION',
      message: `fastify-secure-ws: option \`say.schema.properties.a.anyOf.1.${keyword}\` is "(without a type)". It is about one type, and a value of any other would pass whole: write \`type: '${about}'\` beside it.`,
    })
  }
})
