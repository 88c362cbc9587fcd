import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { environmentOf } from '../harness/run-node.ts'
import { textOf } from '../house/source-files.ts'
import { otherwise } from './fastify-websocket-suite.ts'

const run = promisify(execFile)
const script = fileURLToPath(new URL('./fastify-websocket-suite.ts', import.meta.url))

// A guard in front of a framework's sockets that breaks what the framework promises is taken out again, by whoever has to
// ship on Friday. So the framework's own tests are run through it.
test("@fastify/websocket's own tests pass through the guard, but for those listed by name", async () => {
  const { stdout } = await run(process.execPath, [script], { env: environmentOf(), timeout: 250_000 }).catch(
    (error: unknown) => {
      assert.fail(error instanceof Error && 'stdout' in error ? String(error.stdout) : String(error))
    },
  )
  assert.match(stdout, /^[1-9]\d* of [1-9]\d* pass$/m)
})

test('docs/assurance.md names the tests that cannot pass, and no others', () => {
  const [, table = ''] = /\n\| test \| instead \|\n\|---\|---\|\n((?:\|.*\n)+)/.exec(textOf('docs/assurance.md')) ?? []
  const named = [...table.matchAll(/^\| (.*?) \|/gm)].map(([, name]) => name)
  assert.deepEqual(named.sort(), [...otherwise.keys()].sort())
})
