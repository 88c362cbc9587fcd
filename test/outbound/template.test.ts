import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { JSDOM } from 'jsdom'
import { encodeFor } from '../../src/outbound/encode-for.ts'
import { dangerouslyTrustHtml, Encoded } from '../../src/outbound/encoded.ts'
import { type HoleValue, html } from '../../src/outbound/template.ts'

const { document } = new JSDOM('').window
const x: HoleValue = '"><script>\'&'
const xEncoded = '&quot;&gt;&lt;script&gt;&#39;&amp;'
const shown = (encoded: Encoded) => String(encoded)

test('text and quoted attributes: encoded for either, markup stays markup in text only', () => {
  const made = html`<p class="a ${x}" title='${x}' hidden>${x}<b>${html`<i>${x}</i>`}</b></p>`
  assert.equal(Encoded.is(made, 'html'), true)
  assert.equal(
    shown(made),
    `<p class="a ${xEncoded}" title='${xEncoded}' hidden>${xEncoded}<b><i>${xEncoded}</i></b></p>`,
  )
  assert.equal(shown(html`<p title="${html`<b>${'"&'}</b>`}">`), '<p title="&lt;b&gt;&quot;&amp;&lt;/b&gt;">')
  assert.equal(shown(html`<p title="${dangerouslyTrustHtml('"x\'&lt;')}">`), '<p title="&quot;x&#39;&lt;">')
  assert.equal(shown(html`<P Title = "${x}"  lang = x/>`), `<P Title = "${xEncoded}"  lang = x/>`)
})

test('what may stand in a hole, and what it becomes', () => {
  const items = ['<', html`<li>`, [1]]
  assert.equal(shown(html`<ul>${items}</ul>${null}${undefined}${false}${true}${0}${2n}`), '<ul>&lt;<li>1</ul>true02')
  assert.equal(shown(html`<p title="${null}${false}${1}">`), '<p title="false1">')
  assert.equal(shown(html`${'\ud800'}`), '\ufffd')
  assert.equal(shown(html`${encodeFor.js('<')}`), '\\x3C')
  for (const value of [{ toString: () => '<b>' }, () => '<b>', Symbol('b'), new Date(0), new String('<b>')]) {
    assert.throws(() => Reflect.apply(html, undefined, [template`<p>${0}</p>`, value]), { code: 'SWS_NOT_ENCODABLE' })
  }
  assert.throws(() => html`<p title="${['a']}">`, { code: 'SWS_NOT_ENCODABLE' })
})

function template(strings: TemplateStringsArray, ..._: unknown[]): TemplateStringsArray {
  return strings
}

