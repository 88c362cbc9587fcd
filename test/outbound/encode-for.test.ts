import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runInNewContext } from 'node:vm'
import { JSDOM } from 'jsdom'
import { encodeFor } from '../../src/outbound/encode-for.ts'
import { Encoded } from '../../src/outbound/encoded.ts'
import { isSafeUrl } from '../../src/outbound/url.ts'
import fc from '../harness/fast-check.ts'

const { document } = new JSDOM('').window
const anyText = fc.string({ unit: 'binary' })
const runs = { numRuns: 200 }

test('each encoder says what its text is safe in', () => {
  for (const [context, encode] of Object.entries(encodeFor)) {
    const encoded = encode('<')
    assert.equal(Encoded.is(encoded, context), true)
    assert.doesNotMatch(String(encoded), /</)
  }
})

test('a value that is not a string is refused, not turned into text', () => {
  for (const encode of [encodeFor.html, encodeFor.attribute, encodeFor.js, encodeFor.url, encodeFor.css]) {
    for (const value of [null, undefined, 1, { toString: () => '<' }, ['<']]) {
      assert.throws(() => Reflect.apply(encode, undefined, [value]), {
        name: 'TypeError',
        message: `encodeFor takes a string, not ${value === null ? 'null' : typeof value}`,
      })
    }
  }
})

test('html: five characters and no other', () => {
  assert.equal(String(encodeFor.html('a&b<c>d"e\'f`/=\u00e9')), 'a&amp;b&lt;c&gt;d&quot;e&#39;f`/=\u00e9')
})

