import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dangerouslyAllowAnyOrigin } from '../../src/admission/origin.ts'
import { type AdmissionOptions, compileAdmission } from '../../src/admission/policy.ts'
import { factsOf, type Given, refusalOf } from './facts.ts'
import { strict } from './guarded-server.ts'

/** What a handshake with this Host and these rules is refused with. */
function codeOf(options: Partial<AdmissionOptions>, given: Given): string | undefined {
  const policy = compileAdmission({ origins: 'same-origin', ...strict, ...options }, '')
  const verdict = refusalOf(factsOf(given), policy)
  return verdict?.code
}

const at = (Host: string, Origin = 'https://app.example'): Given => ({ headers: { Host, Origin } })

test('the first refusal wins, cheap before dear', () => {
  const policy = compileAdmission({ origins: ['https://app.example'], ...strict }, '')
  const headers = { Host: 'evil.example', Origin: 'https://evil.example', 'Sec-Fetch-Mode': 'navigate' }
  const verdicts = [
    refusalOf(factsOf({ method: 'POST', tls: false, headers }), policy),
    refusalOf(factsOf({ tls: false, headers }), policy),
    refusalOf(factsOf({ headers }), policy),
    refusalOf(factsOf({ headers: { ...headers, Host: 'app.example' } }), policy),
    refusalOf(factsOf({ headers: { 'Sec-Fetch-Mode': 'navigate' } }), policy),
    refusalOf(factsOf(), policy),
  ]
  assert.deepEqual(
    verdicts.map((verdict) => verdict?.code),
    [
      'SWS_BAD_HANDSHAKE',
      'SWS_INSECURE_TRANSPORT',
      'SWS_HOST_REFUSED',
      'SWS_ORIGIN_REFUSED',
      'SWS_FETCH_METADATA_REFUSED',
      undefined,
    ],
  )
})

test('hosts left out: those of the listed origins, nothing else', () => {
  const origins = ['https://app.example', 'https://admin.example:8443', 'https://*.tenants.example']
  assert.equal(codeOf({ origins }, at('app.example')), undefined)
  assert.equal(codeOf({ origins }, at('admin.example:8443')), undefined)
  for (const host of ['admin.example', 'a.tenants.example', 'tenants.example', 'localhost', '203.0.113.7']) {
    assert.equal(codeOf({ origins }, at(host)), 'SWS_HOST_REFUSED', host)
  }
})

test('hosts left out, a loopback origin: loopback on any port, for a page served by another port', () => {
  const origins = ['http://localhost:5173']
  const given = { tls: false, peerAddress: '127.0.0.1', headers: { Origin: 'http://localhost:5173' } }
  assert.equal(codeOf({ origins }, { ...given, headers: { ...given.headers, Host: 'localhost:3000' } }), undefined)
  const rebound = { ...given, tls: true, headers: { ...given.headers, Host: 'rebind.example:3000' } }
  assert.equal(codeOf({ origins }, rebound), 'SWS_HOST_REFUSED')
})

// Without a public name configured, a page that made its own name resolve to this server must not be served.
for (const [name, origins] of [
  ["'same-origin'", 'same-origin'],
  ['a function', () => true],
  ['every origin', dangerouslyAllowAnyOrigin],
] as const) {
  test(`CS-5 hosts left out with ${name}: loopback names only, on any port`, () => {
    for (const host of ['localhost:3000', '127.0.0.1', '[::1]:8443']) {
      assert.equal(codeOf({ origins }, at(host, `https://${host}`)), undefined, host)
    }
    for (const host of [
      'rebind.example',
      'localhost.evil.example',
      'evil.localhost:3000',
      '0.0.0.0:3000',
      '192.168.0.7',
    ]) {
      assert.equal(codeOf({ origins }, at(host, `https://${host}`)), 'SWS_HOST_REFUSED', host)
    }
  })
}

for (const origins of [['https://*.example.org'], ['chrome-extension://abcdef']]) {
  test(`origins: ${origins} names no host of ours, so hosts must be given`, () => {
    assert.throws(() => compileAdmission({ origins, ...strict }, 'secureWs'), {
      code: 'SWS_BAD_OPTION',
      message: /option `secureWs.hosts` is missing/,
    })
    assert.ok(compileAdmission({ origins, hosts: ['app.example'], ...strict }, 'secureWs'))
  })
}

