/** Writes the right column of docs/assurance.md: which test files bear which requirement. Run it when tests came or went. */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { filesBelow, root, textOf } from './source-files.ts'

const page = 'docs/assurance.md'

/** Does a text name this id? `CS-1` is not in `CS-19`, nor `1.2.9` in `11.2.9`. */
export function names(text: string, id: string): boolean {
  return new RegExp(`(?<![\\w.-])${id.replaceAll('.', '\\.')}(?![\\w-]|\\.\\d)`).test(text)
}

export interface Row {
  readonly id: string
  readonly requirement: string
  readonly tests: readonly string[]
}

export function rowsOf(text: string): Row[] {
  return [...text.matchAll(/^\| ((?:[A-Z]+-)?[\d.]+) \| (.*) \| (.*) \|$/gm)].map(
    ([, id = '', requirement = '', tests = '']) => ({
      id,
      requirement,
      tests: [...tests.matchAll(/`(test\/[^`]+)`/g)].map(([, path = '']) => path),
    }),
  )
}

/** Test files and the contracts and tables they run; the house knows ids without proving anything about them. */
export function bearers(): string[] {
  return filesBelow('test').filter(
    (path) => /\.(?:test|contract)\.ts$/.test(path) && path !== 'test/house/pages.test.ts',
  )
}

function written(text: string): string {
  // What is not committed is not there for anybody else.
  const committed = new Set(execFileSync('git', ['ls-files', 'test'], { cwd: root, encoding: 'utf8' }).split('\n'))
  const texts = new Map(bearers().flatMap((path) => (committed.has(path) ? [[path, textOf(path)] as const] : [])))
  return rowsOf(text).reduce((result, { id, requirement }) => {
    const tests = [...texts].filter(([, code]) => names(code, id)).map(([path]) => `\`${path}\``)
    const row = new RegExp(`^\\| ${id.replaceAll('.', '\\.')} \\|.*$`, 'm')
    return result.replace(row, () => `| ${id} | ${requirement} | ${tests.join(', ') || 'no test bears it yet'} |`)
  }, text)
}

if (process.argv[1] === import.meta.filename) writeFileSync(join(root, page), written(textOf(page)))
