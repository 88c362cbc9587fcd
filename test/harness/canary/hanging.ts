/** Does not end by itself, and neither does what it has started: `test/telemetry/canary-run.test.ts`. */

import { spawn } from 'node:child_process'
import { test } from 'node:test'

test('an application that hangs', async () => {
  spawn(process.execPath, ['-e', 'setInterval(() => {}, 1_000)'], { stdio: 'ignore' })
  setInterval(() => {}, 1_000)
  await new Promise(() => {})
})
