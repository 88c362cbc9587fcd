import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
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

test('a schema of another library is compared as JSON Schema, where it has one', async () => {
  const params = (schema: z.ZodType) => asking({ params: schema })
  const short = await params(z.object({ id: z.string().max(4) }))
  const [route] = Object.values(short.routes)
  assert.match(
    JSON.stringify(route),
    /"request":\{"params":\{.*"properties":\{"id":\{"type":"string","maxLength":4\}\}/,
  )
  assert.deepEqual(loosened(short, await params(z.object({ id: z.string().max(4) }))), [])
  assert.match(loosened(short, await params(z.object({ id: z.string().max(5) }))).join('\n'), /request\.params/)
  // It has none: a refinement is the library's own.
  const refined = z.object({ id: z.string().refine((id) => id !== '') })
  assert.match(loosened(short, await params(refined)).join('\n'), /request\.params/)
})
