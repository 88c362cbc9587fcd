/**
 * `node --import ./test/harness/canary/hook.ts`: with it `npm run canary` runs the suite. The threads of the sanitizer inherit the
 * flag, and are no server: they would take seconds longer to start.
 */
import { isMainThread } from 'node:worker_threads'

if (isMainThread && process.env.CANARY_FOLDER !== undefined) await import('./witnesses.ts')
