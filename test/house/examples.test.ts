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
  const started = files.filter((path) => tests.includes(`'${path.replace('examples/', '')}'`))
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
