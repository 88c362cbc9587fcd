import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readOrigin } from '../../src/admission/web-origin.ts'
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
