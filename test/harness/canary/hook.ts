/**
 * `node --import ./test/harness/canary/hook.ts`: with it `npm run canary` runs the suite, and every node that a test starts. The threads
 * of the sanitizer inherit the flag, and are no server: they would take seconds longer to start. Nor is a tool that a test starts.
 */
import { isMainThread } from 'node:worker_threads'

const program = process.argv[1] ?? ''
const isTool = program === '' || program.includes('/node_modules/') || program.endsWith('/canary/run.ts')

if (isMainThread && !isTool && process.env.CANARY_FOLDER !== undefined) await import('./witnesses.ts')
