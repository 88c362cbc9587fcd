import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { test } from 'node:test'
import { root } from '../house/source-files.ts'

/** `npm run canary` with some files of the suite: the exit code, and what it said. */
async function canary(...args: readonly string[]): Promise<{ code: number | null; said: string }> {
  // Without the variable of a test run, in which a file would report to its parent and not run tests of its own.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const run = spawn(process.execPath, ['test/harness/canary/run.ts', ...args], {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  run.stdout.on('data', (part) => {
    said += String(part)
  })
  const code = await new Promise<number | null>((resolve) => run.once('exit', resolve))
  return { code, said }
}

// The whole suite under the same witnesses is `npm run canary`.
test('LG-03 one journey makes every event, every metric and every span, and no secret comes out anywhere', async () => {
  const journey = ['test/journeys/every-event.test.ts', 'test/telemetry/traces.test.ts']
  const { code, said } = await canary('--everything', ...journey)
  assert.equal(code, 0, said)
  assert.match(said, / 0 leaks$/m)
})

test('near miss: a secret in any one of the sinks is found', async () => {
  const { code, said } = await canary('test/harness/canary/leaky.ts')
  assert.equal(code, 1, said)
  for (const sink of ['log', 'audit', 'metrics', 'traces', 'responses'])
    assert.match(said, new RegExp(`^LEAK ${sink} `, 'm'), said)
  // At a level that its logger does not write, and told by a piece of it.
  assert.match(said, /LEAK log .*\n.*the account nu/)
})