// Every place where encoding & < > " ' is not enough. The value is harmless: the place is what is refused.
const refused: Record<string, TemplateStringsArray> = {
  'unquoted attribute': template`<a title=${x}>`,
  'unquoted attribute, later': template`<a title=b${x}>`,
  'event handler': template`<a onclick="${x}">`,
  'event handler in capitals': template`<a ONCLICK="${x}">`,
  'event handler of tomorrow': template`<a onnew="${x}">`,
  'style attribute': template`<a style="${x}">`,
  srcdoc: template`<iframe srcdoc="${x}"></iframe>`,
  srcset: template`<img srcset="${x}">`,
  sandbox: template`<iframe sandbox="${x}"></iframe>`,
  'attribute name': template`<a ${x}="b">`,
  'attribute name, later': template`<a b${x}="b">`,
  'after an attribute': template`<a b="c"${x}>`,
  'after =': template`<a b= ${x}>`,
  'tag name': template`<${x}>`,
  'tag name, later': template`<a${x}>`,
  'end tag name': template`</${x}>`,
  comment: template`<!-- ${x} -->`,
  doctype: template`<!doctype ${x}>`,
  script: template`<script>${x}</script>`,
  'script, in capitals': template`<SCRIPT>"${x}"</SCRIPT>`,
  'script src': template`<script src="${x}"></script>`,
  'script after what only looks like its end': template`<script></scripty>${x}</script>`,
  style: template`<style>${x}</style>`,
  iframe: template`<iframe>${x}</iframe>`,
  noscript: template`<noscript>${x}</noscript>`,
  xmp: template`<xmp>${x}</xmp>`,
  plaintext: template`<plaintext>${x}`,
  'base href': template`<base href="${x}">`,
  'link href': template`<link href="${x}">`,
  'meta content': template`<meta http-equiv="refresh" content="${x}">`,
  'object data': template`<object data="${x}">`,
  'embed src': template`<embed src="${x}">`,
  'animate values': template`<animate attributeName="href" values="${x}">`,
  'set to': template`<set to="${x}">`,
  'Vue directive': template`<a v-html="${x}">`,
  'Alpine directive': template`<a x-data="${x}">`,
  'htmx directive': template`<a data-hx-get="${x}">`,
  'shorthand directive': template`<a @click="${x}">`,
  'bound attribute': template`<a :href="${x}">`,
  'javascript: URL': template`<a href="javascript:${x}">`,
  'a scheme put together': template`<a href="javascript&colon;${x}">`,
  'a scheme put together after the hole': template`<a href="${x}&colon;alert(1)">`,
  'an open reference': template`<p>&${x}`,
  'an open numeric reference': template`<p title="&#3${x}">`,
  'left open: tag': template`<p>${x}<p`,
  'left open: attribute': template`<p title="${x}`,
  'left open: comment': template`${x}<!-- `,
  'left open: script': template`${x}<script>`,
  'left open: textarea': template`<textarea>${x}`,
  'a comment that browsers end early': template`<!-- --!> ${x} -->`,
  'a comment that is empty for browsers': template`<!--> ${x} -->`,
  'script hidden in a script': template`<script><!-- </script>${x}`,
  'a bogus comment': template`<?xml ${x}?>`,
  CDATA: template`<![CDATA[${x}]]>`,
  '< in text': template`a < b ${x}`,
  'a quote in an unquoted value': template`<a b=c"d>${x}`,
  'attributes without a space': template`<a b="c"d="e">${x}`,
  '= without a value': template`<a b=>${x}`,
  'a quote in a tag': template`<a "b">${x}`,
  NUL: template`<p>\0${x}`,
  'an invalid escape': template`<p>\u${x}`,
}
for (const [name, strings] of Object.entries(refused)) {
  test(`1.2.1 no hole: ${name}`, () => {
    assert.throws(() => html(strings, 'x'), { code: 'SWS_UNSAFE_TEMPLATE' })
    assert.throws(() => html(strings, 'x'), { code: 'SWS_UNSAFE_TEMPLATE' })
  })
}

test('near misses: all of it is fine where there is no hole, and around holes that are in text', () => {
  const made = html`<!doctype html><!-- a > b --><style>a{}</style><script src=a.js async>if ("</b>") x()</script><a onclick="x()" href=/a style='b'>${x}</a ><br/><title>${x}</title>`
  assert.ok(shown(made).includes(`>${xEncoded}</a ><br/><title>${xEncoded}</title>`))
  assert.equal(
    shown(html`<a data-on="${x}" data-value="${x}" aria-label="${x}" on="">&amp;${x}`).split(xEncoded).length,
    5,
  )
  assert.equal(shown(html`<script></SCRIPT >${x}`), `<script></SCRIPT >${xEncoded}`)
  assert.equal(shown(html``), '')
})

test('in textarea and title markup is shown, not opened', () => {
  assert.equal(
    shown(html`<textarea>${html`</textarea>`}${x}</textarea>${html`<b>`}`),
    `<textarea>&lt;/textarea&gt;${xEncoded}</textarea><b>`,
  )
})

