import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loosened } from '../../src/lock/loosened.ts'
import { base, policyOf } from './policy.ts'

const text = (maxLength: number) => ({ type: 'object', properties: { id: { type: 'string', maxLength } } })
const asking = (schema: object) => policyOf({ ...base, schema })

test('any change of what a route asks of the params, the query and the headers is told', async () => {
  const accepted = await asking({ params: text(4), query: text(4), headers: text(4) })
  const told: readonly (readonly [object, RegExp])[] = [
    [{ query: text(4), headers: text(4) }, /^\/chat\.schemas\.request\.params is gone/],
    [{ params: text(400), query: text(4), headers: text(4) }, /^\/chat\.schemas\.request\.params: .* became /],
    [{ params: text(4), query: text(3), headers: text(4) }, /^\/chat\.schemas\.request\.querystring: /],
    [{ params: text(4), query: text(4), headers: { type: 'object' } }, /^\/chat\.schemas\.request\.headers: /],
    [{}, /headers is gone/],
  ]
  for (const [schema, line] of told) assert.match(loosened(accepted, await asking(schema)).join('\n'), line)
})

test('one more, another spelling and what is no request pass', async () => {
  const accepted = await asking({ params: text(4), query: text(4) })
  const passing = [
    { params: text(4), query: text(4), headers: text(4) },
    { querystring: text(4), params: text(4) },
    { params: text(4), query: text(4), response: { 200: text(4) } },
  ]
  for (const schema of passing) assert.deepEqual(loosened(accepted, await asking(schema)), [])
})