// <div title=${x}> with x = "a onmouseover=alert(1)": no quote is needed to leave an attribute without quotes.
test('attribute: all but ASCII letters and digits, and one value in an unquoted attribute', () => {
  assert.equal(
    String(encodeFor.attribute('aZ9 -_.<\u00e9\u{1f600}')),
    'aZ9&#x20;&#x2D;&#x5F;&#x2E;&#x3C;&#xE9;&#x1F600;',
  )
  assert.equal(
    String(encodeFor.attribute('\0\u0080\u009f\udfff\ud800\u007f\u00a0')),
    `${'&#xFFFD;'.repeat(5)}&#x7F;&#xA0;`,
  )
  fc.assert(
    fc.property(anyText, (text) => {
      const encoded = String(encodeFor.attribute(text))
      assert.match(encoded, /^(?:[A-Za-z0-9]|&#x[0-9A-F]+;)*$/)
      const host = document.createElement('div')
      host.innerHTML = `<p title=x${encoded} lang=y>`
      const [p] = host.children
      assert.deepEqual(p?.getAttributeNames(), ['title', 'lang'])
      assert.equal(p?.getAttribute('title'), `x${text.toWellFormed().replace(/[\0\u0080-\u009f]/g, '\ufffd')}`)
    }),
    runs,
  )
})

test('js: all but ASCII letters and digits, and the same value in either kind of quotes', () => {
  assert.equal(
    String(encodeFor.js('aZ9</script>\u00ff\u0100\u2028\u{1f600}')),
    'aZ9\\x3C\\x2Fscript\\x3E\\xFF\\u0100\\u2028\\uD83D\\uDE00',
  )
  fc.assert(
    fc.property(anyText, (text) => {
      const encoded = String(encodeFor.js(text))
      assert.match(encoded, /^(?:[A-Za-z0-9]|\\x[0-9A-F]{2}|\\u[0-9A-F]{4})*$/)
      assert.equal(runInNewContext(`"${encoded}"`), text)
      assert.equal(runInNewContext(`'${encoded}'`), text)
    }),
    runs,
  )
})

test('1.2.3 json: what stands in a script block ends neither the block nor the line', () => {
  assert.equal(
    String(encodeFor.json({ '</script>': '<!--\u2028\u2029&' })),
    '{"\\u003c/script\\u003e":"\\u003c!--\\u2028\\u2029\\u0026"}',
  )
  assert.throws(() => encodeFor.json(undefined), { code: 'SWS_NOT_ENCODABLE' })
  assert.throws(() => encodeFor.json(new Map()), { code: 'SWS_NOT_ENCODABLE' })
})

test('css: six digits, so that a letter or space that follows belongs to the text', () => {
  assert.equal(
    String(encodeFor.css('aZ9<a;} \u{1f600}\0\udfff\ud800\ue000')),
    'aZ9\\00003Ca\\00003B\\00007D\\000020\\01F600\\00FFFD\\00FFFD\\00FFFD\\00E000',
  )
  fc.assert(
    fc.property(anyText, (text) => assert.match(String(encodeFor.css(text)), /^(?:[A-Za-z0-9]|\\[0-9A-F]{6})*$/)),
    runs,
  )
})

test('url: a component holds nothing that separates', () => {
  assert.equal(
    String(encodeFor.url("aZ9-._~ /?#&=:@!'()*%\u00e9\ud800")),
    'aZ9-._~%20%2F%3F%23%26%3D%3A%40%21%27%28%29%2A%25%C3%A9%EF%BF%BD',
  )
  fc.assert(
    fc.property(anyText, (text) => {
      const encoded = String(encodeFor.url(text))
      assert.match(encoded, /^(?:[A-Za-z0-9._~-]|%[0-9A-F]{2})*$/)
      assert.equal(decodeURIComponent(encoded), text.toWellFormed())
    }),
    runs,
  )
})

test('url: a whole URL keeps its separators and what is percent-encoded already', () => {
  assert.equal(
    String(encodeFor.url('https://a.example/b c?d=%20&e=%zz"\'<>`{}#\u00e9', 'whole')),
    'https://a.example/b%20c?d=%20&e=%25zz%22%27%3C%3E%60%7B%7D#%C3%A9',
  )
  assert.equal(String(encodeFor.url('/a%2z%4', 'whole')), '/a%252z%254')
  // Two halves of one character are encoded together; a half alone has no bytes of its own.
  assert.equal(
    String(encodeFor.url('/\u{1f600}\u{1f600}?\udc00\ud800', 'whole')),
    '/%F0%9F%98%80%F0%9F%98%80?%EF%BF%BD%EF%BF%BD',
  )
  assert.throws(() => encodeFor.url('javascript:alert(1)', 'whole'), {
    code: 'SWS_UNSAFE_URL',
    message: 'A URL must be http:, https:, mailto: or relative to the page',
  })
})

const unsafe = [
  ...['javascript:alert(1)', 'JaVaScRiPt:alert(1)', 'java\tscript:alert(1)', 'java\nscript:alert(1)', 'java\rscript:x'],
  ...[' javascript:alert(1)', '\u0001javascript:alert(1)', '\u0000javascript:x', 'javascript\t:x', 'javascript:x '],
  ...['data:text/html,<script>alert(1)</script>', 'vbscript:x', 'blob:https://a.example/1', 'file:///etc/passwd'],
  ...[
    'about:blank',
    'ftp://a.example/',
    'ws://a.example/',
    'intent://x',
    'view-source:https://a.example',
    'feed:javascript:x',
  ],
  ...[
    '//evil.example',
    '///evil.example',
    '\\\\evil.example',
    '/\\evil.example',
    '\\/evil.example',
    '/\t/evil.example',
  ],
  ...['https:evil.example', 'https:/evil.example', 'https://', 'http:', 'https:\\\\evil.example', 'https://a b/'],
  ...[
    '&#106;avascript:alert(1)',
    'javascript&colon;alert(1)',
    '\u00a0javascript:x',
    '\u200bjavascript:x',
    'javascript\u2028:x',
    '\u007fx',
    '1:x',
    ':x',
    '%6aavascript:x',
  ],
  ...['/a ', ' /a', '/a\nb', 'httpss://a.example', 'mailtox:a', '1mailto:a', '1http://a.example'],
]
for (const url of unsafe) {
  test(`OU-11 1.2.2 refused: ${JSON.stringify(url)}`, () => assert.equal(isSafeUrl(url), false))
}

const safe = [
  ...['https://a.example', 'HTTPS://A.example/', 'http://a.example:8080/b?c=d#e', 'mailto:a@b.example', 'MAILTO:a'],
  ...[
    '',
    '/',
    '/a/b',
    'a',
    'a/b:c',
    '?a:b',
    '#a:b',
    './javascript:x',
    '../a',
    '/javascript:alert(1)',
    '/a//b',
    'a//b',
    'javascript',
  ],
  ...['https://a.example/?u=javascript:x', '/a b', '/R&D', '/\u00e9', 'javascript%3Ax', 'https://[::1]/'],
]
for (const url of safe) {
  test(`OU-11 near miss, allowed: ${JSON.stringify(url)}`, () => assert.equal(isSafeUrl(url), true))
}

test('OU-11 whatever is allowed, a browser takes for http, https, mailto or the page itself', () => {
  const part = fc.constantFrom(
    'java',
    'script',
    ':',
    '/',
    '\\',
    '\t',
    ' ',
    '&',
    '#',
    '?',
    '.',
    'http',
    's',
    'data',
    'a',
    '\u0000',
    '@',
    '%',
  )
  fc.assert(
    fc.property(
      fc.oneof(
        anyText,
        fc.array(part).map((parts) => parts.join('')),
      ),
      (url) => {
        if (!isSafeUrl(url)) return
        const base = 'https://page.example/dir/'
        if (!URL.canParse(url, base)) return
        const { protocol, host } = new URL(url, base)
        assert.ok(['http:', 'https:', 'mailto:'].includes(protocol), protocol)
        if (!/^(?:https?|mailto):/i.test(url)) assert.equal(host, 'page.example')
      },
    ),
    { numRuns: 3_000 },
  )
})
