import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, test } from 'node:test'
import { root, textOf } from '../house/source-files.ts'
import { createStranger, run, type Stranger } from './stranger.ts'

// A page and a server as somebody writes them who has read README.md and docs/, in an empty folder with the packed package and the
// tsconfig.json of docs/typescript.md.
const names = ['server.ts', 'page.ts']
const compilers = ['typescript', 'typescript-5.9']
const mark = '// @ts-expect-error'

let stranger: Stranger
before(async () => {
  stranger = await createStranger()
  const tsconfig = /Save this as `tsconfig\.json`:\n+```json\n([\s\S]*?)^```$/m.exec(textOf('docs/typescript.md'))?.[1]
  await writeFile(join(stranger.folder, 'package.json'), '{ "type": "module" }')
  await writeFile(join(stranger.folder, 'tsconfig.json'), tsconfig ?? '')
})
after(() => stranger.remove())

const written = (name: string) => readFile(new URL(`typed/${name}`, import.meta.url), 'utf8')

async function complaintsOf(compiler: string): Promise<string[]> {
  const tsc = join(root, 'node_modules', compiler, 'bin/tsc')
  const { stdout } = await run(process.execPath, [tsc, '--pretty', 'false'], { cwd: stranger.folder }).catch(
    (error: { stdout: string }) => error,
  )
  return [...stdout.matchAll(/^(\S+)\((\d+),\d+\): error/gm)].map(([, file, line]) => `${file}:${line}`)
}

for (const compiler of compilers) {
  test(`${compiler}: each mistake is an error of its own, on either side, and nothing else is one`, async () => {
    const expected: string[] = []
    for (const name of names) {
      const lines = (await written(name)).split('\n')
      for (const [at, line] of lines.entries()) if (line.trim() === mark) expected.push(`${name}:${at + 2}`)
      // Left in, such a line is content with any error: what is looked for is that each is one, and where.
      await writeFile(join(stranger.folder, name), lines.join('\n').replaceAll(mark, '//'))
    }
    assert.ok(expected.length > 15)
    assert.deepEqual((await complaintsOf(compiler)).sort(), expected.sort())
  })
}

test('without the mistakes it compiles, and the two talk to each other', async (t) => {
  for (const name of names) await writeFile(join(stranger.folder, name), await written(name))
  assert.deepEqual(await complaintsOf('typescript'), [])
  const server = spawn(process.execPath, ['server.ts'], { cwd: stranger.folder, stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => server.kill())
  const [address] = await once(createInterface(server.stdout), 'line')
  const { stdout } = await run(process.execPath, ['page.ts', String(address)], { cwd: stranger.folder })
  assert.deepEqual(stdout.trim().split('\n'), ['Lunch? soup|stew', '{ counted: true }', 'SWS_INVALID_MESSAGE'])
})
