import assert from 'node:assert/strict'
import { test } from 'node:test'
import { apiPage } from './api.ts'
import { pages, textOf } from './source-files.ts'

// Plain English: a sentence has a subject that names the thing. Where "what", "who" or "one" stands in its place, the reader
// has to find out what is meant; a docstring is held to the same by test/house/api.test.ts.

/** Written out of docstrings, and about older versions. */
const apart = [apiPage, 'CHANGELOG.md']

/** The parts of a page that stand for themselves: sentences, halves of one, cells. No code, no headings. */
function clausesOf(page: string): string[] {
  const prose = page
    .replace(/^```[\s\S]*?^```$/gm, '')
    .replace(/^#.*$|^\|.*\|\n(?=\|[-| ]+\|$)|^<!--.*-->$/gm, '')
    // The end of a span is no end of a sentence.
    .replace(/`[^`]+`/g, '`x`')
  return prose
    .split(/\n\n|\n(?=\s*(?:[-*] |\d+\. |\|))/)
    .flatMap((block) => block.replace(/\s+/g, ' ').split(/ \| |^\s*\| |(?<=[.!?]) (?=[A-Z*`])|(?<=[:;]) |\*\* /))
    .map((clause) => clause.replace(/^(?:[-*] |\d+\. |\*\*)+/, '').trim())
}

function withoutSubject(page: string): string[] {
  return clausesOf(page).filter(
    (clause) =>
      (/^(?:what|who|whom|whoever|whatever)\b(?! to\b)|^one (?:of|that|whose|who)\b/i.test(clause) &&
        !clause.includes('?')) ||
      /\b(?:is|are) none(?: of)?\b/.test(clause),
  )
}

for (const page of pages.filter((path) => !apart.includes(path))) {
  test(`each sentence of ${page} names its subject`, () => {
    assert.deepEqual(withoutSubject(textOf(page)), [])
  })
}

test('a sentence without a subject is seen, in a list, a table and behind a colon; questions and code are none', () => {
  const wrong = [
    'Fine here. What is not declared\nis dropped.',
    '- Who is taken out is told.',
    '| `x` | y | whoever asks is refused |',
    'Kept: what the store knows.',
    '**Later.** One of them is refused.',
    'a URL that is none of these',
  ]
  for (const page of wrong) assert.equal(withoutSubject(page).length, 1, page)
  const right = [
    '# What happens',
    '| code | what to do |\n|---|---|\n| 1 | nothing |',
    'Which one? Who is asking? What to write: see below.',
    '`what is in code`, and the one that is chosen',
    'One `register` call is enough. One socket has one room.',
  ]
  for (const page of right) assert.deepEqual(withoutSubject(page), [], page)
})
