import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rename, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { requireBuild } from '../harness/built.ts'
import { root } from '../house/source-files.ts'

export const run = promisify(execFile)

/** A stranger's folder with the package as npm would install it, unpacked from the tarball. */
export interface Stranger {
  readonly folder: string
  /** Where the package is. */
  readonly own: string
  /** The tarball it came from. */
  readonly tarball: string
  remove(): Promise<void>
}

/** Takes the dependencies from this checkout, without a network; `.ci/run` does the same with a real `npm install`. */
export async function createStranger(): Promise<Stranger> {
  requireBuild()
  const above = await mkdtemp(join(tmpdir(), 'secure-ws-packed-'))
  // `dist` is built already, and other tests are using it: no scripts.
  await run('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', above], { cwd: root })
  const packed = (await readdir(above)).find((name) => name.endsWith('.tgz'))
  if (packed === undefined) throw new Error('npm pack made no tarball')
  const tarball = join(above, packed)
  await run('tar', ['-xzf', tarball, '-C', above])

  const folder = join(above, 'project')
  const modules = join(folder, 'node_modules')
  await mkdir(modules, { recursive: true })
  for (const name of await readdir(join(root, 'node_modules'))) {
    if (!name.startsWith('.')) await symlink(join(root, 'node_modules', name), join(modules, name))
  }
  const own = join(modules, 'fastify-secure-ws')
  await rename(join(above, 'package'), own)
  return { folder, own, tarball, remove: () => rm(above, { recursive: true, force: true }) }
}
