import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pages, root, textOf } from './source-files.ts'

// `<!-- example: examples/chat.mjs -->` stands above a block of code. `npm run docs` copies the file into the block, so that
// what a reader pastes is a file that was compiled and run.
const included = /^<!-- example: (\S+) -->\n```(\w+)\n[\s\S]*?^```$/gm

/** The page with every marked block replaced by its file. */
export function withExamples(page: string, read: (path: string) => string = textOf): string {
  return page.replace(included, (_block, path: string, language: string) => {
    return `<!-- example: ${path} -->\n\`\`\`${language}\n${read(path).trimEnd()}\n\`\`\``
  })
}

/** The files that a page includes. */
export function examplesOf(page: string): string[] {
  return [...page.matchAll(included)].map(([, path = '']) => path)
}

if (import.meta.main) {
  for (const path of pages) {
    const page = textOf(path)
    const written = withExamples(page)
    if (written !== page) writeFileSync(join(root, path), written)
  }
}
