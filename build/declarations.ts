import { execFile } from 'node:child_process'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../', import.meta.url))

/**
 * Writes the declarations. Those of `src` are one tree, which counts as CommonJS: ESM may import it, and CommonJS may, too
 * (the other way round only newer compilers allow). Two entries stand above it, one for each way of loading, so that a type,
 * and what an application adds to `Session`, is the same on both.
 */
export async function writeDeclarations(out: string): Promise<void> {
  const types = join(out, 'types')
  await compile(types)
  await writeFile(join(types, 'package.json'), '{ "type": "commonjs" }\n')
  for (const file of await readdir(types, { recursive: true })) {
    if (!file.endsWith('.d.ts')) continue
    const path = join(types, file)
    await writeFile(path, forCommonJs(await readFile(path, 'utf8')))
  }
  await writeFile(join(out, 'index.d.cts'), commonJsEntry(await readFile(join(root, 'src/public.ts'), 'utf8')))
  await writeFile(
    join(out, 'index.d.ts'),
    `import secureWs from './index.cjs'\nexport * from './types/public.js'\nexport { secureWs as default, secureWs }\n`,
  )
  for (const ending of ['d.ts', 'd.cts']) {
    await writeFile(join(out, `testing.${ending}`), "export * from './types/testing/testing.js'\n")
    // A page's compiler may know no `Symbol.asyncDispose`.
    const disposable = '/// <reference lib="esnext.disposable" />'
    await writeFile(join(out, `client.${ending}`), `${disposable}\nexport * from './types/client/client.js'\n`)
  }
}

async function compile(types: string): Promise<void> {
  const typescript = createRequire(import.meta.url).resolve('typescript/package.json')
  const options = ['-p', join(root, 'tsconfig.build.json'), '--emitDeclarationOnly', '--outDir', types]
  try {
    await run(process.execPath, [join(dirname(typescript), 'bin/tsc'), '--pretty', 'false', ...options])
  } catch (error) {
    const said = error instanceof Error && 'stdout' in error ? String(error.stdout) : ''
    throw said === '' ? error : new Error(`src does not compile:\n${said}`)
  }
}

/** Packages that are ESM only: a CommonJS declaration may name their types when it says that it means their ESM. */
const esmOnly = ['jose']

function forCommonJs(declaration: string): string {
  return declaration
    .replace(/(\b(?:from|import) ?\(?)(['"])(\.[^'"]*)\.ts\2/g, '$1$2$3.js$2')
    .replace(
      /^(import type [^;]* from ['"]([^'"]+)['"])(;?)$/gm,
      (line, statement: string, name: string, end: string) =>
        esmOnly.includes(name) ? `${statement} with { 'resolution-mode': 'import' }${end}` : line,
    )
}

/** What `require` returns: a function, and a namespace of the same name for the members that it has. */
function commonJsEntry(publicModule: string): string {
  const names = [...publicModule.matchAll(/^export (type )?\{([^}]*)\} from/gm)].flatMap(([, , list = '']) =>
    list
      .split(',')
      .map((item) => item.trim().replace(/^type /, ''))
      .filter(Boolean),
  )
  return `import plugin from './types/plugin.js'
import { ${names.join(', ')} } from './types/public.js'

declare function secureWs(...args: Parameters<typeof plugin>): ReturnType<typeof plugin>
declare namespace secureWs {
  export { ${names.join(', ')}, secureWs, secureWs as default }
}
export = secureWs
`
}