// 'false' from an environment variable is true to JavaScript.
for (const name of ['allowMissingOrigin', 'dangerouslyAllowNullOrigin', 'allowInsecureTransport']) {
  test(`${name} is a boolean and nothing like one`, () => {
    for (const value of ['false', 'true', 0, 1, null, undefined, {}]) {
      assert.throws(() => compileAdmission({ origins: 'same-origin', ...strict, [name]: value }, 'secureWs'), {
        code: 'SWS_BAD_OPTION',
        message: new RegExp(`option \`secureWs\\.${name}\` is `),
      })
    }
  })
}

test('a route and the server each have their own rules, compiled once', () => {
  const origins = ['https://app.example']
  const first = compileAdmission({ origins, ...strict }, '')
  const second = compileAdmission({ origins: ['https://other.example'], hosts: ['app.example'], ...strict }, 'secureWs')
  // What the caller does to his list later has no effect: a policy is finished.
  origins.push('https://other.example')
  const code = (policy: typeof first, Origin: string) => {
    const verdict = refusalOf(factsOf({ headers: { Origin } }), policy)
    return verdict?.code
  }
  assert.equal(code(first, 'https://app.example'), undefined)
  assert.equal(code(first, 'https://other.example'), 'SWS_ORIGIN_REFUSED')
  assert.equal(code(second, 'https://app.example'), 'SWS_ORIGIN_REFUSED')
  assert.equal(code(second, 'https://other.example'), undefined)
})

test('a function is asked about nothing that is refused without it', () => {
  let asked = 0
  const origins = async () => {
    asked++
    return true
  }
  const options = { origins, hosts: ['app.example'] }
  assert.equal(codeOf(options, at('evil.example')), 'SWS_HOST_REFUSED')
  assert.equal(codeOf(options, { tls: false }), 'SWS_INSECURE_TRANSPORT')
  assert.equal(codeOf(options, { headers: { 'Sec-Fetch-Mode': 'navigate' } }), 'SWS_FETCH_METADATA_REFUSED')
  assert.equal(codeOf(options, {}), undefined)
  assert.equal(asked, 0)
})

test('explain says the rules as plain values', () => {
  const origins = ['https://app.example', 'https://*.example.org', 'https://**.example.net:8443']
  assert.deepEqual(compileAdmission({ origins, hosts: ['app.example'], ...strict }, '').explain(), {
    origins,
    hosts: ['app.example'],
    ...strict,
  })
  for (const [given, said] of [
    ['same-origin', 'same-origin'],
    [dangerouslyAllowAnyOrigin, 'any'],
    [() => true, 'a function'],
  ] as const) {
    const explained = compileAdmission({ origins: given, ...strict }, '').explain()
    assert.equal(explained.origins, said)
    assert.deepEqual(explained.hosts, ['localhost:*', '127.0.0.1:*', '[::1]:*'])
    assert.deepEqual(structuredClone(explained), explained)
  }
})

test('the origin of files may be listed where danger is said, and nowhere else', () => {
  const options = { origins: ['https://app.example', 'file://'], ...strict }
  assert.throws(() => compileAdmission(options, ''), {
    code: 'SWS_BAD_OPTION',
    message: /dangerouslyAllowFileOrigin: true/,
  })
  const policy = compileAdmission({ ...options, dangerouslyAllowFileOrigin: true }, '')
  assert.equal(refusalOf(factsOf({ headers: { Origin: 'file://' } }), policy), undefined)
})

// It sends its mode and no Origin. A browser sends more than its mode, and neither it nor a page can take that out.
test("Node's own WebSocket is a client without an origin; a browser that hides its origin is not", () => {
  const options = { origins: ['https://app.example'], allowMissingOrigin: true }
  const without = (more: Record<string, string>): Given => ({ headers: { Origin: undefined, ...more } })
  assert.equal(codeOf(options, without({ 'Sec-Fetch-Mode': 'websocket' })), undefined)
  assert.equal(codeOf(options, without({})), undefined)
  for (const more of [
    { 'Sec-Fetch-Mode': 'websocket', 'Sec-Fetch-Site': 'cross-site' },
    { 'Sec-Fetch-Mode': 'websocket', 'Sec-Fetch-Dest': 'websocket' },
    { 'Sec-Fetch-Mode': 'cors' },
    { 'Sec-Fetch-Site': 'none' },
    { 'Sec-Fetch-User': '?1' },
  ]) {
    assert.equal(codeOf(options, without(more)), 'SWS_ORIGIN_REFUSED', JSON.stringify(more))
  }
  assert.equal(
    codeOf({ origins: ['https://app.example'] }, without({ 'Sec-Fetch-Mode': 'websocket' })),
    'SWS_ORIGIN_REFUSED',
  )
})
