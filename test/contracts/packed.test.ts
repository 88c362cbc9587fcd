import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { requireBuild } from '../harness/built.ts'
import { root } from '../house/source-files.ts'

const run = promisify(execFile)

// What is tested elsewhere is the source. What users get is the tarball: a file missing in `files`, an export that leads
// nowhere or a worker that is not found would only show there. Its dependencies come from this checkout, without a
// network; `.ci/run` does the same with a real `npm install`.
let folder = ''
let project = ''

before(async () => {
  requireBuild()
  folder = await mkdtemp(join(tmpdir(), 'secure-ws-packed-'))
  // `dist` is built already, and other tests are using it: no scripts.
  await run('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder], { cwd: root })
  const tarball = (await readdir(folder)).find((name) => name.endsWith('.tgz'))
  assert.ok(tarball)
  await run('tar', ['-xzf', join(folder, tarball), '-C', folder])

  project = join(folder, 'project')
  await cp(new URL('./packed/', import.meta.url), project, { recursive: true })
  const modules = join(project, 'node_modules')
  await mkdir(modules)
  for (const name of await readdir(join(root, 'node_modules'))) {
    if (!name.startsWith('.')) await symlink(join(root, 'node_modules', name), join(modules, name))
  }
  await rename(join(folder, 'package'), join(modules, 'fastify-secure-ws'))
})

after(() => rm(folder, { recursive: true, force: true }))

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

for (const compiler of ['typescript', 'typescript-5.9']) {
  test(`the types of the packed package check, with ${compiler}`, async () => {
    // Without the declarations of dependencies: those of TypeBox alone take longer than this whole suite.
    const options =
      '--skipLibCheck --noEmit --strict --target es2024 --module nodenext --types node --lib es2024'.split(' ')
    const tsc = join(root, 'node_modules', compiler, 'bin/tsc')
    // A complaint is on stdout, and in the error that `run` throws.
    const { stdout } = await run(process.execPath, [tsc, ...options, 'consumer.mts'], { cwd: project })
    assert.equal(stdout, '')
  })
}

test('the package holds what it runs, and nothing else', async () => {
  const inside = await readdir(join(project, 'node_modules/fastify-secure-ws'), {
    recursive: true,
    withFileTypes: true,
  })
  const names = inside
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).split('/fastify-secure-ws/')[1] ?? '')
  const pages = ['CHANGELOG.md', 'CONTRIBUTING.md', 'LICENSE', 'README.md', 'SECURITY.md', 'package.json']
  assert.deepEqual(names.filter((name) => !/^(?:dist|docs|examples)\//.test(name)).sort(), pages)
  // The tests in examples/ are those that docs/testing.md shows; ours stay at home.
  assert.deepEqual(
    names.filter((name) => /^(?!examples\/).*\.test\.|\.pem$|^dist\/.*(?<!\.d)\.ts$/.test(name)),
    [],
  )

  const { exports } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  const targets = Object.values<string | Record<string, string>>(exports).flatMap((target) =>
    typeof target === 'string' ? [target] : Object.values(target),
  )
  assert.deepEqual(
    targets.filter((target) => !names.includes(target.replace('./', ''))),
    [],
  )
})
