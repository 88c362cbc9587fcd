/**
 * Does what docs/testing.md says, as a stranger would: the packed package in an empty folder, the commands and the files of a
 * section, and nothing else. `npm run runners` runs it, with what npm brings.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root, textOf } from '../house/source-files.ts'

export interface Section {
  readonly runner: string
  readonly commands: readonly string[]
  readonly files: ReadonlyMap<string, string>
}

/** The sections of a page that have commands: what to type, in order, and what to save under which name. */
export function sectionsOf(page: string): Section[] {
  return page
    .split(/^## /m)
    .slice(1)
    .flatMap((text) => {
      const runner = text.slice(0, text.indexOf('\n'))
      const commands = [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].flatMap(([, lines = '']) =>
        lines.trim().split('\n'),
      )
      const files = new Map(
        [...text.matchAll(/[Ss]ave this as `([\w.-]+)`[^`]*?:\n+(?:<!-- [^>]* -->\n)?```\w+\n([\s\S]*?)^```$/gm)].map(
          ([, name = '', code = '']) => [name, code] as const,
        ),
      )
      return commands.length > 0 && files.size > 0 ? [{ runner, commands, files }] : []
    })
}

function run(command: string, folder: string): void {
  console.log(`$ ${command}`)
  execFileSync('bash', ['-c', command], { cwd: folder, stdio: ['ignore', 'inherit', 'inherit'] })
}

function runAll(): void {
  const work = mkdtempSync(join(tmpdir(), 'secure-ws-runners-'))
  try {
    run(`npm pack --silent --pack-destination ${work}`, root)
    for (const { runner, commands, files } of sectionsOf(textOf('docs/testing.md'))) {
      console.log(`\n== ${runner}`)
      const folder = join(work, runner.replaceAll(/\W/g, '-'))
      mkdirSync(folder)
      for (const [name, code] of files) writeFileSync(join(folder, name), code)
      // The package is the one of this folder, and not the one of the registry.
      for (const command of commands) run(command.replace(/fastify-secure-ws\b/, '../fastify-secure-ws-*.tgz'), folder)
    }
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

if (process.argv[1] === import.meta.filename) runAll()
