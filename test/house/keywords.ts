/** Writes the tables of docs/schemas.md out of the list of keywords and formats in src/schema. `npm run docs` runs it. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { formatKinds } from '../../src/schema/formats.ts'
import { keywords, refusedKeywords } from '../../src/schema/keywords.ts'
import { root, textOf } from './source-files.ts'

export const schemasPage = 'docs/schemas.md'

/** The page with what stands between its marks written anew. */
export function writtenSchemas(page: string): string {
  const tables: Readonly<Record<string, string>> = {
    keywords: table(
      ['keyword', 'about', 'in', 'out'],
      [...keywords].map(([name, { about, inward, outward }]) => [
        `\`${name}\``,
        about ?? '',
        inward,
        outward ?? 'the same',
      ]),
    ),
    refused: table(
      ['refused', 'instead'],
      [...refusedKeywords].map(([name, advice]) => [`\`${name}\``, advice]),
    ),
    formats: [...formatKinds.keys()]
      .map((name) => `\`${name}\``)
      .join(', ')
      .replaceAll(/(.{90,120}?,) /g, '$1\n'),
  }
  return page.replace(
    /(<!-- begin (\w+) -->\n)[\s\S]*?(\n<!-- end -->)/g,
    (_all, begin: string, name: string, end: string) => {
      return `${begin}\n${tables[name]}\n${end}`
    },
  )
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

/** The rows in which the page says that out is not as in, by their first cell. */
export function differencesIn(page: string): Set<string> {
  const rows = [...page.matchAll(/^\| (.+?) \|(?: [^|]* \|)? ([^|]+) \| ([^|]+) \|$/gm)]
  return new Set(
    rows
      .filter(([, name, inward, outward]) => name !== 'keyword' && outward !== 'the same' && inward !== outward)
      .map(([, name = '']) => name),
  )
}

if (process.argv[1] === import.meta.filename) {
  writeFileSync(join(root, schemasPage), writtenSchemas(textOf(schemasPage)))
}
