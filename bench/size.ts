/**
 * The size of what a user downloads and keeps: the tarball, what it unpacks to, and what `npm install` adds to a folder that
 * has Fastify. `npm run size` writes it into README.md, between its marks.
 */
import { execFileSync } from 'node:child_process'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../', import.meta.url))
const readme = join(root, 'README.md')
const folder = mkdtempSync(join(tmpdir(), 'secure-ws-size-'))
try {
  const [packed] = JSON.parse(npm(root, 'pack', '--silent', '--json', '--pack-destination', folder))
  const before = install('before', 'fastify')
  const after = install('after', 'fastify', join(folder, packed.filename))
  const own = join(folder, 'after/node_modules/fastify-secure-ws/dist')
  const sentence =
    `The tarball is ${megabytes(packed.size)}, ${megabytes(packed.unpackedSize)} unpacked; with its dependencies it adds ` +
    `${after.packages - before.packages} packages\n  and ${megabytes(after.bytes - before.bytes)} to a folder that has Fastify. ` +
    `${megabytes(bytesBelow(join(own, 'recheck.cjs')))} of that is the checker of patterns and\n  ` +
    `${megabytes(bytesBelow(join(folder, 'after/node_modules/jsdom')))} jsdom, both loaded when they are needed.`
  console.log(sentence)
  const page = readFileSync(readme, 'utf8')
  writeFileSync(readme, page.replace(/(<!-- begin size -->\n)[\s\S]*?( *<!-- end -->)/, `$1  ${sentence}\n$2`))
} finally {
  rmSync(folder, { recursive: true })
}

function npm(cwd: string, ...args: readonly string[]): string {
  return execFileSync('npm', args, { cwd, encoding: 'utf8' })
}

/** What a folder holds after `npm install` of the given packages. */
function install(name: string, ...packages: readonly string[]): { bytes: number; packages: number } {
  const project = join(folder, name)
  mkdirSync(project)
  npm(project, 'init', '--yes')
  npm(project, 'install', '--prefer-offline', '--no-audit', '--no-fund', '--silent', ...packages)
  const modules = join(project, 'node_modules')
  return { bytes: bytesBelow(modules), packages: manifestsBelow(modules) }
}

function bytesBelow(path: string): number {
  const entry = lstatSync(path)
  if (!entry.isDirectory()) return entry.size
  return readdirSync(path).reduce((sum, name) => sum + bytesBelow(join(path, name)), 0)
}

/** The number of packages in a `node_modules`, the nested ones too. */
function manifestsBelow(modules: string): number {
  if (!existsSync(modules)) return 0
  const folders = readdirSync(modules)
    .filter((name) => !name.startsWith('.'))
    .flatMap((name) => (name.startsWith('@') ? readdirSync(join(modules, name)).map((own) => join(name, own)) : name))
  return folders.reduce((sum, name) => sum + 1 + manifestsBelow(join(modules, name, 'node_modules')), 0)
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`
}
