import assert from 'node:assert/strict'
import { test } from 'node:test'
import { structureLimits, structureRefusal } from '../../src/sanitizing/structure.ts'

const limits = { depth: 10, elements: 50, attributes: 4, moves: 1e9 }
const refusal = (html: string) => structureRefusal(html, limits)
const within = (html: string) => assert.equal(refusal(html), undefined, html)

// html and body are two of the ten.
test('OU-14 nesting is refused one level beyond the limit, closed or not', () => {
  within('<div>'.repeat(8))
  within('<div>'.repeat(8) + '</div>'.repeat(8))
  assert.equal(refusal('<div>'.repeat(9)), 'nested deeper than 10')
  assert.equal(refusal('<div>'.repeat(9) + '</div>'.repeat(9)), 'nested deeper than 10')
})

test('end tags that close nothing take no depth off', () => {
  // A scanner that counts tags sees depth 1 here; the parser ignores the end tags.
  assert.match(refusal('<div></span></p1>'.repeat(9)) ?? '', /deeper/)
  // The near miss: paragraphs end each other without end tags.
  within('<p>'.repeat(40))
  within(`<ul>${'<li>'.repeat(40)}`)
})

test('svg, math, template and table content count as well', () => {
  for (const tag of ['svg', 'math', 'template', 'table><tr><td', 'svg><foreignObject', 'b']) {
    assert.match(refusal(`<${tag}>`.repeat(12)) ?? '', /deeper|elements/, tag)
    within(`<${tag}>`)
  }
})

test('formatting elements that the parser repeats are counted as often as they come out', () => {
  // 8 + 45 tags; each paragraph gets its own copies of what is still open.
  const repeated = `${['b', 'i', 'u', 's', 'em'].map((tag) => `<p><${tag}>`).join('')}${'<p>x'.repeat(12)}`
  assert.ok((repeated.match(/<\w/g) ?? []).length < limits.elements)
  assert.equal(refusal(repeated), 'more than 50 elements')
})

test('depth is measured on the finished tree, not only by what is open', () => {
  // An end tag of a form takes it out of the open elements, while what is inside stays open: two levels for one.
  within('<form><div></form>'.repeat(4))
  assert.equal(refusal('<form><div></form>'.repeat(5)), 'nested deeper than 10')
})

// The second link ends the first one for the parser's list of open elements, but the table stays inside it.
test('depth is measured on the finished tree in a template, too', () => {
  const level = '<a><table><a></a><tr><td>'
  within(`<template>${level}`)
  assert.equal(refusal(`<template>${level}<a><table><a></a><tr>`), 'nested deeper than 10')
})

// Otherwise a short hostile beginning could be followed by megabytes that cost as much as they can.
test('nothing is read beyond the first element too many', () => {
  const more = '<p a b c d e>'
  assert.equal(refusal('<div>'.repeat(8) + more), 'more than 4 attributes on one element')
  assert.equal(refusal('<div>'.repeat(9) + more), 'nested deeper than 10')
  assert.equal(refusal('<p></p>'.repeat(48) + more), 'more than 50 elements')
})

// Its message may quote the document, and a refusal is remembered.
test('an error of the parser is no refusal', () => {
  const failing = {
    ...limits,
    get attributes(): number {
      throw new RangeError('out of stack')
    },
  }
  assert.throws(() => structureRefusal('<p a>', failing), RangeError)
})

test('attributes are refused on one element, not over all', () => {
  within('<p a b c d><p a b c d>')
  assert.equal(refusal('<p a b c d e>'), 'more than 4 attributes on one element')
  // Repeated names make one attribute.
  within('<p a a a a a a>')
  // Later body tags add to the first.
  assert.match(refusal('<body a b c><body d e>') ?? '', /attributes/)
})

test('what is no element does not count', () => {
  within('<'.repeat(1000))
  within(`<!--${'<div>'.repeat(100)}-->`)
  within(`<textarea>${'<div>'.repeat(100)}</textarea>`)
  within('a < b && c > d')
})

test('the last element within the limit is within it', () => {
  // html, head and body are three of the fifty.
  within('<p></p>'.repeat(47))
  assert.equal(refusal('<p></p>'.repeat(48)), 'more than 50 elements')
})

test('OU-14 without limits of its own a caller gets the defaults', () => {
  assert.equal(structureRefusal('<div>'.repeat(98)), undefined)
  assert.equal(structureRefusal('<div>'.repeat(99)), 'nested deeper than 100')
  assert.equal(structureRefusal('<p></p>'.repeat(5_000)), 'more than 5000 elements')
})

// jsdom runs no scripts here, so it reads what is in <noscript> as markup, and so must this.
test('what is in noscript counts', () => {
  within(`<noscript>${'<div>'.repeat(6)}`)
  assert.equal(refusal(`<noscript>${'<div>'.repeat(9)}`), 'nested deeper than 10')
})

// DOMPurify copies what is inside an element that it takes out, and does so again for each one around it: at 28 KB, within
// every other bound, this took half a second to a second, and with comments in it three.
test('what would be moved is bounded: nodes times the unknown elements around them, and neighbours squared', () => {
  const known = new Set(['b'])
  const under = (moves: number) => (html: string) => structureRefusal(html, { ...structureLimits, moves }, known)
  const real = under(structureLimits.moves)
  const refused = 'more nodes would be moved than is worth the time'
  assert.equal(real(`${'<x-y>'.repeat(95)}${'<b></b>'.repeat(4_000)}`), refused)
  assert.equal(real(`${'<x-y>'.repeat(8)}${'a<!---->'.repeat(4_000)}`), refused)
  assert.equal(real(`<x-y>${'a<!---->'.repeat(4_000)}`), refused)
  assert.equal(real(`<template>${'<x-y>'.repeat(8)}${'a<!---->'.repeat(4_000)}</template>`), refused)
  // The near misses: the same around known elements, the same nodes apart, and a page that was pasted from a word processor.
  assert.equal(real(`${'<b>'.repeat(95)}${'<b></b>'.repeat(4_000)}`), undefined)
  assert.equal(real('<x-y><b></b></x-y>'.repeat(2_000)), undefined)
  assert.equal(real(`${'<div>'.repeat(6)}${'<div>Some <b>bold</b> text and <i>more</i></div>'.repeat(250)}`), undefined)

  // As dear as it may be, and a little more.
  assert.equal(real(`<div>${'a<br>'.repeat(1_100)}`), undefined)
  assert.equal(real(`<div>${'a<br>'.repeat(1_150)}`), refused)
  assert.equal(real('<div>a<font>b</font></div>'.repeat(1_200)), undefined)

  for (const [html, moves] of [
    // One unknown element with three nodes in it: three squared, and three copies.
    ['<x-y><b></b><b></b><b></b></x-y>', 3 * 3 + 3 * 50],
    // From the outside in: the outer one has one child, and what is in that is copied twice.
    ['<x-y><x-y><b></b><b></b></x-y></x-y>', 1 + 2 * 2 + (3 + 2) * 50],
    ['<b><x-y>a</x-y></b><b><x-y>a</x-y></b>', 2 * (1 + 50)],
  ] as const) {
    assert.equal(under(moves)(html), undefined, html)
    assert.equal(under(moves - 1)(html), refused, html)
  }
})
