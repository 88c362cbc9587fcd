/**
 * Mutation testing of what text passes on its way in and out, and of what judges a handshake by a text: changes one thing at a
 * time in a file of `src`, and runs the tests that are about it. A change that no test notices is printed; `docs/assurance.md`
 * says why each that is left is harmless. Run it with `npm run mutation`, or for some files with `npm run mutation -- serialized fill`.
 */
import { execFile } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'

const run = promisify(execFile)
const root = join(import.meta.dirname, '../..')
const report = join(root, 'reports/mutation.json')
const options = join(root, 'reports/stryker.json')

/** Of Stryker's report, what is read here. */
interface Report {
  readonly files: Readonly<Record<string, { readonly mutants: readonly Mutant[] }>>
}
interface Mutant {
  readonly status: string
  readonly mutatorName: string
  readonly replacement?: string
  readonly location: { readonly start: { readonly line: number; readonly column: number } }
}

interface Group {
  readonly files: readonly string[]
  readonly tests: readonly string[]
}

/** @param files below `src` @param tests below `test` */
const group = (files: readonly string[], tests: readonly string[]): Group => ({
  files: files.map((name) => `src/${name}.ts`),
  tests: tests.map((name) => `test/${name}.test.ts`),
})
const within = (room: string) => (name: string) => `${room}/${name}`
const outbound = (files: readonly string[], tests: readonly string[]): Group =>
  group(files.map(within('outbound')), tests.map(within('outbound')))
const sanitizing = (...names: readonly string[]): Group =>
  group(names.map(within('sanitizing')), names.slice(0, 1).map(within('sanitizing')))

const groups: readonly Group[] = [
  group(['http/address'], ['http/address']),
  group(['http/authority'], ['http/authority']),
  group(
    ['admission/web-origin', 'admission/origin-list'],
    ['admission/web-origin', 'admission/origin-list', 'admission/origin'],
  ),
  group(['authentication/algorithms'], ['authentication/algorithms']),
  sanitizing('structure'),
  sanitizing('verdict-cache'),
  sanitizing('profile'),
  sanitizing('cleaner'),
  sanitizing('secure-ws-sanitizer'),
  sanitizing('worker-pool', 'thread'),
  sanitizing('sanitizing'),
  outbound(['serialized', 'fill'], ['serialized']),
  outbound(['html', 'attribute', 'css', 'js', 'url', 'encode-for'], ['encode-for']),
  outbound(['shared-frame', 'bytes'], ['shared-frame']),
  group(['schema/length'], ['schema/length']),
  group(['schema/unique-items', 'schema/multiple-of'], ['schema/equality']),
  group(['schema/keyword-value'], ['schema/refusals', 'inbound/schema']),
  group(['schema/cleaning-plan', 'schema/sanitize-text'], ['inbound/cleaning', 'schema/sanitize-text']),
  group(['schema/formats'], ['schema/random-formats', 'schema/formats']),
  outbound(['json', 'outbound', 'encoded', 'markup'], ['outbound', 'encoded', 'serialized']),
  group(
    ['outbound/schema', 'outbound/projection', 'outbound/branches', 'schema/location'],
    ['outbound/schema', 'outbound/projection'],
  ),
  outbound(['template', 'template-plan', 'template-position'], ['template']),
]

/** The others do not load at all, so there is nothing to notice. */
const counted = new Set(['Killed', 'Timeout', 'Survived', 'NoCoverage'])

async function mutate({ tests }: Group, files: readonly string[]): Promise<Report> {
  await mkdir(join(root, 'reports'), { recursive: true })
  const config = {
    mutate: files,
    testRunner: 'command',
    commandRunner: {
      command: `node --test --test-isolation=none --test-reporter=./test/harness/first-failure.ts ${tests.join(' ')}`,
    },
    concurrency: Math.min(4, availableParallelism()),
    ignorePatterns: ['dist', 'demo', 'docs', 'bench', '.ci', '.github'],
    // Stryker reads it with the compiler's API, which TypeScript 7 does not have; Node strips the types by itself.
    tsconfigFile: 'none',
    // A mutant that loops for ever is noticed, and must not take the afternoon.
    timeoutMS: 10_000,
    reporters: ['json'],
    jsonReporter: { fileName: report },
  }
  await writeFile(options, JSON.stringify(config))
  await run(join(root, 'node_modules/.bin/stryker'), ['run', options], { cwd: root, maxBuffer: 64_000_000 })
  return JSON.parse(await readFile(report, 'utf8')) as Report
}

const { positionals } = parseArgs({ allowPositionals: true })
const isWanted = (file: string) => positionals.length === 0 || positionals.some((name) => file.endsWith(`/${name}.ts`))

for (const group of groups) {
  const files = group.files.filter(isWanted)
  if (files.length === 0) continue
  const result = await mutate(group, files)
  for (const [file, { mutants }] of Object.entries(result.files)) {
    const own = mutants.filter(({ status }) => counted.has(status))
    const survivors = own.filter(({ status }) => status === 'Survived' || status === 'NoCoverage')
    const killed = own.length - survivors.length
    console.log(
      `${file}: ${killed} of ${own.length} killed (${((100 * killed) / Math.max(1, own.length)).toFixed(1)} %)`,
    )
    for (const { location, mutatorName, replacement } of survivors) {
      console.log(`  ${location.start.line}:${location.start.column} ${mutatorName}: ${replacement ?? ''}`)
    }
  }
}
