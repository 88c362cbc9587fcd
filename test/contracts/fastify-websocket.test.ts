import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { textOf } from '../house/source-files.ts'

const run = promisify(execFile)
const script = fileURLToPath(new URL('./fastify-websocket-suite.ts', import.meta.url))

// A guard in front of a framework's sockets that breaks what the framework promises is taken out again, by whoever has to
// ship on Friday. So the framework's own tests are run through it.
test("@fastify/websocket's own tests pass through the guard, but for those listed by name", async () => {
  // The runner does not start in a process that says it is a test already.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const { stdout } = await run(process.execPath, [script], { env, timeout: 90_000 }).catch((error: unknown) => {
    assert.fail(error instanceof Error && 'stdout' in error ? String(error.stdout) : String(error))
  })
  const [, passed = '', all = ''] = /^(\d+) of (\d+) pass$/m.exec(stdout) ?? []
  const page = textOf('docs/assurance.md')
  assert.ok(page.includes(`${passed} of ${all} tests pass`), `docs/assurance.md gives other counts than ${stdout}`)
})
