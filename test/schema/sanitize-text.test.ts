import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { oneLine, stripTags, textSteps } from '../../src/schema/sanitize-text.ts'
import fc from '../harness/fast-check.ts'

const anyTag = /<[A-Za-z/!?]/

describe('stripTags', () => {
  it('removes tags and comments and keeps the text', () => {
    assert.equal(stripTags('<b>bold</b> and <img src=x onerror=alert(1)>plain'), 'bold and plain')
    assert.equal(stripTags('a<!-- > <b> -->b<!doctype html>c<?php 1 ?>d'), 'abcd')
    assert.equal(stripTags('<script>alert(1)</script>'), 'alert(1)')
    assert.equal(stripTags('x<br/\n>y</ p>z'), 'xyz')
  })

  it('leaves what is no tag', () => {
    for (const text of ['', 'plain', 'a < b', '1 <2> 3', 'I <3 you', '->', 'a<', '<<<', '&lt;b&gt;', 'x <- y']) {
      assert.equal(stripTags(text), text)
    }
  })

  // A filter that removes once: `<scr<b>ipt>` and `<<b>script>` become the tag they were hiding.
  it('makes no tag by removing one', () => {
    assert.equal(stripTags('<scr<b>ipt>alert(1)'), 'ipt>alert(1)')
    assert.equal(stripTags('<<b>script>'), 'script>')
    assert.equal(stripTags('<<<<b><i>img src=x onerror=alert(1)>'), 'img src=x onerror=alert(1)>')
    assert.equal(stripTags('<<b><<b>/p>'), '/p>')
  })

  it('removes an open end', () => {
    assert.equal(stripTags('text <img src=x onerror=alert(1) '), 'text ')
    assert.equal(stripTags('text <!-- <b>x</b>'), 'text ')
  })

  it('leaves no tag and is idempotent, for every text', () => {
    const pieces = fc.constantFrom(
      '<',
      '<',
      '>',
      '!',
      '--',
      '/',
      'b',
      '?',
      ' ',
      '"',
      '3',
      '<!--',
      '-->',
      '<b>',
      '\u00e9',
    )
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 40 }), (parts) => {
        const text = parts.join('')
        const stripped = stripTags(text)
        assert.doesNotMatch(stripped, anyTag)
        assert.equal(stripTags(stripped), stripped)
        if (!anyTag.test(text)) assert.equal(stripped, text)
      }),
      { numRuns: 2000 },
    )
  })
})

describe('oneLine', () => {
  it('makes one space of every run of breaks and control characters', () => {
    assert.equal(oneLine('a\r\n\tb\u2028\u2029c\u0085d\u001be\u0000'), 'a b c d e ')
    assert.equal(oneLine('a  b \u00a0 \ud83d\ude00'), 'a  b \u00a0 \ud83d\ude00')
  })
})

// ASVS 1.3.12. Time says nothing on a shared machine, growth does: eight times the text must not take sixty-four times as long.
describe('the text steps', () => {
  for (const [name, clean] of textSteps) {
    it(`MS-09 ${name} grows with the text, not with its square`, () => {
      for (const piece of ['<', '<<b>', '<b', '<!--', '<!-- -->', '\n', '\u0001a', ' ', '<a <', '<>']) {
        const time = (size: number) => {
          const text = piece.repeat(Math.ceil(size / piece.length))
          return Math.min(
            ...[1, 2, 3, 4, 5].map(() => {
              const start = performance.now()
              clean(text)
              return performance.now() - start
            }),
          )
        }
        const [small, large] = [time(65_536), time(8 * 65_536)]
        assert.ok(large <= 30 * small + 20, `${JSON.stringify(piece)}: ${small} and ${large} ms`)
      }
    })
  }
})
