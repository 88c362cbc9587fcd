import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { requireBuild } from '../harness/built.ts'
import { pages, root, textOf } from './source-files.ts'

const run = promisify(execFile)

interface Block {
  /** That of the file which it is a copy of, so that one block can import another. */
  readonly name: string
  readonly code: string
}

/** The `ts` blocks of a page, each with the declarations of the comment `<!-- given ... -->` right above it, if any. */
function blocksOf(page: string): Block[] {
  const pattern = /(?:<!-- given\n([\s\S]*?)-->\s*|<!-- example: examples\/(\S+) -->\n)?^```ts\n([\s\S]*?)^```$/gm
  return [...page.matchAll(pattern)].map(({ 1: given = '', 2: file, 3: code = '', index }) => ({
    name: file ?? `line-${page.slice(0, index).split('\n').length}.ts`,
    // `export {}`: each block is a module of its own and may use `await`.
    code: `${given}\n${code}\nexport {}\n`,
  }))
}

// A stranger's project: the built package by its name, beside what it depends on.
let folder = ''

before(async () => {
  requireBuild()
  folder = await mkdtemp(join(tmpdir(), 'secure-ws-docs-'))
  const modules = join(folder, 'node_modules')
  await mkdir(modules)
  for (const name of await readdir(join(root, 'node_modules'))) {
    if (!name.startsWith('.')) await symlink(join(root, 'node_modules', name), join(modules, name))
  }
  await symlink(root, join(modules, 'fastify-secure-ws'))
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
})

after(() => rm(folder, { recursive: true, force: true }))

/** What `tsc` says about the blocks of one page. A block that declares the `Session` of its story is a program of its own. */
async function complaintsAbout(page: string, blocks: readonly Block[]): Promise<string> {
  const alone = blocks.filter(({ code }) => code.includes('declare module'))
  const together = blocks.filter((block) => !alone.includes(block))
  const programs = [together, ...alone.map((block) => [block])].filter((program) => program.length > 0)
  const said = await Promise.all(programs.map((program, index) => complaintsOf(`${page}-${index}`, program)))
  return said.join('')
}

async function complaintsOf(name: string, blocks: readonly Block[]): Promise<string> {
  const project = join(folder, name.replaceAll(/\W/g, '-'))
  await mkdir(project)
  for (const { name: file, code } of blocks) await writeFile(join(project, file), code)
  const compilerOptions = {
    target: 'es2024',
    module: 'nodenext',
    types: ['node'],
    strict: true,
    noEmit: true,
    allowImportingTsExtensions: true,
    skipLibCheck: true,
  }
  await writeFile(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions }))
  try {
    await run(join(root, 'node_modules/.bin/tsc'), ['-p', project])
    return ''
  } catch (error) {
    return error instanceof Error && 'stdout' in error ? String(error.stdout) : String(error)
  }
}

for (const page of pages) {
  const blocks = blocksOf(textOf(page))
  if (blocks.length === 0) continue
  test(`the ${blocks.length} examples of ${page} compile`, async () => {
    assert.equal(await complaintsAbout(page, blocks), '')
  })
}

test('an example that does not compile is seen', async () => {
  const page = 'Text\n\n<!-- given\ndeclare const n: number\n-->\n```ts\nconst s: string = n\n```\n'
  assert.match(await complaintsAbout('wrong.md', blocksOf(page)), /line-3\.ts\(3,7\).*TS2322/)
})
