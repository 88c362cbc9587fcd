import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nameOf, stepTo } from '../../src/schema/json-pointer.ts'
import fc from '../harness/fast-check.ts'

test('a name is the one that its step stands for', () => {
  const names = fc.array(fc.oneof(fc.constantFrom('~', '0', '1', '/', '%', '2', 'f', ' ', '\u{1f600}'), fc.string()))
  fc.assert(
    fc.property(names, (parts) => {
      const name = parts.join('')
      if (!name.isWellFormed()) return
      assert.equal(nameOf(stepTo(name)), name)
      assert.ok(!stepTo(name).includes('/'))
    }),
  )
})

// RFC 6901 section 4: `~01` is `~1`, and no slash.
test('an escape is not read twice, and what is no URI stands for nothing', () => {
  assert.equal(nameOf('a~01'), 'a~1')
  assert.equal(nameOf('%2525'), '%25')
  for (const step of ['%', 'a%', '%zz', '%ff']) assert.equal(nameOf(step), undefined)
})
