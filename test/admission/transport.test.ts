import assert from 'node:assert/strict'
import { test } from 'node:test'
import { effectiveHost, effectiveScheme } from '../../src/admission/reached.ts'
import { checkTransport } from '../../src/admission/transport.ts'
import { factsOf, type Given } from './facts.ts'

const trusted = { trusted: true, address: '192.0.2.7' }

function check(given: Given, allowInsecureTransport = false) {
  const facts = factsOf(given)
  return checkTransport(facts, effectiveScheme(facts), effectiveHost(facts), allowInsecureTransport)
}

for (const proto of ['https', 'HTTPS', 'wss', 'https, https', 'https,wss', ' https\t']) {
  test(`a trusted proxy that says ${JSON.stringify(proto)} says https`, () => {
    assert.equal(
      effectiveScheme(factsOf({ tls: false, headers: { 'X-Forwarded-Proto': proto }, peer: trusted })),
      'https',
    )
  })
}

for (const proto of [
  'http',
  'ws',
  'https, http',
  'http, https',
  'httpsx',
  'xhttps',
  '',
  'https,',
  'https\u00a0',
  'on',
]) {
  test(`CS-1 a trusted proxy that says ${JSON.stringify(proto)} says http, also over TLS`, () => {
    const facts = factsOf({ tls: true, headers: { 'X-Forwarded-Proto': proto }, peer: trusted })
    assert.equal(effectiveScheme(facts), 'http')
  })
}

test('CS-1 plain ws:// is refused with 426', () => {
  const refusal = check({ tls: false })
  assert.equal(refusal?.code, 'SWS_INSECURE_TRANSPORT')
  assert.equal(refusal?.status, 426)
})

test('TLS passes, and so does plain where it is allowed', () => {
  assert.equal(check({ tls: true }), undefined)
  assert.equal(check({ tls: false }, true), undefined)
})

// fastify CVE-2026-3635: anybody can write this header.
test('CS-1 an untrusted peer cannot claim TLS', () => {
  assert.ok(check({ tls: false, headers: { 'X-Forwarded-Proto': 'https' } }))
})

for (const [peerAddress, Host] of [
  ['127.0.0.1', 'localhost:3000'],
  ['::1', '[::1]:3000'],
  ['::ffff:127.0.0.1', '127.0.0.1'],
] as const) {
  test(`plain from ${peerAddress} to ${Host} stays on this machine`, () => {
    assert.equal(check({ tls: false, peerAddress, headers: { Host } }), undefined)
  })
}

// nginx on the same machine is a loopback peer for every stranger it forwards.
const strangers: readonly (readonly [string, Given])[] = [
  ['a public Host from a loopback peer', { peerAddress: '127.0.0.1', headers: { Host: 'app.example' } }],
  ['a loopback Host from elsewhere', { peerAddress: '192.0.2.7', headers: { Host: 'localhost:3000' } }],
  ['X-7 a loopback Host from nobody knows where', { peerAddress: undefined, headers: { Host: 'localhost:3000' } }],
  ['0.0.0.0 as Host', { peerAddress: '127.0.0.1', headers: { Host: '0.0.0.0:3000' } }],
  ['X-Forwarded-For', { peerAddress: '127.0.0.1', headers: { Host: 'localhost', 'X-Forwarded-For': '203.0.113.7' } }],
  ['X-Forwarded-Proto', { peerAddress: '127.0.0.1', headers: { Host: 'localhost', 'X-Forwarded-Proto': 'https' } }],
  ['Forwarded', { peerAddress: '127.0.0.1', headers: { Host: 'localhost', Forwarded: 'for=203.0.113.7' } }],
]
for (const [name, given] of strangers) {
  test(`CS-1 plain with ${name} is refused`, () => assert.ok(check({ ...given, tls: false })))
}

test('the advice for a forwarded request names trustProxy', () => {
  assert.match(check({ tls: false, headers: { 'X-Forwarded-For': '203.0.113.7' } })?.advice ?? '', /trustProxy/)
})
