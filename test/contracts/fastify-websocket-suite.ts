/**
 * Runs @fastify/websocket's own tests, as installed, with this package in front: `npm run test:fastify-websocket`. Prints
 * what passed and what did not, and ends with 1 when a test fails that has no reason below, or passes that has one, or is gone.
 * By name, so that a newer release may bring more tests along.
 */
import { readdirSync } from 'node:fs'
import { basename } from 'node:path'
import { run } from 'node:test'
import { fileURLToPath } from 'node:url'

const folder = fileURLToPath(new URL('../../node_modules/@fastify/websocket/test/', import.meta.url))
const hooks = new URL('./fastify-websocket-hooks.ts', import.meta.url).href

/** What this package answers otherwise, on purpose: the test by its name, and why it cannot pass. */
export const otherwise: ReadonlyMap<string, string> = new Map([
  [
    'Should fail if custom errorHandler is not a function',
    'fails at registration as well, with a text that names the option, its value and what to write',
  ],
  [
    'Should fail if custom preClose is not a function',
    'fails at registration as well, with a text that names the option, its value and what to write',
  ],
  [
    'Should be able to pass clientTracking option in false to ws',
    'declares its route before the plugin is there, where nothing would ever open it: fails the start, by its path',
  ],
  [
    'Should call wildcard route handler on unregistered path',
    'declares a route before the plugin is there, where nothing would ever open it: fails the start, by its path',
  ],
  ['clashing upgrade handler', 'adds a second `upgrade` listener: fails the start, by name'],
  ['Should return 404 on http request', 'answered with 426 and `Upgrade: websocket`, which says what to do'],
  [
    'Should close on unregistered path (with no wildcard route websocket handler defined)',
    'refused with 404 where it was upgraded first and closed then',
  ],
  [
    'Should close the connection if a non-websocket route with path exists',
    'refused with 404 where it was upgraded first and closed then',
  ],
])

export interface Outcome {
  readonly passed: readonly string[]
  readonly failed: readonly { readonly name: string; readonly reason: string }[]
}

export async function runSuite(): Promise<Outcome> {
  const passed: string[] = []
  const failed: { name: string; reason: string }[] = []
  const files = readdirSync(folder).filter((name) => name.endsWith('.test.js'))
  const stream = run({
    files: files.map((name) => `${folder}${name}`),
    // One of the tests that cannot pass waits for ever instead of failing; what failed half-way may hold the process open.
    execArgv: ['--import', hooks, '--test-timeout=6000', '--test-force-exit'],
    concurrency: 2,
  })
  const ownNames = new Set(files.map((name) => basename(name)))
  for await (const { type, data } of stream) {
    if (type !== 'test:pass' && type !== 'test:fail') continue
    // A file is reported as a test that holds the others.
    if (ownNames.has(basename(data.name))) continue
    if (type === 'test:pass') passed.push(data.name)
    else failed.push({ name: data.name, reason: reasonOf(data.details.error) })
  }
  return { passed, failed }
}

function reasonOf(error: Error): string {
  return (error.cause instanceof Error ? error.cause : error).message
}

if (process.argv[1] === import.meta.filename) {
  const { passed, failed } = await runSuite()
  for (const { name, reason } of failed) console.log(`- ${name}\n  ${otherwise.get(name) ?? `UNEXPECTED: ${reason}`}`)
  console.log(`${passed.length} of ${passed.length + failed.length} pass`)
  const surprises = failed.filter(({ name }) => !otherwise.has(name))
  const healed = passed.filter((name) => otherwise.has(name))
  for (const name of healed) console.log(`passes, and has a reason not to: ${name}`)
  const gone = [...otherwise.keys()].filter((name) => ![...passed, ...failed.map((each) => each.name)].includes(name))
  for (const name of gone) console.log(`has a reason not to pass, and is gone: ${name}`)
  process.exitCode = passed.length === 0 || surprises.length + healed.length + gone.length > 0 ? 1 : 0
}
