import { spawn } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import { requireBuild } from '../harness/built.ts'
import { type NodeRun, runNode } from '../harness/run-node.ts'
import { root } from '../house/source-files.ts'

export interface Example {
  readonly port: number
  /** `http://localhost:<port>`, which is also the origin of its pages. */
  readonly url: string
  /** Every line that it wrote. */
  readonly said: readonly string[]
  /** Sends a signal and waits for the end: the exit code. */
  stop(signal: NodeJS.Signals): Promise<number | null>
}

/** A newcomer's folder: the built package by its name, beside what it depends on. */
async function projectFolder(t: TestContext): Promise<string> {
  requireBuild()
  const folder = await mkdtemp(join(tmpdir(), 'secure-ws-example-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const modules = join(folder, 'node_modules')
  await mkdir(modules)
  for (const entry of await readdir(join(root, 'node_modules'))) {
    if (!entry.startsWith('.')) await symlink(join(root, 'node_modules', entry), join(modules, entry))
  }
  await symlink(root, join(modules, 'fastify-secure-ws'))
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
  // All of them: some import another one.
  await cp(join(root, 'examples'), folder, { recursive: true })
  return folder
}

/** Runs a file of `examples/` that ends by itself: the exit code, and what it wrote. */
export async function runToEnd(
  t: TestContext,
  args: readonly string[],
  given: Readonly<Record<string, string>> = {},
): Promise<NodeRun> {
  return runNode(await projectFolder(t), args, given)
}

/**
 * Runs a file of `examples/` as a newcomer does: in a folder of its own, beside the built package. Only the port is another.
 * The test's end stops it.
 */
export async function startExample(
  t: TestContext,
  name: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Example> {
  const folder = await projectFolder(t)
  const code = await readFile(join(root, 'examples', name), 'utf8')
  if (!code.includes('port: 3000')) throw new Error(`${name} does not listen on port 3000`)
  await writeFile(join(folder, name), code.replace('port: 3000', 'port: 0'))

  const server = spawn(process.execPath, [name], {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = new Promise<number | null>((resolve) => server.once('exit', resolve))
  t.after(async () => {
    server.kill('SIGKILL')
    await exited
  })
  const said: string[] = []
  const port = await new Promise<number>((resolve, reject) => {
    createInterface(server.stdout).on('line', (line) => {
      said.push(line)
      const found = /listening at https?:\/\/\S+?:(\d+)"/.exec(line)?.[1]
      if (found !== undefined) resolve(Number(found))
    })
    server.once('exit', (code) => reject(new Error(`${name} ended with ${code}:\n${said.join('\n')}`)))
  })
  return {
    port,
    url: `http://localhost:${port}`,
    said,
    stop(signal) {
      server.kill(signal)
      return exited
    },
  }
}
