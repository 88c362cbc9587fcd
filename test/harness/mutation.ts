/**
 * Mutation testing of what text passes on its way out: changes one thing at a time in a file of `src`, and runs the tests
 * that are about it. A change that no test notices is printed; `docs/assurance.md` says why each that is left is harmless.
 * Run it with `npm run mutation`, or for some files with `npm run mutation -- serialized fill`.
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

const outbound = (files: readonly string[], tests: readonly string[]): Group => ({
  files: files.map((name) => `src/outbound/${name}.ts`),
  tests: tests.map((name) => `test/outbound/${name}.test.ts`),
})
const sanitizing = (name: string): Group => ({
  files: [`src/sanitizing/${name}.ts`],
  tests: [`test/sanitizing/${name}.test.ts`],
})

const groups: readonly Group[] = [
  sanitizing('structure'),
  sanitizing('verdict-cache'),
  sanitizing('profile'),
  sanitizing('cleaner'),
  sanitizing('secure-ws-sanitizer'),
  {
    files: ['src/sanitizing/worker-pool.ts', 'src/sanitizing/thread.ts'],
    tests: ['test/sanitizing/worker-pool.test.ts'],
  },
  sanitizing('sanitizing'),
  outbound(['serialized', 'fill'], ['serialized']),
  outbound(['html', 'attribute', 'css', 'js', 'url', 'encode-for'], ['encode-for']),
  outbound(['shared-frame', 'bytes'], ['shared-frame']),
  { files: ['src/schema/length.ts'], tests: ['test/schema/length.test.ts'] },
  {
    files: ['unique-items', 'multiple-of'].map((name) => `src/schema/${name}.ts`),
    tests: ['test/schema/equality.test.ts'],
  },
  outbound(['json', 'outbound', 'encoded', 'markup'], ['outbound', 'encoded', 'serialized']),
  {
    files: [
      'src/outbound/schema.ts',
      'src/outbound/projection.ts',
      'src/outbound/branches.ts',
      'src/schema/location.ts',
    ],
    tests: ['test/outbound/schema.test.ts', 'test/outbound/projection.test.ts'],
  },
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
