import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../../house/source-files.ts'

/** How one file of tests ended. */
export interface FileRun {
  readonly file: string
  readonly seconds: number
  /** `failed` has run to its end; `unfinished` was ended for taking too long, or ended without a word of its tests. */
  readonly outcome: 'passed' | 'failed' | 'unfinished'
  /** The names of the tests that failed, with the first line of their errors. */
  readonly failures: readonly string[]
}

export interface SuiteOptions {
  /** Where the witnesses write, and the reporter. */
  readonly folder: string
  readonly atOnce: number
  /** Milliseconds for one file: whatever it has started is then ended with it. */
  readonly longest: number
  readonly told?: (run: FileRun) => void
}

const hook = new URL('./hook.ts', import.meta.url).href
const reporter = new URL('./reporter.ts', import.meta.url).href

/** Each file in a process of its own, which leads a group: a server, a browser or a Redis that a hanging test has started ends with it. */
export async function runSuite(
  files: readonly string[],
  { folder, atOnce, longest, told }: SuiteOptions,
): Promise<FileRun[]> {
  const waiting = [...files]
  const running = new Set<ChildProcess>()
  const endAll = () => {
    for (const child of running) endGroup(child)
  }
  // A group of its own does not hear the Ctrl-C of the terminal.
  process.once('exit', endAll)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
  const runs: FileRun[] = []
  const work = async () => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const run = await runFile(file, join(folder, `${runs.length + running.size}-${file.replaceAll('/', '+')}.told`))
      runs.push(run)
      told?.(run)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  return runs

  async function runFile(file: string, toldFile: string): Promise<FileRun> {
    const start = performance.now()
    const child = spawn(
      process.execPath,
      [
        ...['--env-file=test/harness/test.env', `--test-reporter=${reporter}`],
        ...[`--test-reporter-destination=${toldFile}`, file],
      ],
      {
        cwd: root,
        detached: true,
        // Not a flag: the nodes that a test starts are servers as well, and inherit it.
        env: { ...process.env, CANARY_FOLDER: folder, NODE_OPTIONS: `--import=${hook}` },
        stdio: 'ignore',
      },
    )
    running.add(child)
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      endGroup(child)
    }, longest)
    const [code] = await once(child, 'exit')
    clearTimeout(timer)
    endGroup(child)
    running.delete(child)
    const { failures, ended } = readTold(toldFile)
    const outcome = isLate || !ended ? 'unfinished' : code === 0 ? 'passed' : 'failed'
    return { file, seconds: (performance.now() - start) / 1_000, outcome, failures }
  }
}

function endGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // Nobody of it is left.
  }
}

function readTold(path: string): { readonly failures: readonly string[]; readonly ended: boolean } {
  let lines: readonly string[]
  try {
    lines = readFileSync(path, 'utf8').split('\n').filter(Boolean)
  } catch {
    lines = []
  }
  return { failures: lines.filter((line) => line !== 'ended'), ended: lines.includes('ended') }
}
