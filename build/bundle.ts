import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type BuildOptions, build, type Metafile, type Plugin } from 'esbuild'
import { bundledRecheck, bundleRecheck } from './recheck.ts'

const root = fileURLToPath(new URL('../', import.meta.url))

/** What both ways of loading have in common: readable code for the oldest Node of `engines`, dependencies left outside. */
const options = {
  absWorkingDir: root,
  bundle: true,
  packages: 'external',
  external: Object.values(bundledRecheck),
  platform: 'node',
  target: 'node22',
  charset: 'ascii',
  logLevel: 'warning',
  metafile: true,
} satisfies BuildOptions

/**
 * The URL of the file, for what runs as CommonJS. A bundler that makes ESM out of it leaves no `__filename` behind; then it
 * is unknown, and `src/loading/location.ts` says so.
 */
const ownFileUrl =
  "const ownFileUrl = typeof __filename === 'string' ? require('node:url').pathToFileURL(__filename).href : undefined;"

/**
 * Writes the implementation, once, as CommonJS, and a wrapper that gives it to `import`: a class with a private field, a
 * symbol or a set of servers is one and the same for everybody who loads the package, whichever way.
 */
export async function bundle(out: string): Promise<void> {
  const index = await commonJs('src/index.ts', join(out, 'index.cjs'), {
    // `require` returns one value: the plugin, with everything else on it.
    footer: { js: "module.exports = module.exports['module.exports'];" },
  })
  const testing = await commonJs('src/testing/testing.ts', join(out, 'testing.cjs'), { plugins: [besideIndex] })
  refuseShared(index, testing)
  await bundleClient(out)
  await bundleRecheck(out)
  await wrap(out, 'index', Object.keys(await import('../src/index.ts')))
  await wrap(out, 'testing', Object.keys(await import('../src/testing/testing.ts')))
  // Programs of their own: a thread, and what `npx` runs.
  const programs = { 'secure-ws-sanitizer': 'src/sanitizing/secure-ws-sanitizer.ts', command: 'src/command/command.ts' }
  await build({ ...options, entryPoints: programs, outdir: out, format: 'esm' })
}

/**
 * Writes the client for browsers: ESM in the language of 2022, for a bundler or as it is. For `require` there is a second one: it
 * has no state that two could hold apart, and its error class is told by `code`.
 */
async function bundleClient(out: string): Promise<void> {
  for (const [format, file] of [
    ['esm', 'client.js'],
    ['cjs', 'client.cjs'],
  ] as const) {
    const browser = { ...options, platform: 'neutral', target: 'es2022' } as const
    const { metafile } = await build({
      ...browser,
      entryPoints: ['src/client/client.ts'],
      outfile: join(out, file),
      format,
    })
    const strangers = Object.keys(metafile.inputs).filter((path) => !path.startsWith('src/client/'))
    if (strangers.length > 0)
      throw new Error(`${strangers.join(', ')} would be in ${file}: a client has nothing of the server`)
  }
}

/** The package itself stays outside of what stands beside it: two copies would hold two of each class. */
const besideIndex: Plugin = {
  name: 'beside index',
  setup({ onResolve }) {
    onResolve({ filter: /^\.\.\/index\.ts$/ }, () => ({ path: './index.cjs', external: true }))
  },
}

async function commonJs(
  entry: string,
  outfile: string,
  { plugins = [], ...more }: Pick<BuildOptions, 'footer' | 'plugins'> = {},
): Promise<Metafile> {
  const { metafile } = await build({
    ...options,
    ...more,
    entryPoints: [entry],
    outfile,
    format: 'cjs',
    banner: { js: ownFileUrl },
    define: { 'import.meta.url': 'ownFileUrl' },
    plugins: [...plugins, await literalRequires()],
  })
  return metafile
}

/**
 * `lazyLoad('jose')` becomes `lazyLoad(() => require('jose'))`: a name that stands in a `require` is one that a bundler
 * sees and takes along, and that Jest resolves as it resolves everything. Peers that need not be there are in a `try`, which
 * tells a bundler that it may go on without them.
 */
async function literalRequires(): Promise<Plugin> {
  const inTheBuild = new Map(Object.entries(bundledRecheck))
  const { peerDependenciesMeta } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  const isOptional = (name: string) => peerDependenciesMeta[name]?.optional === true
  return {
    name: 'literal requires',
    setup({ onLoad }) {
      onLoad({ filter: /\/src\/.*\.ts$/ }, async ({ path }) => {
        const text = await readFile(path, 'utf8')
        const contents = text.replace(
          /\blazyLoad<([^\n]*)>\(\s*'([^']+)',?\s*\)/g,
          (_call, type: string, name: string) => {
            const call = `return require('${inTheBuild.get(name) ?? name}')`
            const body = isOptional(name) ? `try { ${call} } catch (error) { throw error }` : call
            return `lazyLoad<${type}>(() => { ${body} })`
          },
        )
        const left = /\blazyLoad(?:<[^\n]*>)?\((?!\(\) =>)[^\n)]*/.exec(contents)?.[0]
        if (left !== undefined && !path.endsWith('lazy-load.ts')) throw new Error(`${path}: ${left} names no package`)
        return { contents, loader: 'ts' }
      })
    },
  }
}

/** Two files that both hold a class hold two classes. */
function refuseShared(index: Metafile, testing: Metafile): void {
  const shared = Object.keys(testing.inputs).filter((path) => path in index.inputs)
  if (shared.length === 0) return
  throw new Error(
    `${shared.join(', ')} would be in index.cjs and in testing.cjs, with a state in each. Let src/testing import '../index.ts'.`,
  )
}

/** Writes an ESM file with the names of the source over the CommonJS one. */
async function wrap(out: string, name: string, exports: readonly string[]): Promise<void> {
  const named = exports.filter((each) => /^\w+$/.test(each) && each !== 'default')
  const lines = [
    `import implementation from './${name}.cjs'`,
    '',
    `export const { ${named.join(', ')} } = implementation`,
    ...(exports.includes('default') ? ['export default implementation'] : []),
  ]
  await writeFile(join(out, `${name}.js`), `${lines.join('\n')}\n`)
}
