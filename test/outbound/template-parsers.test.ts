import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type DefaultTreeAdapterMap, defaultTreeAdapter, parse, parseFragment } from 'parse5'
import { Random } from '../harness/random.ts'
import { breakOuts, randomTemplate, renderBoth, separators } from './random-templates.ts'

// The planner against a parser: whatever value stands in a hole, the elements and attributes are the same. The full count,
// against Chromium as well: `node test/browser/template-corpus.ts 100000`.

type ParentNode = DefaultTreeAdapterMap['parentNode']

/** Elements and attribute names, in order: what no value may change. */
function shapeOf(parent: Pick<ParentNode, 'childNodes'>): string {
  return parent.childNodes
    .filter((node) => defaultTreeAdapter.isElementNode(node))
    .map((element) => {
      const content = 'content' in element ? shapeOf(element.content) : ''
      return `${element.tagName}[${element.attrs.map(({ name }) => name)}](${content}${shapeOf(element)})`
    })
    .join('')
}

const readings: Record<string, (html: string) => ParentNode> = {
  'a fragment': (html) => parseFragment(html),
  'a fragment without scripts': (html) => parseFragment(html, { scriptingEnabled: false }),
  'a document': (html) => parse(html),
}

test('no value in a hole changes what a parser finds, in any of the templates that are admitted', () => {
  assert.ok(separators.length >= 20)
  const random = new Random(20_261_128)
  let admitted = 0
  for (let n = 0; n < 20_000; n++) {
    const parts = randomTemplate(random)
    if (parts.length === 1) continue
    const both = renderBoth(parts, breakOuts[n % breakOuts.length] ?? '')
    if (both === undefined) continue
    admitted += 1
    for (const [name, read] of Object.entries(readings)) {
      assert.equal(shapeOf(read(both.hostile)), shapeOf(read(both.harmless)), `${name}: ${JSON.stringify(parts)}`)
    }
  }
  assert.ok(admitted > 500, `${admitted} templates with holes were admitted`)
})

test('the comparison sees a hole that is open', () => {
  const at = (value: string) => shapeOf(parseFragment(`<b\u00a0title="${value}">`))
  assert.notEqual(at('x onclick=owned() y'), at('harmless'))
})
