import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { requireBuild } from '../harness/built.ts'
import { root } from '../house/source-files.ts'

const run = promisify(execFile)

// A page's own project: no types of Node, none of Fastify, only those of a browser. A declaration that names a type of the
// server's surroundings would not be found there.
let folder = ''

before(async () => {
  requireBuild()
  folder = await mkdtemp(join(tmpdir(), 'secure-ws-page-'))
  const own = join(folder, 'node_modules', 'fastify-secure-ws')
  await mkdir(own, { recursive: true })
  await cp(join(root, 'package.json'), join(own, 'package.json'))
  await cp(join(root, 'dist'), join(own, 'dist'), { recursive: true })
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
})

after(() => rm(folder, { recursive: true, force: true }))

const page = `
import { connect } from 'fastify-secure-ws/client'
await using client = connect<{ receives: { say: { type: 'say' } }; sends: object; replies: { say: number } }>('/chat')
const number: number = await client.request('say', {})
client.subscribe(({ name }) => document.title = name + number)
`

for (const compiler of ['typescript', 'typescript-5.9']) {
  for (const [name, options] of Object.entries({
    bundler: { module: 'preserve', moduleResolution: 'bundler' },
    'browser modules': { module: 'nodenext' },
  })) {
    test(`${name}, with ${compiler}: the declarations need nothing but a browser`, async () => {
      const compilerOptions = {
        target: 'es2022',
        lib: ['es2022', 'dom', 'esnext.disposable'],
        types: [],
        strict: true,
        noEmit: true,
        skipLibCheck: false,
        ...options,
      }
      const project = await mkdtemp(join(folder, 'project-'))
      await writeFile(join(project, 'page.ts'), page)
      await writeFile(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions }))
      const tsc = join(root, 'node_modules', compiler, 'bin/tsc')
      const { stdout } = await run(process.execPath, [tsc, '--pretty', 'false', '-p', project]).catch(
        (error: unknown) => {
          if (error instanceof Error && 'stdout' in error && error.stdout !== '')
            return { stdout: String(error.stdout) }
          throw error
        },
      )
      assert.equal(stdout, '')
    })
  }
}
