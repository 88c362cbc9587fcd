import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isFileOrigin, isOtherOrigin, readOrigin } from '../../src/admission/web-origin.ts'
import fc from '../harness/fast-check.ts'

for (const [value, text] of [
  ['https://app.example', 'https://app.example'],
  ['HTTPS://App.Example', 'https://app.example'],
  ['https://app.example:443', 'https://app.example'],
  ['http://app.example:80', 'http://app.example'],
  ['http://app.example:443', 'http://app.example:443'],
  ['http://[::1]:3000', 'http://[::1]:3000'],
  ['http://127.0.0.1', 'http://127.0.0.1'],
  ['https://a_b.example', 'https://a_b.example'],
  ['https://app.example.', 'https://app.example.'],
] as const) {
  test(`${value} is the origin ${text}`, () => assert.equal(readOrigin(value)?.text, text))
}

// Each of these becomes https://app.example, or another origin that might be listed, in `new URL(value).origin`.
for (const value of [
  'https:/app.example',
  'https:app.example',
  'https:///app.example',
  'https:\\\\app.example',
  ' https://app.example',
  'https://app.example ',
  'https://app.example\u00a0',
  'https://app.exa\tmple',
  'https://app.example\n',
  'https://app.example/',
  'https://app.example?',
  'https://app.example#',
  'https://@app.example',
  'https://evil@app.example',
  'https://app.example:',
  'https://app.example:0443',
  'https://app%2eexample',
  'https://app\uff0eexample',
  'https://app\u3002example',
  'https://app.example\u00ad',
  'https://app.\u212aelvin.example',
  'http://127.1',
  'http://2130706433',
  'http://0x7f.0.0.1',
  'http://017700000001',
  'http://[0:0:0:0:0:0:0:1]',
  'blob:https://app.example/0f1e2d3c',
  'https://a..example',
  'https://app.example:65979',
  'null',
  'file://',
  '',
]) {
  test(`CS-5 ${JSON.stringify(value)} is no origin`, () => assert.equal(readOrigin(value), undefined))
}

test('the longest origin that there can be is read', () => {
  const label = 'a'.repeat(63)
  const longest = `https://${[label, label, label, label.slice(2)].join('.')}.:65535`
  assert.equal(readOrigin(longest)?.text, longest)
})

// An origin of another scheme is compared as it is, so what is none must not pass for one: a list with `app://a` behind it would admit it.
const schemes = 64
const names = 253
for (const value of [
  'chrome-extension://abcdefghijklmnopabcdefghijklmnop',
  'moz-extension://0b5f-11ee_x',
  'safari-web-extension://ABC',
  'capacitor://localhost',
  'a+b-c.1://x',
  'app://x:1',
  'app://x:65535',
  `${'a'.repeat(schemes)}://x`,
  `app://${'a'.repeat(names)}`,
]) {
  test(`${value.slice(0, 60)} is an origin of another scheme, of no file, and with anything around it none`, () => {
    assert.ok(isOtherOrigin(value))
    assert.ok(!isFileOrigin(value))
    assert.equal(readOrigin(value), undefined)
    for (const around of [` ${value}`, `1${value}`, `\u017f${value}`, `${value}/`, `${value}?`, `${value}#`]) {
      assert.ok(!isOtherOrigin(around), around)
    }
    for (const behind of ['\n', ' ', '\u212a', ':', '@b', '%41', '[', '\\'])
      assert.ok(!isOtherOrigin(value + behind), behind)
  })
}
for (const value of [
  'http://a',
  'https://a',
  'HTTPS://a',
  'ws://a',
  'wss://a',
  'app://',
  'app:/a',
  'app:a',
  'app://x:0',
  'app://x:01',
  'app://x:123456',
  'app://x:8o',
  'app://x:80:80',
  'app://\u017f',
  '+app://x',
  'null',
  '',
  `${'a'.repeat(schemes + 1)}://x`,
  `app://${'a'.repeat(names + 1)}`,
]) {
  test(`${JSON.stringify(value.slice(0, 40))} (${value.length}) is no origin of another scheme`, () =>
    assert.ok(!isOtherOrigin(value)))
}

test('a page from a disk is told by its scheme, and by nothing that has it somewhere', () => {
  for (const value of [
    'file://',
    'FILE://',
    'content://',
    'content://com.android.a_b-1',
    `file://${'a'.repeat(names)}`,
  ]) {
    assert.ok(isFileOrigin(value), value)
    assert.ok(isOtherOrigin(value), value)
  }
  for (const value of [
    'xfile://',
    ' file://',
    'file:///',
    'file://a/b',
    'file://a\n',
    'file://a:1',
    'file:/',
    'files://',
    `file://${'a'.repeat(names + 1)}`,
  ]) {
    assert.ok(!isFileOrigin(value), value)
  }
})

const piece = fc.constantFrom(
  ...[
    'https',
    'HTTP',
    'http',
    ':',
    '/',
    '//',
    '://',
    '\\',
    '@',
    '#',
    '?',
    '%',
    '%2e',
    '.',
    '..',
    '-',
    '_',
    '*',
    '[',
    ']',
  ],
  ...[
    'app',
    'App',
    'example',
    'evil',
    'localhost',
    '127.0.0.1',
    '::1',
    '0x7f',
    '1',
    '0',
    '443',
    ':443',
    ':80',
    ':8443',
    'xn--',
  ],
  ...[' ', '\t', '\u00a0', '\u00ad', '\u212a', '\u017f', '\u0130', '\uff0e', '\u2100', '\u00df', 'null', 'blob:', ','],
)
const pieces = fc.array(piece, { maxLength: 10 }).map((parts) => parts.join(''))
const anything = fc.oneof(
  pieces,
  pieces.map((rest) => `https://${rest}`),
  pieces.map((rest) => `https://app.example${rest}`),
  fc.string(),
  fc.string({ unit: 'binary' }).map((rest) => `https://${rest}.example`),
  fc.webUrl(),
)

test('CS-5 whatever is read as an origin is what URL serializes, and differs from it in case and default port only', () => {
  fc.assert(
    fc.property(anything, (value) => {
      const origin = readOrigin(value)
      if (origin === undefined) return
      const url = new URL(value)
      assert.equal(url.origin, origin.text)
      const port = { 'https:': ':443', 'http:': ':80' }[url.protocol] ?? ''
      assert.ok([origin.text, origin.text + port].includes(value.toLowerCase()))
      assert.match(value, /^[\x21-\x7e]+$/)
    }),
    { numRuns: 5_000 },
  )
})

test('every origin that URL serializes from an ordinary address is read', () => {
  fc.assert(
    fc.property(fc.webAuthority(), fc.constantFrom('http', 'https'), (authority, scheme) => {
      const url = URL.parse(`${scheme}://${authority}`)
      if (url === null || /[^a-z0-9.:[\]_-]/.test(url.host)) return
      assert.equal(readOrigin(url.origin)?.text, url.origin)
    }),
    { numRuns: 2_000 },
  )
})
