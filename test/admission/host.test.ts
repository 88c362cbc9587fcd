import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkHost, compileHosts } from '../../src/admission/host.ts'
import { effectiveHost } from '../../src/admission/reached.ts'
import { isLoopbackHost, parseHost } from '../../src/http/authority.ts'
import { factsOf } from './facts.ts'

const policy = compileHosts(['app.example', 'admin.example:8443', 'plain.example:443'], 'hosts')
const trusted = { trusted: true, address: '192.0.2.7' }

for (const [host, scheme] of [
  ['app.example', 'https'],
  ['APP.Example', 'https'],
  ['app.example:443', 'https'],
  ['app.example:80', 'http'],
  ['app.example', 'http'],
  ['admin.example:8443', 'https'],
  ['plain.example', 'https'],
  ['plain.example:443', 'http'],
] as const) {
  test(`Host ${host} over ${scheme} is ours`, () => assert.equal(checkHost(parseHost(host), scheme, policy), undefined))
}

for (const [host, scheme] of [
  ['app.example:80', 'https'],
  ['app.example:443', 'http'],
  ['app.example:8443', 'https'],
  ['admin.example', 'https'],
  ['app.example.', 'https'],
  ['app.example.evil.example', 'https'],
  ['evil-app.example', 'https'],
  ['203.0.113.7', 'https'],
  // DNS rebinding: the page and the Host agree, and neither is ours.
  ['rebind.evil.example', 'https'],
  ['localhost', 'https'],
] as const) {
  test(`CS-5 Host ${host} over ${scheme} is refused with 421`, () => {
    const refusal = checkHost(parseHost(host), scheme, policy)
    assert.equal(refusal?.code, 'SWS_HOST_REFUSED')
    assert.equal(refusal?.status, 421)
  })
}

for (const text of [
  '',
  'a b',
  'a,b',
  'a/b',
  'a@b',
  'a#b',
  'a?b',
  'a%2eb',
  'a:',
  'a:080',
  'a:65536',
  'a:8o',
  'a..b',
  '.a',
  '[a]',
  '[::1%25lo]',
  '::1',
  '[::1',
  'a\u00ad',
  '\u212aelvin.example',
  `${'a.'.repeat(127)}a`,
]) {
  test(`${JSON.stringify(text.slice(0, 30))} is no host`, () => assert.equal(parseHost(text), undefined))
}

test('a name may be as long as DNS lets it be', () => {
  const name = `${'a.'.repeat(126)}a`
  assert.equal(name.length, 253)
  assert.deepEqual(parseHost(name), { name, port: undefined })
})

for (const name of ['localhost', 'LOCALHOST:3000', '127.0.0.1:1', '[::1]:3000']) {
  test(`${name} is a loopback name`, () => assert.ok(isLoopbackHost(parseHost(name))))
}

for (const name of [
  'localhost.evil.example',
  'evil.localhost',
  '127.0.0.2',
  '0.0.0.0',
  '[::ffff:127.0.0.1]',
  'localhost.',
]) {
  test(`${name} is no loopback name`, () => assert.ok(!isLoopbackHost(parseHost(name))))
}

// The client may send X-Forwarded-Host too; the trusted proxy appends its own, so only the last one is the proxy's word.
test('1.4 behind a trusted proxy the last forwarded host counts', () => {
  const host = (forwarded: string | string[]) =>
    effectiveHost(factsOf({ headers: { Host: '10.1.2.3', 'X-Forwarded-Host': forwarded }, peer: trusted }))?.name
  assert.equal(host('app.example'), 'app.example')
  assert.equal(host('app.example, evil.example'), 'evil.example')
  assert.equal(host(['evil.example', 'app.example']), 'app.example')
  assert.equal(host(''), undefined)
  assert.equal(host('app.example,'), undefined)
  assert.equal(host('app.example@evil.example'), undefined)
})

test('1.4 a forwarded host of an untrusted peer does not count', () => {
  const facts = factsOf({ headers: { Host: 'app.example', 'X-Forwarded-Host': 'evil.example' } })
  assert.equal(effectiveHost(facts)?.name, 'app.example')
})

test('a forwarded host that is malformed is refused with 421, and its Host is not taken instead', () => {
  const facts = factsOf({ headers: { 'X-Forwarded-Host': '' }, peer: trusted })
  assert.equal(checkHost(effectiveHost(facts), 'https', policy)?.code, 'SWS_HOST_REFUSED')
})

test('an IDN in `hosts` matches its punycode', () => {
  const idn = compileHosts(['b\u00fccher.example:8443'], 'hosts')
  assert.equal(checkHost(parseHost('xn--bcher-kva.example:8443'), 'https', idn), undefined)
})

for (const hosts of [
  'app.example',
  [],
  null,
  true,
  ['*'],
  ['*.example.org'],
  ['https://app.example'],
  ['app.example/'],
  ['app.example:0443'],
  ['app.example:99999'],
  ['user@app.example'],
  ['127.1'],
  ['2130706433'],
  ['::1'],
  ['app%2eexample'],
  ['app.example '],
  [''],
  [7],
  [/app/],
  ['app.example', undefined],
]) {
  test(`hosts: ${JSON.stringify(hosts)} fails at start-up, naming the option`, () => {
    assert.throws(() => compileHosts(hosts, 'hosts'), {
      code: 'SWS_BAD_OPTION',
      message: /option `hosts(\[\d\])?` is /,
    })
  })
}
