import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { writeDeclarations } from '../../build/declarations.ts'
import { root } from '../house/source-files.ts'

const run = promisify(execFile)

export const compilers = { '7': 'typescript', '5.9': 'typescript-5.9' } as const
export type Compiler = keyof typeof compilers

/** A stranger's folder: today's declarations under the package's own name, beside what they depend on. */
export interface Consumer {
  readonly folder: string
  remove(): Promise<void>
}

/** Builds the declarations from `src`, so that neither the state of `dist` nor another test that rebuilds it matters. */
export async function createConsumer(): Promise<Consumer> {
  const folder = await mkdtemp(join(tmpdir(), 'secure-ws-types-'))
  const own = join(folder, 'node_modules', 'fastify-secure-ws')
  await mkdir(own, { recursive: true })
  for (const name of await readdir(join(root, 'node_modules'))) {
    if (!name.startsWith('.')) await symlink(join(root, 'node_modules', name), join(folder, 'node_modules', name))
  }
  await cp(join(root, 'package.json'), join(own, 'package.json'))
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
  await writeDeclarations(join(own, 'dist'))
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) }
}

/** What the compiler says on stdout; nothing when it has nothing to say. */
async function compile(compiler: Compiler, cwd: string, options: readonly string[] = []): Promise<string> {
  const tsc = join(root, 'node_modules', compilers[compiler], 'bin', 'tsc')
  try {
    await run(process.execPath, [tsc, '--pretty', 'false', ...options], { cwd })
    return ''
  } catch (error) {
    if (error instanceof Error && 'stdout' in error && error.stdout !== '') return String(error.stdout)
    throw error
  }
}

/** `file:line code`, sorted. */
export type Complaints = readonly string[]

export interface ProjectOptions {
  /** Whether declarations of dependencies are checked as well, and not only used. */
  readonly skipLibCheck: boolean
}

/**
 * Compiles a copy of a project without its `@ts-expect-error`: such a line is content with any error, a wrong import
 * included. Each is written with the code it stands for, and returned as `expected`.
 */
export async function checkProject(
  { folder }: Consumer,
  files: ReadonlyMap<string, string>,
  compiler: Compiler,
  { skipLibCheck }: ProjectOptions,
): Promise<{ readonly expected: Complaints; readonly found: Complaints; readonly text: string }> {
  const project = await mkdtemp(join(folder, 'project-'))
  const expected: string[] = []
  for (const [name, text] of files) {
    const lines = text.split('\n')
    for (const [index, line] of lines.entries()) {
      const directive = /^\s*\/\/ @ts-expect-error (TS\d+)/.exec(line)
      if (directive === null) continue
      expected.push(`${name}:${index + 2} ${directive[1]}`)
      lines[index] = '//'
    }
    await writeFile(join(project, name), lines.join('\n'))
  }
  const compilerOptions = {
    target: 'es2024',
    module: 'nodenext',
    types: ['node'],
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noEmit: true,
    allowImportingTsExtensions: true,
    skipLibCheck,
  }
  await writeFile(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions }))
  const text = await compile(compiler, project)
  const found = [...text.matchAll(/^(\S+)\((\d+),\d+\): error (TS\d+)/gm)].map(([, path, line, code]) => {
    return `${path}:${line} ${code}`
  })
  return { expected: expected.sort(), found: [...new Set(found)].sort(), text }
}

/** The files of a project, and the one beside all of them with which they say what type they expect. */
export async function filesOf(project: string): Promise<Map<string, string>> {
  const folder = join(root, 'test/types/projects', project)
  const paths = [join(root, 'test/types/expect.ts'), ...(await readdir(folder)).map((name) => join(folder, name))]
  return new Map(await Promise.all(paths.map(async (path) => [basename(path), await readFile(path, 'utf8')] as const)))
}
