import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { compileAnswers } from '../../src/inbound/answer.ts'
import { compileSchema } from '../../src/inbound/schema.ts'
import { copySchema } from '../../src/schema/plain-schema.ts'
import { checkValue, compilePlain } from '../../src/schema/schema.ts'
import { Random } from '../harness/random.ts'
import { randomSchema, randomValue } from './random-schemas.ts'
import { containers, nested, node, object } from './recursive-schemas.ts'

function finder(schema: object) {
  const tree = compilePlain(copySchema(schema, 'schema', false), 'schema', false)
  return (value: unknown) => checkValue(tree, value)
}

describe('MS-09 the work of a message', () => {
  // { "a": { "a": ... } }: each level was looked at from two sides, each of which looked at the next from two; 300 bytes took 9 s.
  it('does not double with every level of a recursive union', () => {
    for (const keyword of ['anyOf', 'oneOf']) {
      const find = finder(object({ tree: node }, { $defs: { node: { [keyword]: containers } } }))
      const [short, long] = [find({ tree: nested(8) }), find({ tree: nested(31) })]
      assert.ok(long.visits < 4 * short.visits + 100, `${keyword}: ${short.visits} and ${long.visits}`)
      // An answer that was cheap to find is looked for again, so there are more looks than there are answers.
      assert.ok(long.visits < 4_500, `${keyword}: ${long.visits}`)
      assert.notEqual(long.fault?.keyword, 'too much work', keyword)
    }
  })

  it('asks one branch of many that a tag tells apart, wherever it is written', () => {
    const kinds = Array.from({ length: 200 }, (_, index) => `kind-${index}`)
    const branches = kinds.map((kind) => object({ a: node, kind: { const: kind } }, { required: ['kind'] }))
    const find = finder(object({ tree: node }, { $defs: { node: { anyOf: branches } } }))
    const { fault, visits } = find({ tree: nested(31, { kind: 'kind-199' }) })
    assert.equal(fault, undefined)
    assert.ok(visits < 32 * 16, `${visits}`)
    assert.equal(find({ tree: nested(3, { kind: 'kind-200' }) }).fault?.keyword, 'anyOf')
  })

  it('looks once at a value of a union of literals', () => {
    const find = finder(
      object({ l: { type: 'array', items: { anyOf: Array.from({ length: 500 }, (_, n) => ({ const: n })) } } }),
    )
    const { fault, visits } = find({ l: Array.from({ length: 1_000 }, (_, n) => n % 500) })
    assert.equal(fault, undefined)
    assert.ok(visits < 5_000, `${visits}`)
  })

  // A bound on visits alone refused an honest list of 50,001 references.
  it('has a budget that grows with the message, and says no where it is used up', () => {
    const item = object({ n: { type: 'number' } })
    const list = finder(object({ l: { type: 'array', items: { $ref: '#/$defs/item' } } }, { $defs: { item } }))
    assert.equal(list({ l: Array.from({ length: 60_000 }, () => ({ n: 1 })) }).fault, undefined)
    const untagged = Array.from({ length: 300 }, (_, n) =>
      object({ [`n${n}`]: { type: 'number' } }, { required: [`n${n}`] }),
    )
    const items = { type: 'object', not: { anyOf: untagged } }
    // Inside a `not`, a mere no would be a yes.
    for (const rules of [{ items }, { not: { type: 'array', items } }]) {
      const find = finder(object({ l: { type: 'array', ...rules } }))
      const { fault, visits } = find({ l: Array.from({ length: 16_000 }, () => ({})) })
      assert.equal(fault?.keyword, 'too much work')
      assert.ok(visits < 12 * 4 * 16_001, `${visits}`)
      assert.notEqual(find({ l: [{}] }).fault?.keyword, 'too much work')
    }
  })

  // A message whose text is trimmed is checked again: each of both checks had the whole budget.
  it('is that of both checks, where what is cleaned is checked once more', () => {
    const untagged = Array.from({ length: 16 }, (_, n) =>
      object({ [`n${n}`]: { type: 'number' } }, { required: [`n${n}`] }),
    )
    const message = { l: Array.from({ length: 16_000 }, () => ({})), t: ' a' }
    const reasonOf = (t: object) => {
      const schema = object({
        l: { type: 'array', items: { type: 'object', not: { anyOf: untagged } } },
        t: { type: 'string', ...t },
      })
      return compileSchema(schema, [], 'schema').refuse(message)?.reason
    }
    assert.equal(reasonOf({}), undefined)
    assert.match(reasonOf({ sanitize: ['trim'] }) ?? '', /too much work/)
  })

  it('is that of both checks of an answer as well', () => {
    const untagged = Array.from({ length: 16 }, (_, n) =>
      object({ [`n${n}`]: { type: 'number' } }, { required: [`n${n}`] }),
    )
    const value = { l: Array.from({ length: 16_000 }, () => ({})), t: ' a' }
    const reasonOf = (t: object) => {
      const reply = object({
        l: { type: 'array', items: { type: 'object', not: { anyOf: untagged } } },
        t: { type: 'string', ...t },
      })
      return compileAnswers({ ask: { reply } }, true, 'sends').get('ask')?.refuse({ value })
    }
    assert.equal(reasonOf({}), undefined)
    assert.match(reasonOf({ sanitize: ['trim'] })?.reason ?? '', /too much work/)
  })

  // Each of these was one visit, however large the value.
  it('counts what is compared, and what a pattern of a higher degree looks at, by what it takes', () => {
    const branches = Array.from({ length: 40 }, (_, n) => ({ const: { n } }))
    const large = { l: Array.from({ length: 8_000 }, (_, n) => n) }
    const compared = finder(object({ o: { anyOf: branches } }))({ o: large })
    // Written once for all forty.
    assert.ok(compared.visits > 38_000 && compared.visits < 48_000, `${compared.visits}`)
    const unique = finder(object({ l: { type: 'array', maxItems: 9, uniqueItems: true } }))({ l: [large, {}] })
    assert.ok(unique.visits > 38_000 && unique.visits < 56_000, `${unique.visits}`)
    // A decimal takes a microsecond, and a whole number next to none: asked at once, or as one of several branches.
    const prices = (value: number) => ({ l: Array.from({ length: 1_000 }, () => value) })
    const step = (multipleOf: number) => ({ type: 'number', multipleOf })
    for (const items of [step(0.01), { not: step(0.01) }, { anyOf: [step(0.01), { type: 'string' }] }]) {
      const find = finder(object({ l: { type: 'array', items } }))
      const { fault, visits } = find(prices(0.07))
      assert.notEqual(fault?.keyword, 'too much work')
      assert.ok('not' in items || (visits > 17_000 && visits < 24_000), `${visits}`)
    }
    const whole = finder(object({ l: { type: 'array', items: step(2) } }))(prices(4)).visits
    assert.ok(whole < 4_000, `${whole}`)
    const text = (pattern: string) => object({ t: { type: 'string', maxLength: 512, pattern } })
    const [linear, square] = ['^ *$', ' *x*$'].map((pattern) => finder(text(pattern))({ t: ' '.repeat(512) }).visits)
    assert.ok(linear !== undefined && linear < 20, `${linear}`)
    assert.ok(square !== undefined && square > 4_000, `${square}`)
  })

  it('is a few visits for each value, whatever the schema', () => {
    const random = new Random(7)
    let most = 0
    for (let each = 0; each < 150; each++) {
      const schema = randomSchema(random)
      let find: ReturnType<typeof finder>
      try {
        find = finder(schema)
      } catch {
        continue
      }
      const value = randomValue(random, schema, schema)
      const { visits } = find(value)
      most = Math.max(most, visits / (JSON.stringify(value).length + 10))
    }
    assert.ok(most < 40, `${most} visits a byte`)
  })
})
