import assert from 'node:assert/strict'
import { cp, mkdir, readdir, rename, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { root } from '../house/source-files.ts'
import { createStranger, run, type Stranger } from './stranger.ts'

// The types as they are packed, the way each project may look for them. Declarations are checked as well (`skipLibCheck:
// false`): ours, and those that they bring along. The projects in test/types say what the types mean.
const modules = join(root, 'node_modules')
const compilers = ['typescript', 'typescript-5.9']
const nodeTypes = ['types-node-22', '@types/node', 'types-node-26']

interface Resolution {
  readonly options: Readonly<Record<string, unknown>>
  readonly files: readonly string[]
}

const resolutions: Readonly<Record<string, Resolution>> = {
  // TypeScript 7 has it no more.
  node10: { options: { module: 'commonjs', moduleResolution: 'node10', esModuleInterop: true }, files: ['old.ts'] },
  'node16, ESM and CommonJS': { options: { module: 'node16' }, files: ['esm.mts', 'commonjs.cts'] },
  'nodenext, ESM and CommonJS': { options: { module: 'nodenext' }, files: ['esm.mts', 'commonjs.cts'] },
  bundler: { options: { module: 'preserve', moduleResolution: 'bundler' }, files: ['esm.mts', 'old.ts'] },
}

let stranger: Stranger
before(async () => {
  stranger = await createStranger()
})
after(() => stranger.remove())

/** Beside the stranger's folder and not in it, where a lookup would go on to the package that is there. */
const projectWith = (types: string) => join(stranger.folder, '..', types.replaceAll('/', '-'))

/** A project whose every package sees one version of `@types/node`: links are not followed to where there is another. */
async function createProject(types: string): Promise<string> {
  const folder = projectWith(types)
  const inside = join(folder, 'node_modules')
  await mkdir(join(inside, '@types'), { recursive: true })
  for (const name of await readdir(modules)) {
    if (!name.startsWith('.') && name !== '@types') await symlink(join(modules, name), join(inside, name))
  }
  for (const name of await readdir(join(modules, '@types'))) {
    await symlink(join(modules, name === 'node' ? types : `@types/${name}`), join(inside, '@types', name))
  }
  await cp(stranger.own, join(inside, 'fastify-secure-ws'), { recursive: true })
  await cp(new URL('./resolutions/', import.meta.url), folder, { recursive: true })
  return folder
}

async function compile(
  compiler: string,
  folder: string,
  name: string,
  { options, files }: Resolution,
): Promise<string> {
  const compilerOptions = {
    target: 'es2022',
    lib: ['es2023'],
    types: ['node'],
    strict: true,
    noEmit: true,
    skipLibCheck: false,
    preserveSymlinks: true,
    ...options,
  }
  const config = join(folder, `${compiler}-${name.replaceAll(/\W/g, '')}.json`)
  await writeFile(config, JSON.stringify({ compilerOptions, files }))
  const { stdout } = await run(
    process.execPath,
    [join(modules, compiler, 'bin/tsc'), '--pretty', 'false', '-p', config],
    {
      cwd: folder,
    },
  ).catch((error: unknown) => {
    // A complaint is on stdout; anything else is no answer.
    if (error instanceof Error && 'stdout' in error && error.stdout !== '') return { stdout: String(error.stdout) }
    throw error
  })
  return stdout
}

for (const types of nodeTypes) {
  describe(`the packed types, beside ${types}`, { concurrency: 2 }, () => {
    let folder = ''
    before(async () => {
      folder = await createProject(types)
    })
    for (const compiler of compilers) {
      for (const [name, resolution] of Object.entries(resolutions)) {
        if (compiler === 'typescript' && name === 'node10') continue
        test(`${name}, with ${compiler}`, async () => {
          assert.equal(await compile(compiler, folder, name, resolution), '')
        })
      }
    }
  })
}

// What could make everything above pass for nothing.
test('types that are missing for `require` are missed there', async () => {
  const folder = projectWith('types-node-22')
  const entry = join(folder, 'node_modules/fastify-secure-ws/dist/index.d.cts')
  await rename(entry, `${entry}.gone`)
  const resolution = { options: { module: 'node16' }, files: ['commonjs.cts'] }
  assert.match(await compile('typescript', folder, 'missing', resolution), /^commonjs\.cts\(3,\d+\): error TS7016/)
})