test('OU-11 a URL attribute: the first hole may be a URL, the others are components, the whole is checked', () => {
  assert.equal(shown(html`<a href="${'https://a.example/b?c=d&e'}">`), '<a href="https://a.example/b?c=d&amp;e">')
  assert.equal(
    shown(html`<a href="/u/${'a/../b'}?q=${'c&d=e"'}#${encodeFor.url('f g')}">`),
    '<a href="/u/a%2F..%2Fb?q=c%26d%3De%22#f%20g">',
  )
  assert.equal(shown(html`<img src='${'/a'}/${'b c'}' alt="${'c d'}">`), '<img src=\'/a/b%20c\' alt="c d">')
  assert.equal(shown(html`<a href="/a?b=c&amp;d=${'<'}&amp;e">`), '<a href="/a?b=c&amp;d=%3C&amp;e">')
  assert.equal(shown(html`<a href="${null}">`), '<a href="">')
  for (const name of [
    'javascript:alert(1)',
    'java\tscript:alert(1)',
    ' data:text/html,x',
    '//evil.example',
    'VBSCRIPT:x',
    '\\\\evil',
  ]) {
    assert.throws(() => html`<a href="${name}">`, { code: 'SWS_UNSAFE_URL', message: /^The value of href must/ })
    assert.throws(() => html`<a xlink:href="${name}">`, { code: 'SWS_UNSAFE_URL' })
    assert.throws(() => html`<form action='${name}'></form>`, { code: 'SWS_UNSAFE_URL' })
    assert.throws(() => html`<button formaction="${name}">`, { code: 'SWS_UNSAFE_URL' })
    assert.throws(() => html`<img src="${dangerouslyTrustHtml(name)}">`, { code: 'SWS_UNSAFE_URL' })
  }
  // Put together from parts that are harmless each.
  assert.throws(() => html`<a href="${'javascript'}:alert(1)">`, { code: 'SWS_UNSAFE_URL' })
  assert.throws(() => html`<a href="${''}/${''}/evil.example">`, { code: 'SWS_UNSAFE_URL' })
  assert.throws(() => html`<a href="${'/'}/evil.example">`, { code: 'SWS_UNSAFE_URL' })
  assert.equal(shown(html`<a href="${'java'}${'script:x'}">`), '<a href="javascript%3Ax">')
  // A second URL attribute begins anew.
  assert.equal(shown(html`<a href="${'/a'}" cite="${'/b'}">`), '<a href="/a" cite="/b">')
})

// html(["<script>" + input]): called like this, nobody wrote the markup in the source.
test('called as a function with strings from elsewhere it refuses', () => {
  const strings = Object.assign(['<b>', '</b>'], { raw: ['<b>', '</b>'] })
  for (const given of [['<b>'], strings, '<b>', undefined, Object.freeze(['<b>', '</b>'])]) {
    assert.throws(() => Reflect.apply(html, undefined, [given, 'x']), { code: 'SWS_UNSAFE_TEMPLATE' })
  }
})

test('in a real parser no value of a hole changes the structure, and each arrives as itself', () => {
  const nasty = fc.oneof(
    fc.string(),
    fc.string({ unit: fc.constantFrom('<', '>', '"', "'", '&', '=', '/', ' ', '`', '-', '!', 'a', ';', '#') }),
    fc.constantFrom('--><script>', '</p></textarea>', '" onload="x', '&lt;', '{{x}}', ']]>', 'amp;'),
  )
  fc.assert(
    fc.property(nasty, nasty, (one, other) => {
      const host = document.createElement('div')
      host.innerHTML = shown(
        html`<p title="a${one}b" lang='${other}'>${one}<b>${other}</b></p><textarea>x${one}</textarea><a href="/x?${other}">y</a>`,
      )
      assert.deepEqual(
        [...host.querySelectorAll('*')].map(({ localName }) => localName),
        ['p', 'b', 'textarea', 'a'],
      )
      const [p, textarea, a] = host.children
      const lines = (text: string) => text.replaceAll('\r\n', '\n').replaceAll('\r', '\n')
      assert.deepEqual(p?.getAttributeNames(), ['title', 'lang'])
      assert.equal(p?.getAttribute('title'), lines(`a${one}b`))
      assert.equal(p?.getAttribute('lang'), lines(other))
      assert.equal(p?.textContent, lines(one + other))
      assert.equal(textarea?.textContent, lines(`x${one}`))
      assert.equal(decodeURIComponent(a?.getAttribute('href') ?? ''), `/x?${other}`)
    }),
    { numRuns: 100 },
  )
})
