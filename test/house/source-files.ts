import { readdirSync, readFileSync } from 'node:fs'
import { join, posix, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../../', import.meta.url))

/** Every file below a folder of the repository, as paths from its root with `/`. */
export function filesBelow(folder: string, endings: readonly string[] = ['.ts']): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && endings.some((ending) => entry.name.endsWith(ending)))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .filter((path) => !path.includes('node_modules/'))
    .sort()
}

/** What people read. */
export const pages = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md', ...filesBelow('docs', ['.md'])]

export function textOf(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

export interface Import {
  readonly specifier: string
  /** `import type`, `export type`, `import('x').Y` in a type: gone when the code runs. */
  readonly typeOnly: boolean
}

/** The import graph of one file, without a parser: the house style has one way to write each form. */
export function importsOf(text: string): Import[] {
  const code = withoutComments(text)
  const statements = [
    // `(?![\s'"({])` would miss multi-line lists; the clause may hold anything but a quote or a semicolon.
    ...code.matchAll(/^(?:import|export)\s+(type\s+)?([^'"`;=()]*?)\s*from\s*['"]([^'"]+)['"]/gm),
  ].map(([, type, clause = '', specifier = '']) => ({
    specifier,
    typeOnly: type !== undefined || onlyTypes(clause),
  }))
  const bare = [...code.matchAll(/^import\s*['"]([^'"]+)['"]/gm)].map(([, specifier = '']) => ({
    specifier,
    typeOnly: false,
  }))
  const called = [...code.matchAll(/\b(typeof\s+)?import\(\s*['"]([^'"]+)['"]\s*\)/g)].map((match) => ({
    specifier: match[2] ?? '',
    typeOnly: match[1] !== undefined,
  }))
  return [...statements, ...bare, ...called]
}

/** `{ type A, type B }`: nothing of it is left at run time (`verbatimModuleSyntax` keeps an empty import, which loads). */
function onlyTypes(clause: string): boolean {
  const names = /^\{([^}]*)\}$/.exec(clause.trim())?.[1]
  if (names === undefined) return false
  const items = names
    .split(',')
    .map((item) => item.trim())
    .filter(Boolean)
  return items.length > 0 && items.every((item) => item.startsWith('type '))
}

/** Comments hold examples with imports; strings that look like comments (`'https://...'`) stay. */
function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '')
}

/** Where a relative import leads, from the root. */
export function resolveImport(from: string, specifier: string): string {
  return posix.normalize(posix.join(posix.dirname(from), specifier))
}
