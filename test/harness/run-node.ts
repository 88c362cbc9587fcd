import { spawn } from 'node:child_process'

export interface NodeRun {
  readonly code: number | null
  /** Its standard output. */
  readonly said: string
}

/** The environment without the variable of a test run, in which a file would report to its parent and not run tests of its own. */
export function environmentOf(given: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  return { ...env, ...given }
}

/** Runs Node to its end, in a folder. */
export async function runNode(
  cwd: string,
  args: readonly string[],
  given: Readonly<Record<string, string>> = {},
): Promise<NodeRun> {
  const run = spawn(process.execPath, [...args], {
    cwd,
    env: environmentOf(given),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  run.stdout.on('data', (part) => {
    said += String(part)
  })
  // Not `exit`, after which there may be more to read.
  const code = await new Promise<number | null>((resolve) => run.once('close', resolve))
  return { code, said }
}
