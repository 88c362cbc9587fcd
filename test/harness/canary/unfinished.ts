/** A file that a run of the suite must not take for seen: `test/telemetry/canary-run.test.ts`. */

import { test } from 'node:test'

test('an application that ends its process in the middle', () => process.exit(0))
