import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
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

const compilerOptions = {
  target: 'es2024',
  module: 'nodenext',
  types: ['node'],
  strict: true,
  noEmit: true,
  allowImportingTsExtensions: true,
  skipLibCheck: true,
}

interface Page {
  readonly page: string
  readonly blocks: readonly Block[]
}

let programs = 0

/** The complaints of one compiler about the blocks of some pages. Each page is a folder, and each of its blocks a file. */
async function complaintsOf(pagesOf: readonly Page[]): Promise<string> {
  programs += 1
  const project = join(folder, `program-${programs}`)
  for (const { page, blocks } of pagesOf) {
    await mkdir(join(project, page), { recursive: true })
    for (const { name, code } of blocks) {
      await mkdir(dirname(join(project, page, name)), { recursive: true })
      await writeFile(join(project, page, name), code)
    }
  }
  await writeFile(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions }))
  try {
    await run(join(root, 'node_modules/.bin/tsc'), ['-p', project], { cwd: project })
    return ''
  } catch (error) {
    return error instanceof Error && 'stdout' in error ? String(error.stdout) : String(error)
  }
}

// A block that declares the `Session` of its story says so to its whole program, and is a program of its own; all others
// are one, because a compiler reads the types of Node and of the package once.
const alone = ({ code }: Block) => code.includes('declare module')
const documented: readonly Page[] = pages.map((page) => ({ page, blocks: blocksOf(textOf(page)) }))
let together: Promise<string> | undefined

async function complaintsAbout({ page, blocks }: Page): Promise<string> {
  together ??= complaintsOf(
    documented.map((each) => ({ ...each, blocks: each.blocks.filter((block) => !alone(block)) })),
  )
  const own = await Promise.all(blocks.filter(alone).map((block) => complaintsOf([{ page, blocks: [block] }])))
  const shared = (await together).split('\n').filter((line) => line.startsWith(`${page}/`))
  return [...own, ...shared].join('\n').trim()
}

for (const each of documented) {
  if (each.blocks.length === 0) continue
  test(`the ${each.blocks.length} examples of ${each.page} compile`, async () => {
    assert.equal(await complaintsAbout(each), '')
  })
}

test('nothing else is said about all of them together', async () => {
  assert.equal(await together, '')
})

test('an example that does not compile is seen', async () => {
  const page = 'Text\n\n<!-- given\ndeclare const n: number\n-->\n```ts\nconst s: string = n\n```\n'
  const said = await complaintsOf([{ page: 'wrong.md', blocks: blocksOf(page) }])
  assert.match(said, /^wrong\.md\/line-3\.ts\(3,7\).*TS2322/)
})
