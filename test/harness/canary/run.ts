/**
 * Runs the suite with a canary in every handshake and a witness at every sink: `npm run canary`, or with globs of test files. It
 * fails when a secret has come out anywhere, when a file was not run to its end under the eyes of a witness, when a test fails twice
 * under them, and, for the whole suite or with `--everything`, when an event, a metric or a span of the catalogues never came.
 */
import { existsSync, globSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import { auditEvents } from '../../../src/telemetry/events.ts'
import { root } from '../../house/source-files.ts'
import { everyMetric } from '../../telemetry/every-metric.ts'
import { logHeaders, measureThemselves, sameTextEverywhere, tellByUrl } from './exceptions.ts'
import { mark } from './secrets.ts'
import type { Sighting, Sink } from './sinks.ts'
import { type FileRun, runSuite } from './suite.ts'

const { values: given, positionals: globs } = parseArgs({
  allowPositionals: true,
  options: {
    everything: { type: 'boolean', default: false },
    /** How many files run at once. */
    processes: { type: 'string', default: '3' },
    /** How long one file may take. */
    seconds: { type: 'string', default: '240' },
  },
})
/** Whether every event, metric and span of the catalogues has to come. */
const everything = globs.length === 0 || given.everything
const files = globSync(globs.length === 0 ? ['test/**/*.test.ts'] : globs, { cwd: root }).sort()
const folder = mkdtempSync(join(tmpdir(), 'secure-ws-canary-'))
const start = performance.now()

function tell({ file, seconds, outcome, failures }: FileRun): void {
  console.log(`${seconds.toFixed(1).padStart(6)} s ${file}${outcome === 'passed' ? '' : `: ${outcome}`}`)
  for (const failure of failures) console.log(`           ${failure}`)
}

const options = { folder, longest: Number(given.seconds) * 1_000, told: tell }
const first = await runSuite(files, { ...options, atOnce: Number(given.processes) })
/** A test that waits in vain on a busy machine gets a second chance, alone. */
const again = first.filter(({ outcome }) => outcome !== 'passed').map(({ file }) => file)
if (again.length > 0) console.log('once more, one at a time:')
const second = await runSuite(again, { ...options, atOnce: 1 })
const wrong = second.filter(({ outcome }) => outcome !== 'passed')

const sightings = readdirSync(folder)
  .filter((name) => name.endsWith('.jsonl'))
  .flatMap((name) =>
    readFileSync(join(folder, name), 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line): Sighting => JSON.parse(line)),
  )
rmSync(folder, { recursive: true, force: true })

const of = (kind: Sighting['kind']) => sightings.filter((each) => each.kind === kind)
const namesOf = (kind: Sighting['kind']) => new Set(of(kind).map(({ text }) => text))
const sumOf = (kind: Sighting['kind'], sink: Sink) =>
  of(kind).reduce((sum, each) => sum + (each.sink === sink ? Number(each.text) : 0), 0)

const isTheirs = ({ sink, text, file }: Sighting) =>
  sink === 'log' && text.includes(`"x-canary":"${mark}`) && logHeaders.some((path) => basename(path) === file)
const leaks = of('leak').filter((each) => !isTheirs(each))
const missing = {
  event: Object.keys(auditEvents).filter((type) => !namesOf('event').has(type)),
  metric: [...(await everyMetric()).labels.keys()].filter((name) => !namesOf('metric').has(name)),
  span: ['handshake', 'receive', 'deliver'].filter((name) => !namesOf('span').has(name)),
  level: ['30', '40', '50'].filter((level) => !namesOf('level').has(level)),
}
const gone = [...tellByUrl, ...measureThemselves, ...sameTextEverywhere, ...logHeaders].filter(
  (path) => !existsSync(join(root, path)),
)

console.log('')
const problems: string[] = []
for (const { sink, text, file } of leaks) problems.push(`LEAK ${sink} (${file})\n     ${text}`)
for (const { file, outcome } of wrong) problems.push(`${outcome} twice: ${file}`)
for (const file of files) if (!namesOf('watched').has(file)) problems.push(`no witness: ${file}`)
for (const path of gone) problems.push(`an exception for a file that has gone: ${path}`)
if (everything)
  for (const [kind, names] of Object.entries(missing))
    if (names.length > 0) problems.push(`never seen, ${kind}: ${names.join(', ')}`)
for (const problem of problems) console.log(problem)

const sinks: readonly Sink[] = ['log', 'audit', 'metrics', 'traces', 'responses']
console.log(`looked at ${sinks.map((sink) => `${sumOf('records', sink)} of ${sink}`).join(', ')}`)
console.log(
  `beyond what a process notes: ${sumOf('beyond', 'log')} texts of clients, which bear the mark where they are of a handshake`,
)
const minutes = ((performance.now() - start) / 60_000).toFixed(1)
console.log(
  `${files.length} files and ${of('watched').length} processes in ${minutes} minutes, ${again.length} files a second time`,
)
const seenOf = (kind: 'event' | 'metric' | 'span', all: number) => `${all - missing[kind].length} of ${all} ${kind}s`
const metrics = (await everyMetric()).labels.size
console.log(
  `${seenOf('event', Object.keys(auditEvents).length)}, ${seenOf('metric', metrics)}, ${seenOf('span', 3)}; ${leaks.length} leaks`,
)
process.exitCode = problems.length > 0 ? 1 : 0
