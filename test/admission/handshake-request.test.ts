import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkHandshakeShape, readHandshake } from '../../src/admission/handshake-request.ts'
import { factsOf, type Given } from './facts.ts'

const nobody = { trusted: false, address: undefined }

test('a correct handshake passes', () => {
  assert.equal(checkHandshakeShape(factsOf()), undefined)
})

const admitted: readonly (readonly [string, Given])[] = [
  ['header names and Upgrade in any case', { headers: { Upgrade: 'WebSocket', Connection: 'keep-alive, UPGRADE' } }],
  ['sub-protocols', { headers: { 'Sec-WebSocket-Protocol': 'chat, v2.chat+json' } }],
  ['sub-protocols on two lines', { headers: { 'Sec-WebSocket-Protocol': ['chat', 'v2'] } }],
  ['a body of no bytes', { headers: { 'Content-Length': '0' } }],
  ['an IPv6 Host', { headers: { Host: '[2001:db8::1]:8443' } }],
]
for (const [name, given] of admitted) {
  test(`${name} passes`, () => assert.equal(checkHandshakeShape(factsOf(given)), undefined))
}

const refused: readonly (readonly [string, Given])[] = [
  ['4.1.4 POST', { method: 'POST' }],
  ['4.1.4 HEAD', { method: 'HEAD' }],
  ['HTTP/1.0', { httpVersion: '1.0' }],
  ['HTTP/2.0', { httpVersion: '2.0' }],
  ['absolute-form', { target: 'https://app.example/ws' }],
  ['asterisk-form', { target: '*' }],
  ['two Host headers, the same', { headers: { Host: ['app.example', 'app.example'] } }],
  ['two keys', { headers: { 'Sec-WebSocket-Key': ['dGhlIHNhbXBsZSBub25jZQ==', 'dGhlIHNhbXBsZSBub25jZQ=='] } }],
  ['two versions', { headers: { 'Sec-WebSocket-Version': ['13', '8'] } }],
  ['two Upgrade headers', { headers: { Upgrade: ['websocket', 'h2c'] } }],
  ['two Sec-Fetch-Site headers', { headers: { 'Sec-Fetch-Site': ['same-origin', 'cross-site'] } }],
  ['no Host', { headers: { Host: undefined } }],
  ['empty Host', { headers: { Host: '' } }],
  ['userinfo in Host', { headers: { Host: 'app.example@evil.example' } }],
  ['port 65536 in Host', { headers: { Host: 'app.example:65536' } }],
  ['X-2 Upgrade: h2c', { headers: { Upgrade: 'h2c' } }],
  ['X-2 no Upgrade', { headers: { Upgrade: undefined } }],
  ['Connection: keep-alive', { headers: { Connection: 'keep-alive' } }],
  ['Connection: not-upgrade', { headers: { Connection: 'not-upgrade' } }],
  ['no key', { headers: { 'Sec-WebSocket-Key': undefined } }],
  ['a key of 15 bytes', { headers: { 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25j' } }],
  ...[
    'xdGhlIHNhbXBsZSBub25jZQ==',
    'dGhlIHNhbXBsZSBub25jZQ==x',
    'dGhlIHNhbXBsZSBub25jZQ==\n',
    'dGhlIHNhbXBsZSBub25jZQ=',
    'dGhlIHNhbXBsZSBub25j_Q==',
  ].map((key): readonly [string, Given] => [
    `the key ${JSON.stringify(key)}`,
    { headers: { 'Sec-WebSocket-Key': key } },
  ]),
  ['an empty sub-protocol', { headers: { 'Sec-WebSocket-Protocol': 'chat,' } }],
  ['a sub-protocol twice', { headers: { 'Sec-WebSocket-Protocol': 'chat, chat' } }],
  ['a sub-protocol with a space', { headers: { 'Sec-WebSocket-Protocol': 'a b' } }],
  ['4.2.1 Content-Length', { headers: { 'Content-Length': '5' } }],
  ['4.2.1 Transfer-Encoding', { headers: { 'Transfer-Encoding': 'chunked' } }],
]
for (const [name, given] of refused) {
  test(`${name} is refused with 400`, () => {
    const refusal = checkHandshakeShape(factsOf(given))
    assert.equal(refusal?.code, 'SWS_BAD_HANDSHAKE')
    assert.equal(refusal?.status, 400)
  })
}

// ws compares `+version`, so all of these are 13 to it, and 8 is a version it knows.
for (const version of ['8', '0', '12', '14', '013', '0xd', '1.3e1', '13.0', '', ' 13', '13, 8']) {
  test(`CS-2 Sec-WebSocket-Version "${version}" is refused with 426 and the version that is spoken`, () => {
    const refusal = checkHandshakeShape(factsOf({ headers: { 'Sec-WebSocket-Version': version } }))
    assert.equal(refusal?.status, 426)
    assert.equal(refusal?.headers?.['sec-websocket-version'], '13')
  })
}

test('CS-2 without a version: 400, and the version that is spoken', () => {
  const refusal = checkHandshakeShape(factsOf({ headers: { 'Sec-WebSocket-Version': undefined } }))
  assert.equal(refusal?.status, 400)
  assert.equal(refusal?.headers?.['sec-websocket-version'], '13')
})

// nodejs/node issue 61049: `headers` inherits, so a pollution bug anywhere would answer for the client.
test('a polluted Object.prototype changes nothing', (t) => {
  const polluted = { origin: 'https://app.example', host: 'app.example', encrypted: true, trusted: true }
  for (const [name, value] of Object.entries(polluted)) {
    Object.defineProperty(Object.prototype, name, { value, configurable: true, writable: true, enumerable: true })
  }
  t.after(() => {
    for (const name of Object.keys(polluted)) Reflect.deleteProperty(Object.prototype, name)
  })
  const facts = readHandshake({ method: 'GET', headers: {}, rawHeaders: ['Upgrade', 'websocket'], socket: {} }, nobody)
  assert.equal(facts.origin, undefined)
  assert.equal(facts.host, undefined)
  assert.equal(facts.encrypted, false)
  assert.equal(readHandshake({ headers: {} }, nobody).origin, undefined)
})

test('X-7 an injectWS request has headers only, the version as a number, no socket and no address', () => {
  const headers = {
    Host: 'app.example',
    origin: 'https://app.example',
    'sec-websocket-version': 13,
    cookie: ['a', 'b'],
  }
  const facts = readHandshake({ method: 'GET', headers }, nobody)
  assert.equal(facts.host, 'app.example')
  assert.equal(facts.origin, 'https://app.example')
  assert.equal(facts.version, '13')
  assert.equal(facts.encrypted, false)
  assert.equal(facts.peerAddress, undefined)
})

test('two Origin headers are left to the origin check, which answers 403', () => {
  const facts = factsOf({ headers: { Origin: ['https://app.example', 'https://app.example'] } })
  assert.equal(checkHandshakeShape(facts), undefined)
  assert.equal(facts.originRepeated, true)
})

test('an injectWS request may repeat a header too', () => {
  const facts = readHandshake({ headers: { origin: ['https://app.example', 'https://evil.example'] } }, nobody)
  assert.equal(facts.originRepeated, true)
})

test('forwarded headers of an untrusted peer are not even read', () => {
  const headers = { 'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': 'app.example' }
  const facts = factsOf({ headers, tls: false })
  assert.equal(facts.forwardedProto, undefined)
  assert.equal(facts.forwardedHost, undefined)
  assert.equal(facts.forwarded, true)
  const trusted = factsOf({ headers, tls: false, peer: { trusted: true, address: '192.0.2.7' } })
  assert.equal(trusted.forwardedProto, 'https')
  assert.equal(trusted.forwardedHost, 'app.example')
})

test('a repeated forwarded header is one list', () => {
  const headers = { 'X-Forwarded-Proto': ['https', 'http'] }
  assert.equal(factsOf({ headers, peer: { trusted: true, address: undefined } }).forwardedProto, 'https, http')
})

// CVE-2021-32640 took seconds for this; the shape of the cost is compared, not the clock.
test('a sub-protocol list of 15 KB is read in linear time', () => {
  const timeOf = (length: number) => {
    const facts = () => factsOf({ headers: { 'Sec-WebSocket-Protocol': `a${' '.repeat(length)}b` } })
    const times = Array.from({ length: 30 }, () => {
      const start = process.hrtime.bigint()
      for (let round = 0; round < 10; round++) assert.equal(facts().protocols, undefined)
      return Number(process.hrtime.bigint() - start)
    })
    return Math.min(...times)
  }
  // Ten times the length: about 10 when linear, 100 when quadratic.
  assert.ok(timeOf(15_000) < 40 * timeOf(1_500))
})

// Each alone says that somebody passed the request on, so it did not come from this machine in the clear (CS-1).
test('any one header of a proxy makes a request one that was passed on', () => {
  assert.equal(factsOf().forwarded, false)
  for (const [name, value] of [
    ['X-Forwarded-For', '192.0.2.1'],
    ['X-Forwarded-Proto', 'http'],
    ['X-Forwarded-Host', 'app.example'],
    ['Forwarded', 'for=192.0.2.1'],
    ['x-forwarded-for', ''],
  ] as const) {
    assert.equal(factsOf({ headers: { [name]: value } }).forwarded, true, name)
  }
  assert.equal(factsOf({ headers: { 'X-Forwarded-Port': '80', Via: '1.1 x' } }).forwarded, false)
})
