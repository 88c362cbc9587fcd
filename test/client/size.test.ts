import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { root } from '../house/source-files.ts'

/** What a page gets, by a bundler that takes what it needs. */
async function bundled(code: string): Promise<Uint8Array> {
  const { outputFiles } = await build({
    stdin: { contents: code, resolveDir: `${root}src/client`, loader: 'ts' },
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    target: 'es2022',
  })
  return outputFiles[0]?.contents ?? new Uint8Array()
}

test('the client is no larger than 4 kB, minified and compressed', async (t) => {
  const code = await bundled("export * from './client.ts'")
  const { length } = gzipSync(code, { level: 9 })
  t.diagnostic(`${code.length} bytes, ${length} compressed`)
  assert.ok(length > 2_000 && length <= 4_096, `${length} bytes`)
})

test('it runs where there is nothing but the language and the globals of a page', async () => {
  const text = Buffer.from(await bundled("export * from './client.ts'")).toString()
  assert.doesNotMatch(text, /\b(?:require|process|Buffer|global)\b|\bimport\b(?!\.meta)/)
})
