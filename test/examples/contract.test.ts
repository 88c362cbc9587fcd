import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startExample } from './example.ts'

test('contract.ts: the document is for those who are signed in', async (t) => {
  const { url } = await startExample(t, 'contract.ts', { PASSWORD: 'a-long-one' })
  assert.equal((await fetch(`${url}/asyncapi.json`)).status, 401)
  const authorization = `Basic ${btoa('ada:a-long-one')}`
  const answer = await fetch(`${url}/asyncapi.json`, { headers: { authorization } })
  const { asyncapi, channels, components } = (await answer.json()) as Record<string, object>
  assert.equal(asyncapi, '3.0.0')
  assert.deepEqual(Object.keys(channels ?? {}), ['sums'])
  assert.deepEqual(Reflect.get(components ?? {}, 'securitySchemes'), { basic: { type: 'http', scheme: 'basic' } })
})
