import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { compileSchema } from '../../src/inbound/schema.ts'
import { compileOutbound } from '../../src/outbound/outbound.ts'
import { checkPattern } from '../../src/schema/pattern.ts'
import { exponential, ordinary, polynomial } from './patterns.ts'

function objectionTo(pattern: unknown, longest?: number): string | undefined {
  try {
    checkPattern(pattern, longest, 'x.pattern')
    return undefined
  } catch (error) {
    assert.ok(error instanceof Error && 'code' in error && error.code === 'SWS_BAD_OPTION')
    return error.message
  }
}

// /^(\w|\d)+$/ against thirty digits and a `!` runs for a minute: no limit on bytes helps.
describe('MS-09 a pattern is judged before it is used', () => {
  for (const pattern of exponential) {
    it(`refuses ${pattern}`, () => assert.match(objectionTo(pattern, 10) ?? 'admitted', /ReDoS/))
  }
  for (const pattern of polynomial) {
    it(`wants a maxLength for ${pattern}`, () => {
      const objection = objectionTo(pattern) ?? 'admitted'
      const mayBe = Number(/write `maxLength` of at most (\d+) beside it/.exec(objection)?.[1])
      assert.ok(mayBe > 1 && mayBe <= 512, objection)
      assert.equal(objectionTo(pattern, mayBe), undefined)
      assert.equal(objectionTo(pattern, mayBe + 1), objection)
    })
  }
})

describe('ordinary patterns register', () => {
  assert.ok(ordinary.length >= 100)
  for (const pattern of ordinary) it(pattern, () => assert.equal(objectionTo(pattern), undefined))
})

// recheck stops by the clock unless it is told not to: an attack that is cut short then counts as a success, seeds that are cut short
// find no attack, and a check that is cut short says nothing.
it('MS-09 judges alike where the machine is too busy to do anything between two looks at the clock', (t) => {
  let now = performance.now()
  t.mock.method(performance, 'now', () => {
    now += 3_600_000
    return now
  })
  // None of them has been judged before. By automata, by counting steps, and by both.
  for (const pattern of ['^\\d+/\\w+$', '^(?:[A-F\\d]{4}-){9}[A-F\\d]{12}$', '^(?:\\d{1,2}[.]){3}\\d{1,2}$']) {
    assert.equal(objectionTo(pattern), undefined)
  }
  for (const pattern of ['^(x+)+$', '^(?=(x+)+y)x']) {
    assert.match(objectionTo(pattern, 10) ?? 'admitted', /doubles with every character/)
  }
  // Its steps are counted, and no longer tried by recheck.
  assert.match(objectionTo('^(?:b?){25}c', 10) ?? 'admitted', /more than 512 steps for each character/)
  assert.match(objectionTo('^((?:c|d)*)\\1$') ?? 'admitted', /to the power of 2/)
})

it('MS-09 tells a text that keeps the pattern busy, and what to write', () => {
  const objection = objectionTo('^(\\w|\\d)+$') ?? ''
  const attack = /as on (.*): let each round/.exec(objection)?.[1]
  assert.match(attack ?? '', /^'\w' \+ '0'\.repeat\(31\) \+ '\\x00'$/)
})

it('refuses what is no pattern, and what cannot be judged', () => {
  assert.match(objectionTo('(') ?? '', /no regular expression/)
  assert.match(objectionTo('\\-') ?? '', /no regular expression with the flag `u`/)
  assert.match(objectionTo(/a/) ?? '', /as a string/)
  // One of recheck's own tests; without the flag `u` it is a regular expression.
  assert.match(objectionTo('^(fiz{2}|buz{2){1,2}$') ?? '', /no regular expression with the flag `u`/)
})

it('MS-09 asks in both directions, of patterns and of property patterns', () => {
  const of = (schema: object) => ({ type: 'object', ...schema })
  const text = (pattern: string) => of({ properties: { a: { type: 'string', pattern } } })
  const names = (pattern: string) => of({ patternProperties: { [pattern]: { type: 'string' } } })
  const receive = (schema: object) => compileSchema(schema, ['type', 'id'], 'm.schema')
  const send = (schema: object) =>
    compileOutbound({
      encode: 'html',
      sends: { m: { schema } },
      path: 'secureWs',
      sanitizeHtml: assert.fail,
      warn: assert.fail,
    })
  for (const compile of [receive, send]) {
    for (const schema of [text('^(\\w|\\d)+$'), names('^(\\w|\\d)+$'), names('\\s+$')]) {
      assert.throws(() => compile(schema), { code: 'SWS_BAD_OPTION', message: /m\.schema\..*attern.*ReDoS.*repeat/ })
    }
    compile(text('^\\w+$'))
    compile(names('^\\w+$'))
    compile(of({ properties: { a: { type: 'string', pattern: '\\s+$', maxLength: 512 } } }))
  }
})
