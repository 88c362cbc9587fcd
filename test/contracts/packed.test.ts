import assert from 'node:assert/strict'
import { cp, readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { root } from '../house/source-files.ts'
import { createStranger, run, type Stranger } from './stranger.ts'

// What is tested elsewhere is the source. What users get is the tarball: a file missing in `files`, an export that leads
// nowhere or a worker that is not found would only show there.
let stranger: Stranger
let project = ''

before(async () => {
  stranger = await createStranger()
  project = stranger.folder
  await cp(new URL('./packed/', import.meta.url), project, { recursive: true })
})

after(() => stranger.remove())

test('the packed package works in an ESM project', async () => {
  const { stdout } = await run(process.execPath, ['consumer.mjs'], { cwd: project })
  assert.equal(stdout, 'ESM: ok\n')
})

test('the packed package works in a CommonJS project', async () => {
  const { stdout, stderr } = await run(process.execPath, ['consumer.cjs'], { cwd: project })
  assert.equal(stdout, 'CommonJS: ok\n')
  // The advice on the one refused request, and nothing that Node has to say of how the package is loaded.
  assert.match(stderr, /^fastify-secure-ws: 426 SWS_UPGRADE_REQUIRED on \/echo: .*\n$/)
})

for (const [linter, program, ...before] of [
  ['publint', 'publint/src/cli.js', 'run', '--strict'],
  ['attw', '@arethetypeswrong/cli/dist/index.js'],
] as const) {
  test(`${linter} has nothing to say about the tarball`, async () => {
    const command = [join(root, 'node_modules', program), ...before, stranger.tarball]
    const { stdout } = await run(process.execPath, command).catch((error) =>
      assert.fail(`${error.stdout}${error.stderr}`),
    )
    assert.match(stdout, /All good|No problems found/)
  })
}

test('the package holds what it runs, and nothing else', async () => {
  const inside = await readdir(stranger.own, { recursive: true, withFileTypes: true })
  const names = inside
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).split('/fastify-secure-ws/')[1] ?? '')
  const pages = ['CHANGELOG.md', 'CONTRIBUTING.md', 'LICENSE', 'README.md', 'SECURITY.md', 'package.json']
  assert.deepEqual(names.filter((name) => !/^(?:dist|docs|examples)\//.test(name)).sort(), pages)
  // The tests in examples/ are those that docs/testing.md shows; ours stay at home.
  assert.deepEqual(
    names.filter((name) => /^(?!examples\/).*\.test\.|\.pem$|\.map$|^dist\/.*(?<!\.d)\.[cm]?ts$/.test(name)),
    [],
  )

  const { exports, main, types, typesVersions } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  const targets = textsIn([exports, main, types, typesVersions]).map((target) => target.replace('./', ''))
  assert.ok(targets.length > 8)
  assert.deepEqual(
    targets.filter((target) => !names.includes(target)),
    [],
  )
})

// The figures are written by `npm run size`; this says when it is time to run it again.
test('README states the size of the tarball', async () => {
  const stated = Number(/The tarball is (\d+\.\d) MB/.exec(await readFile(join(root, 'README.md'), 'utf8'))?.[1])
  const { size } = await stat(stranger.tarball)
  assert.ok(Math.abs(stated - size / 1e6) < 0.15, `stated ${stated} MB, is ${size} bytes`)
})

/** Every string below a value. */
function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : []
}
