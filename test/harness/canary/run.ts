/**
 * Runs the suite with a canary in every handshake and a witness at every sink: `npm run canary`, or with globs of test files. It
 * fails when a secret has come out anywhere, and, for the whole suite, when an event or a metric of the catalogues never came.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { auditEvents } from '../../../src/telemetry/events.ts'
import { root } from '../../house/source-files.ts'
import { everyMetric } from '../../telemetry/every-metric.ts'
import type { Sighting, Sink } from './sinks.ts'

const globs = process.argv.slice(2)
const whole = globs.length === 0
/** The tests themselves: some count what is heard or written, and see the witnesses. `npm test` is what they have to pass. */
const report = process.env.CANARY_REPORT ?? 'stdout'
const folder = mkdtempSync(join(tmpdir(), 'secure-ws-canary-'))
const run = spawn(
  process.execPath,
  [
    ...['--env-file=test/harness/test.env', '--import', './test/harness/canary/hook.ts'],
    ...['--test', '--test-concurrency=3', '--test-reporter=spec', `--test-reporter-destination=${report}`],
    ...(whole ? ['test/**/*.test.ts'] : globs),
  ],
  { cwd: root, env: { ...process.env, CANARY_FOLDER: folder }, stdio: ['ignore', 'ignore', 'inherit'] },
)
await new Promise((resolve) => run.once('exit', resolve))

const sightings = readdirSync(folder).flatMap((name) =>
  readFileSync(join(folder, name), 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line): Sighting => JSON.parse(line)),
)
rmSync(folder, { recursive: true, force: true })

const namesOf = (kind: Sighting['kind']) =>
  new Set(sightings.filter((each) => each.kind === kind).map(({ text }) => text))
const recordsOf = (sink: Sink) =>
  sightings
    .filter((each) => each.kind === 'records' && each.sink === sink)
    .reduce((sum, { text }) => sum + Number(text), 0)

/** Applications of tests that answer with the URL or the headers of their handshake: that is theirs to say. */
const echoes = ['test/attacks/contexts.test.ts', 'test/attacks/idle.test.ts']
const leaks = sightings.filter(
  ({ kind, sink, file }) => kind === 'leak' && !(sink === 'responses' && echoes.includes(file)),
)
for (const { sink, text, file } of leaks) console.log(`LEAK ${sink} (${file})\n     ${text}`)
const missing = {
  event: Object.keys(auditEvents).filter((type) => !namesOf('event').has(type)),
  metric: [...(await everyMetric()).labels.keys()].filter((name) => !namesOf('metric').has(name)),
  span: ['handshake', 'receive', 'deliver'].filter((name) => !namesOf('span').has(name)),
  level: ['20', '30', '40', '50'].filter((level) => !namesOf('level').has(level)),
}
for (const [kind, names] of Object.entries(missing))
  if (names.length > 0) console.log(`never seen, ${kind}: ${names.join(', ')}`)
const sinks: readonly Sink[] = ['log', 'audit', 'metrics', 'traces', 'responses']
console.log(`looked at ${sinks.map((sink) => `${recordsOf(sink)} of ${sink}`).join(', ')}`)
console.log(`${namesOf('event').size} events, ${namesOf('metric').size} metrics; ${leaks.length} leaks`)
const isIncomplete = Object.values(missing).some((names) => names.length > 0)
process.exitCode = leaks.length > 0 || (whole && isIncomplete) ? 1 : 0
