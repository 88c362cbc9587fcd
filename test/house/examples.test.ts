import assert from 'node:assert/strict'
import { test } from 'node:test'
import { examplesOf, withExamples } from './examples.ts'
import { filesBelow, importsOf, pages, resolveImport, textOf } from './source-files.ts'

for (const path of pages) {
  test(`the examples on ${path} are those of their files`, () => {
    const page = textOf(path)
    assert.equal(page, withExamples(page), 'run `npm run docs`')
  })
}

test('a block that differs from its file is seen', () => {
  const page = 'Text\n\n<!-- example: a.ts -->\n```ts\nconst old = 1\n```\n\nMore\n'
  assert.equal(
    withExamples(page, () => 'const fresh = 2\n'),
    page.replace('old = 1', 'fresh = 2'),
  )
  assert.deepEqual(examplesOf(page), ['a.ts'])
})

test('every file of examples is on a page, and is run by a test', () => {
  const shown = new Set(pages.flatMap((path) => examplesOf(textOf(path))))
  const tests = filesBelow('test/examples').map(textOf).join('\n')
  const files = filesBelow('examples', ['.ts', '.mjs'])
  assert.ok(files.length > 0)
  assert.deepEqual(
    files.filter((path) => !shown.has(path)),
    [],
    'not on a page',
  )
  // By its name in a process of its own, or imported.
  const started = files.filter((path) =>
    [`'${path.replace('examples/', '')}'`, `/${path}'`].some((name) => tests.includes(name)),
  )
  // A module that one of them loads runs with it.
  const loaded = started.flatMap((path) =>
    importsOf(textOf(path))
      .filter(({ specifier, typeOnly }) => specifier.startsWith('.') && !typeOnly)
      .map(({ specifier }) => resolveImport(path, specifier)),
  )
  assert.deepEqual(
    files.filter((path) => !started.includes(path) && !loaded.includes(path)),
    [],
    'not run',
  )
})

test('the first example is short', () => {
  const lines = textOf('examples/chat.mjs')
    .split('\n')
    .filter((line) => line.trim() !== '')
  assert.ok(lines.length < 25, `${lines.length} lines`)
})

/** Packages that the examples of a page import and no `npm install` of the page names: pasted, the example does not start. */
function uninstalledOn(page: string, read: (path: string) => string = textOf): string[] {
  // getting-started.md, the page before all others, installs these two.
  const installed = new Set(['fastify', 'fastify-secure-ws'])
  for (const [, names = ''] of page.matchAll(/^npm install (.+)$/gm))
    for (const name of names.split(' ')) installed.add(name)
  const needed = examplesOf(page)
    .flatMap((path) => importsOf(read(path)).map(({ specifier }) => specifier))
    .filter((specifier) => !/^(?:node:|\.)/.test(specifier))
    .map((specifier) => /^(?:@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier)
  return [...new Set(needed)].filter((name) => !installed.has(name))
}

for (const path of pages) {
  test(`${path} says what to install for its examples`, () => {
    assert.deepEqual(uninstalledOn(textOf(path)), [])
  })
}

test('a package that a page does not install is seen; those of Node, of the first page and of the page are none', () => {
  const page = '```sh\nnpm install zod @a/b\n```\n\n<!-- example: a.ts -->\n```ts\n```\n'
  const read = () =>
    ['node:fs', './b.ts', 'fastify', 'fastify-secure-ws/testing', 'zod/v4', '@a/b/c', '@a/d', 'left']
      .map((name) => `import {} from '${name}'`)
      .join('\n')
  assert.deepEqual(uninstalledOn(page, read), ['@a/d', 'left'])
})
