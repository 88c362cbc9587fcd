import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join, posix } from 'node:path'
import { test } from 'node:test'
import { slugs } from './api.ts'
import { pages, root, textOf } from './source-files.ts'

const packageJson: { readonly files: readonly string[] } = JSON.parse(textOf('package.json'))
/** npm packs these whatever `files` says. */
const always = ['package.json', 'README.md', 'LICENSE']

function isShipped(path: string): boolean {
  return [...packageJson.files, ...always].some((entry) => path === entry || path.startsWith(`${entry}/`))
}

function anchorsOf(text: string): Set<string> {
  const slug = slugs()
  const prose = text.replace(/^```[\s\S]*?^```$/gm, '')
  return new Set([...prose.matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = '']) => slug(heading)))
}

/** Links that lead nowhere for somebody who has the package and not the repository. */
function deadIn(page: string, text: string, read: (path: string) => string | undefined): string[] {
  const prose = text.replace(/^```[\s\S]*?^```$/gm, '').replace(/`[^`\n]*`/g, '')
  return [...prose.matchAll(/\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]*))?\)/g)].flatMap(
    ([, target = '', anchor]) => {
      const path = target === '' ? page : posix.normalize(posix.join(posix.dirname(page), target))
      const there = read(path)
      if (there === undefined) return [`${page}: ${path} is not there`]
      if (!isShipped(path)) return [`${page}: ${path} is not in the package`]
      return anchor === undefined || anchorsOf(there).has(anchor) ? [] : [`${page}: ${path} has no #${anchor}`]
    },
  )
}

const fromTree = (path: string) => (existsSync(join(root, path)) ? (/\.md$/.test(path) ? textOf(path) : '') : undefined)

test('each link of a shipped page leads to a shipped file, and to a heading that is there', () => {
  const shipped = pages.filter(isShipped)
  assert.ok(shipped.length > 15)
  assert.deepEqual(
    shipped.flatMap((page) => deadIn(page, textOf(page), fromTree)),
    [],
  )
})

test('a dead link, a file that is not packed and a heading that went are seen; code is no link', () => {
  const read = (path: string) =>
    new Map([
      ['docs/a.md', '# A\n\n## On plain HTTP routes\n'],
      ['test/x.ts', ''],
    ]).get(path)
  const page = '[1](b.md) [2](../test/x.ts) [3](#gone) [4](#on-plain-http-routes) `[5](c.md)` [6](https://x.example)'
  assert.deepEqual(deadIn('docs/a.md', page, read), [
    'docs/a.md: docs/b.md is not there',
    'docs/a.md: test/x.ts is not in the package',
    'docs/a.md: docs/a.md has no #gone',
  ])
})

test('each page of the reading order ends with a link to the next one', () => {
  const order = [...textOf('docs/README.md').matchAll(/^\d+\. \[[^\]]+\]\(([\w-]+\.md)\)/gm)].map(
    ([, page = '']) => page,
  )
  assert.ok(order.length > 10)
  const next = order.slice(0, -1).map((page) => textOf(`docs/${page}`).trimEnd().split('\n').at(-1))
  assert.deepEqual(
    next,
    order.slice(1).map((page) => `Next: [${page}](${page}).`),
  )
})
