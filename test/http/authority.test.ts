import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isLoopbackHost, parseHost, readConfiguredHost, serializeHost } from '../../src/http/authority.ts'

const label = 'a'.repeat(63)
const longest = [label, label, label, label.slice(2)].join('.')

for (const [text, name, port] of [
  ['App.Example', 'app.example', undefined],
  ['app.example.', 'app.example.', undefined],
  ['app.example:0', 'app.example', 0],
  ['app.example:65535', 'app.example', 65_535],
  ['[2001:DB8::1]:8443', '[2001:db8::1]', 8443],
  ['a_b-c.9', 'a_b-c.9', undefined],
  [longest, longest, undefined],
  [`${longest}.:1`, `${longest}.`, 1],
] as const) {
  test(`${text.slice(0, 40)} (${text.length}) is a host`, () => assert.deepEqual(parseHost(text), { name, port }))
}

// Each is another host for somebody: for a proxy in front, for `URL`, or for a list of names.
for (const text of [
  '',
  '.app.example',
  'app..example',
  'app.example..',
  'app.example:',
  'app.example:080',
  'app.example:65536',
  'app.example:123456',
  'app.example:8o',
  'app.example:80:80',
  'app.example,evil.example',
  'user@app.example',
  'app.example/',
  'app.example\n',
  ' app.example',
  'app\u3002example',
  'app.\u212aelvin',
  'app%2eexample',
  '[::1',
  '::1',
  '[x::1]',
  '[1::1::1]',
  '[fe80::1%25eth0]',
  '[]',
  `${longest}b`,
  `${longest}b.`,
]) {
  test(`${JSON.stringify(text.slice(0, 40))} (${text.length}) is no host`, () =>
    assert.equal(parseHost(text), undefined))
}

test('an option names a host in the letters of its language, and is told where `URL` would mend it', () => {
  const read = (text: string) => {
    const host = readConfiguredHost(text)
    return host && serializeHost(host, 'https')
  }
  assert.equal(read('b\u00fccher.example'), 'xn--bcher-kva.example')
  assert.equal(read('b\u00fccher.example:8443'), 'xn--bcher-kva.example:8443')
  assert.equal(read('b\u00fccher.example:443'), 'xn--bcher-kva.example')
  assert.equal(read('app.example:443'), 'app.example')
  for (const mended of [
    '127.1',
    '0x7f.0.0.1',
    '2130706433',
    'b\u00fccher.example/x',
    'b\u00fccher.example?x',
    'b\u00fccher.example#x',
    'u@b\u00fccher.example',
    'b\u00fccher .example',
    'b\u00fccher%2eexample',
    'b\u00fccher\\example',
    'b\u00fccher.example:99999',
    'b\u00fccher.example:8o',
    '[0:0:0:0:0:0:0:1]',
  ]) {
    assert.equal(read(mended), undefined, mended)
  }
})

test('three names are this machine, and no name that only begins or ends like one', () => {
  for (const text of ['localhost', 'LOCALHOST:1', '127.0.0.1', '[::1]:80'])
    assert.ok(isLoopbackHost(parseHost(text)), text)
  for (const text of ['localhost.', 'a.localhost', 'localhost.example', '127.0.0.2', '[::2]']) {
    assert.ok(!isLoopbackHost(parseHost(text)), text)
  }
  assert.ok(!isLoopbackHost(undefined))
})
