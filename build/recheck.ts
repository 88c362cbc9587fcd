/**
 * Writes the checker of patterns into `dist`: recheck's pure JavaScript build, minified, with its licence. It is bundled instead
 * of being a dependency because the npm package brings native programs of some 50 MB and a worker for each call; what is used
 * here is one synchronous function.
 */
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { build } from 'esbuild'

/** Where `lazyLoad` finds it in `dist`, by the name that it has in `src`. */
export const bundledRecheck = { 'recheck/lib/browser.js': './recheck.cjs' }

export async function bundleRecheck(out: string): Promise<void> {
  const folder = dirname(createRequire(import.meta.url).resolve('recheck/package.json'))
  const { version }: { version: string } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))
  const licence = await readFile(join(folder, 'LICENSE'), 'utf8')
  await build({
    entryPoints: [join(folder, 'lib/browser.js')],
    outfile: join(out, bundledRecheck['recheck/lib/browser.js']),
    platform: 'node',
    target: 'node22',
    format: 'cjs',
    minify: true,
    banner: { js: `/*! recheck ${version}\n\n${licence.trim()}\n*/` },
    logLevel: 'error',
  })
}
