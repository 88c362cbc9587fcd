import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileOrigins, hostsOf } from '../../src/admission/origin-list.ts'

for (const [origin, text] of [
  ['https://app.example', 'https://app.example'],
  ['HTTPS://App.Example:443', 'https://app.example'],
  ['http://localhost:3000', 'http://localhost:3000'],
  ['http://[::1]:3000', 'http://[::1]:3000'],
  ['https://b\u00fccher.example', 'https://xn--bcher-kva.example'],
  ['chrome-extension://abcdef', 'chrome-extension://abcdef'],
] as const) {
  test(`${origin} is listed as ${text}`, () => {
    assert.deepEqual([...compileOrigins([origin], 'origins').exact], [text])
  })
}

test('a list names the hosts of its web origins, and of nothing else', () => {
  const origins = ['https://app.example', 'http://[::1]:3000', 'https://*.example.org', 'chrome-extension://abcdef']
  assert.deepEqual(hostsOf(compileOrigins(origins, 'origins')), [
    { name: 'app.example', text: 'app.example' },
    { name: '[::1]', text: '[::1]:3000' },
  ])
})

test('of two wildcards of one domain the deeper one holds, in either order', () => {
  for (const origins of [
    ['https://*.example.org', 'https://**.example.org'],
    ['https://**.example.org', 'https://*.example.org'],
  ]) {
    assert.deepEqual([...compileOrigins(origins, 'origins').wildcards], [['https://example.org', 'any']])
  }
})

test('a wildcard names its scheme, its port and its depth; digits in a name are no address', () => {
  for (const [origin, parent, depth] of [
    ['https://*.example.org', 'https://example.org', 'one'],
    ['http://**.example.org:8080', 'http://example.org:8080', 'any'],
    ['HTTPS://*.Example.org:443', 'https://example.org', 'one'],
    ['https://*.a.b2', 'https://a.b2', 'one'],
    ['https://*.3com.example', 'https://3com.example', 'one'],
    ['https://*.b\u00fccher.example', 'https://xn--bcher-kva.example', 'one'],
  ] as const) {
    assert.deepEqual([...compileOrigins([origin], 'origins').wildcards], [[parent, depth]])
  }
})

// What the developer wrote, and what the message must tell him to write.
const wrong: readonly (readonly [unknown, RegExp])[] = [
  [undefined, /'same-origin'/],
  [null, /'same-origin'/],
  [true, /dangerouslyAllowAnyOrigin/],
  [false, /'same-origin'/],
  ['*', /dangerouslyAllowAnyOrigin/],
  ['same', /Did you mean 'same-origin'/],
  ['https://app.example', /Write a list: \["https:\/\/app\.example"\]/],
  [/app\.example/, /\/app\\\\\.example\/.*without anchors/],
  [{}, /a list such as/],
  [Symbol('any'), /a list such as/],
  [[], /at least one/],
]
for (const [origins, message] of wrong) {
  test(`origins: ${String(origins)} fails at start-up with advice`, () => {
    assert.throws(() => compileOrigins(origins, 'secureWs.origins'), { code: 'SWS_BAD_OPTION', message })
    assert.throws(() => compileOrigins(origins, 'secureWs.origins'), /option `secureWs\.origins` is /)
  })
}

const wrongEntries: readonly (readonly [unknown, RegExp])[] = [
  ['*', /dangerouslyAllowAnyOrigin/],
  ['app.example', /the scheme too/],
  ['//app.example', /the scheme too/],
  ['', /the scheme too/],
  ['null', /dangerouslyAllowNullOrigin/],
  ['wss://app.example', /"https:\/\/\.\.\."/],
  ['ws://app.example', /"http:\/\/\.\.\."/],
  ['https://app.example/', /Did you mean "https:\/\/app\.example"/],
  ['https://app.example/chat', /Did you mean "https:\/\/app\.example"/],
  ['https://app.example?x', /Did you mean "https:\/\/app\.example"/],
  ['https://user@app.example', /Did you mean "https:\/\/app\.example"/],
  ['https://app.example ', /Did you mean/],
  ['https://app.example:0443', /Did you mean/],
  ['https://app.example:99999', /Did you mean/],
  ['https://127.1', /Did you mean "https:\/\/127\.0\.0\.1"/],
  ['https://app%2eexample', /Did you mean/],
  ['https:\\\\app.example', /the scheme too/],
  ['https://', /Did you mean/],
  ['blob:https://app.example', /the scheme too/],
  ['javascript://app.example', /never send/],
  ['data:text/html,x', /the scheme too/],
  ['chrome-extension://\u017fbc', /as the browser sends it/],
  ['chrome-extension://ABC/x', /as the browser sends it/],
  ['https://*', /one label/],
  ['https://**', /one label/],
  ['https://*.com', /domain of yours/],
  ['https://**.com', /domain of yours/],
  ['https://*.com.', /domain of yours/],
  ['https://*.localhost', /domain of yours/],
  ['*.example.org', /one label/],
  ['https://a*.example.org', /one label/],
  ['https://a.*.example.org', /one label/],
  ['https://*.*.example.org', /one label/],
  ['https://***.example.org', /one label/],
  ['https://*example.org', /one label/],
  ['https://*.example.org/x', /no path/],
  ['https://*.example.org:*', /one label/],
  ['*://a.example.org', /one label/],
  ['xhttps://*.example.org', /one label/],
  ['https://*.example.org*', /one label/],
  ['https://*.example.org\n', /no path/],
  ['https://*.exa mple.org', /no path/],
  ['https://*.[::1]', /domain of yours/],
  ['blob://x', /never send/],
  ['filesystem://x', /never send/],
  ['about://blank', /never send/],
  ['null://x', /never send/],
  ['DATA://x', /never send/],
  ['https://*.1.2.3.4', /names in front/],
  ['chrome-extension://*', /one label/],
  [/app/, /without anchors/],
  [7, /a list such as/],
  [undefined, /a list such as/],
]
for (const [origin, message] of wrongEntries) {
  test(`an origin ${JSON.stringify(String(origin))} fails at start-up with its path and advice`, () => {
    const origins = ['https://app.example', origin]
    assert.throws(() => compileOrigins(origins, 'origins'), { code: 'SWS_BAD_OPTION', message })
    assert.throws(() => compileOrigins(origins, 'origins'), /option `origins\[1\]` is /)
  })
}
