import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type NodeRun, runNode } from '../harness/run-node.ts'
import { root } from '../house/source-files.ts'

/** `npm run canary` with some files of the suite: the exit code, and what it said. */
function canary(...args: readonly string[]): Promise<NodeRun> {
  return runNode(root, ['test/harness/canary/run.ts', ...args])
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

// A run that saw nothing finds nothing: whatever is not looked at to its end is said, and fails the run.
test('a file that ends its process, or hangs with what it has started, is none without a leak', async () => {
  for (const [name, ...args] of [['unfinished'], ['hanging', '--seconds=4']]) {
    const file = `test/harness/canary/${name}.ts`
    const { code, said } = await canary(file, ...args)
    assert.equal(code, 1, said)
    assert.ok(said.includes(`\nunfinished twice: ${file}\n`), said)
  }
})
