import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { compileProjection } from '../../src/outbound/declared.ts'
import { copySchema } from '../../src/schema/plain-schema.ts'
import { Random } from '../harness/random.ts'
import { randomSchema, randomValue } from '../schema/random-schemas.ts'
import { containers, nested, node, object } from '../schema/recursive-schemas.ts'

function projector(schema: object) {
  const project = compileProjection(copySchema(schema, 'schema', true), 'schema')
  return (value: object) => project(value, undefined, 'm')
}

describe('MS-09 the work of a message that is sent', () => {
  // 301 bytes took nine seconds.
  it('does not double with every level of a recursive union, whether or not something has to be dropped', () => {
    for (const keyword of ['anyOf', 'oneOf']) {
      for (const more of [{}, { b: 1 }, { secret: 1 }]) {
        const project = projector(object({ tree: node }, { $defs: { node: { [keyword]: containers } } }))
        const [short, long] = [project({ tree: nested(8, more) }), project({ tree: nested(31, more) })]
        const told = `${keyword} ${JSON.stringify(more)}: ${short.visits} and ${long.visits}`
        assert.ok(long.visits < 4.5 * short.visits + 100, told)
        assert.ok(long.visits < 8_000, told)
        assert.notEqual(long.fault?.keyword, 'too much work', told)
      }
    }
  })

  it('is bounded by the size of the value, in each of its three parts, and a fault beyond it', () => {
    const untagged = Array.from({ length: 100 }, (_, n) =>
      object({ [`n${n}`]: { type: 'number' } }, { required: [`n${n}`] }),
    )
    const list = (count: number) => ({ l: Array.from({ length: count }, () => ({})) })
    const check = projector(object({ l: { type: 'array', items: { type: 'object', not: { anyOf: untagged } } } }))
    const found = check(list(16_000))
    assert.deepEqual([found.copy, found.specials], [undefined, []])
    assert.equal(found.fault?.keyword, 'too much work')
    assert.ok(found.visits < 12 * 4 * 16_001, `${found.visits}`)
    assert.equal(check(list(1)).fault, undefined)

    // Each name is held against every pattern, and short names are many.
    const records = Array.from({ length: 160 }, (_, n) => ({
      type: 'object',
      patternProperties: { [`^n${n}$`]: { type: 'number' } },
    }))
    const copy = projector(object({ l: { anyOf: records } }))
    const names = (count: number) => ({
      l: Object.fromEntries(Array.from({ length: count }, (_, n) => [String.fromCodePoint(0x100 + n), 1])),
    })
    const copied = copy(names(400))
    assert.equal(copied.fault?.keyword, 'too much work')
    assert.ok(copied.visits < 8_000 + 161, `${copied.visits}`)
    assert.equal(JSON.stringify(copy(names(1)).copy), '{"l":{}}')
  })

  // Copied, checked, asked again without what nobody declares, and checked once more: each of them had a budget of its own.
  it('has one budget, however often the schema has to be asked', () => {
    let [most, taken, refused] = [0, 0, 0]
    for (let count = 1; count < 200; count += 10) {
      const branches = Array.from({ length: count }, (_, n) =>
        object({ a: { type: 'number' }, [`n${n}`]: { type: 'number' } }, { required: [`n${n}`] }),
      )
      const project = projector(object({ l: { type: 'array', items: { anyOf: branches } } }))
      const item = { a: 1, [`n${count - 1}`]: 2, secret: 3 }
      const value = { l: Array.from({ length: 300 }, () => item) }
      const { visits, fault } = project(value)
      if (fault === undefined) taken++
      else if (fault.keyword === 'too much work') refused++
      most = Math.max(most, visits / JSON.stringify(value).length)
    }
    assert.ok(taken > 0 && refused > 0 && taken + refused === 20, `${taken} taken, ${refused} refused`)
    assert.ok(most > 6 && most < 13, `${most} visits a byte`)
  })

  it('is no fault of a value that is merely large', () => {
    const item = object({ n: { type: 'number' } })
    const project = projector(object({ l: { type: 'array', items: { $ref: '#/$defs/item' } } }, { $defs: { item } }))
    assert.equal(project({ l: Array.from({ length: 60_000 }, () => ({ n: 1, hidden: 2 })) }).fault, undefined)
    const row = projector(object({ id: { type: 'number' } }))
    const wide = Object.fromEntries(Array.from({ length: 60_000 }, (_, n) => [`column${n}`, n]))
    assert.equal(JSON.stringify(row({ id: 1, ...wide }).copy), '{"id":1}')
  })

  it('is a few looks for each byte, whatever the schema', () => {
    const random = new Random(11)
    let most = 0
    for (let each = 0; each < 150; each++) {
      const schema = randomSchema(random)
      const value = randomValue(random, schema, schema)
      if (typeof value !== 'object' || value === null) continue
      let project: ReturnType<typeof projector>
      try {
        project = projector(schema)
      } catch {
        continue
      }
      const { visits } = project(value)
      most = Math.max(most, visits / (JSON.stringify(value).length + 10))
    }
    assert.ok(most > 0 && most < 120, `${most} looks a byte`)
  })
})
