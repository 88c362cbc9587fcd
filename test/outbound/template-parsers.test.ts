import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type DefaultTreeAdapterMap, defaultTreeAdapter, parse, parseFragment } from 'parse5'
import { Random } from '../harness/random.ts'
import {
  agrees,
  breakOuts,
  type Found,
  holesIn,
  randomTemplate,
  renderBoth,
  renderMarked,
  separators,
} from './random-templates.ts'

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

/** Where the values of holes stand. */
function foundIn(parent: Pick<ParentNode, 'childNodes'>, element = 'body'): Found[] {
  return parent.childNodes.flatMap((node): Found[] => {
    if (defaultTreeAdapter.isTextNode(node)) {
      return holesIn(node.value).map((hole) => ({ hole, element, attribute: undefined }))
    }
    if (!defaultTreeAdapter.isElementNode(node)) {
      return holesIn(JSON.stringify(Object(node).data ?? '')).map((hole) => ({
        hole,
        element: '#comment',
        attribute: '',
      }))
    }
    const { tagName, attrs } = node
    return [
      ...attrs.flatMap(({ prefix, name, value }) =>
        holesIn(value).map((hole) => ({ hole, element: tagName, attribute: prefix ? `${prefix}:${name}` : name })),
      ),
      ...('content' in node ? foundIn(node.content, tagName) : []),
      ...foundIn(node, tagName),
    ]
  })
}

test('a parser finds the value of each hole in a place of the kind that the planner took it for', () => {
  const random = new Random(20_261_129)
  const met = { text: 0, attribute: 0, url: 0 }
  for (let n = 0; n < 20_000; n++) {
    const parts = randomTemplate(random)
    if (parts.length === 1 || renderBoth(parts, 'x') === undefined) continue
    const { text, holes } = renderMarked(parts)
    for (const [name, read] of Object.entries(readings)) {
      for (const found of foundIn(read(text))) {
        assert.ok(agrees(holes, found), `${name}: ${JSON.stringify(parts)} ${JSON.stringify(found)}`)
        met[holes[found.hole]?.kind ?? 'text'] += 1
      }
    }
  }
  assert.ok(met.text > 500 && met.attribute > 200 && met.url > 100, JSON.stringify(met))
})

test('that comparison sees a hole of another kind', () => {
  const holes = [{ kind: 'text' }, { kind: 'attribute' }] as const
  const found = { hole: 0, element: 'p', attribute: undefined }
  assert.ok(agrees(holes, found))
  assert.ok(!agrees(holes, { ...found, attribute: 'title' }))
  assert.ok(!agrees(holes, { ...found, element: 'title' }))
  assert.ok(!agrees(holes, { ...found, element: 'script' }))
  assert.ok(!agrees(holes, { ...found, hole: 1, attribute: 'href', element: 'a' }))
  assert.ok(agrees(holes, { ...found, hole: 1, element: 'title' }))
})

test('the comparison sees a hole that is open', () => {
  const at = (value: string) => shapeOf(parseFragment(`<b\u00a0title="${value}">`))
  assert.notEqual(at('x onclick=owned() y'), at('harmless'))
})
