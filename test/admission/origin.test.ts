import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FastifyRequest } from 'fastify'
import { askOrigins, checkOrigin, dangerouslyAllowAnyOrigin, type OriginPolicy } from '../../src/admission/origin.ts'
import { compileOrigins } from '../../src/admission/origin-list.ts'
import type { Refusal } from '../../src/http/refusal.ts'
import fc from '../harness/fast-check.ts'
import { anyRequest } from './facts.ts'

const request = await anyRequest()
const own = 'https://app.example'

function policyOf(
  origins: unknown,
  flags: Partial<Pick<OriginPolicy, 'missing' | 'nullOrigin' | 'fileOrigin'>> = {},
): OriginPolicy {
  return { ...compileOrigins(origins, 'origins'), missing: false, nullOrigin: false, fileOrigin: false, ...flags }
}

/** The verdict of a policy that answers at once. */
function now(value: string | undefined, policy: OriginPolicy, fromBrowser = false): Refusal | undefined {
  const verdict = checkOrigin({ origin: value, fromBrowser }, policy, own) ?? askOrigins(value, policy, request)
  assert.ok(!(verdict instanceof Promise))
  return verdict
}

const listed = policyOf(['https://app.example', 'https://admin.example:8443', 'chrome-extension://abcdef'])
const anyOrigin = policyOf(dangerouslyAllowAnyOrigin)
const sameOrigin = policyOf('same-origin')

for (const value of [
  'https://app.example',
  'HTTPS://APP.example:443',
  'https://admin.example:8443',
  'chrome-extension://abcdef',
]) {
  test(`a listed origin: ${value}`, () => assert.equal(now(value, listed), undefined))
}

for (const value of [
  'https://app.example.evil.example',
  'https://evilapp.example',
  'https://evil-app.example',
  'https://sub.app.example',
  'https://example',
  'http://app.example',
  'wss://app.example',
  'https://app.example:8443',
  'https://admin.example',
  'https://app.example.',
  'https://app.example, https://evil.example',
  'chrome-extension://abcdeg',
  'Chrome-Extension://abcdef',
  'chrome-extension://abcdef/',
  'moz-extension://abcdef',
  'null',
  '',
  '*',
]) {
  test(`CS-5 no listed origin: ${JSON.stringify(value)}`, () => {
    const refusal = now(value, listed)
    assert.equal(refusal?.code, 'SWS_ORIGIN_REFUSED')
    assert.equal(refusal?.status, 403)
  })
}

test('the advice names what to add, the reason what was sent', () => {
  const refusal = now('https://new.example', listed)
  assert.match(refusal?.advice ?? '', /add "https:\/\/new\.example" to `origins`/)
  assert.match(refusal?.reason ?? '', /https:\/\/new\.example/)
})

// Advice is printed as it is, so nothing that failed the grammar may be in it.
test('LG-01 advice never holds what is no origin', () => {
  for (const value of ['https://x\u001b[31m', 'https://evil.example/`rm`', 'https://evil.example\u009b']) {
    assert.equal(now(value, listed)?.advice, undefined)
  }
})

test("'same-origin' compares scheme, host and port", () => {
  assert.equal(now(own, sameOrigin), undefined)
  assert.equal(now(`${own}:443`, sameOrigin), undefined)
  for (const value of ['http://app.example', 'https://app.example:8443', 'https://sub.app.example', 'null']) {
    assert.equal(now(value, sameOrigin)?.code, 'SWS_ORIGIN_REFUSED')
  }
})

test("'same-origin' without a readable host admits nobody", () => {
  const verdict = checkOrigin({ origin: own, fromBrowser: false }, sameOrigin, undefined)
  assert.ok(verdict !== undefined)
})

test('a page on https whose handshake arrives unencrypted is told about trustProxy', () => {
  const verdict = checkOrigin({ origin: own, fromBrowser: false }, sameOrigin, 'http://app.example')
  assert.ok(verdict !== undefined && !(verdict instanceof Promise))
  assert.match(verdict.advice ?? '', /trustProxy/)
})

for (const [name, policy] of [
  ['a list', listed],
  ["'same-origin'", sameOrigin],
  ['every origin', anyOrigin],
] as const) {
  test(`CS-5 with ${name} a missing Origin is refused unless allowed, and never from a browser`, () => {
    assert.ok(now(undefined, policy))
    assert.equal(now(undefined, { ...policy, missing: true }), undefined)
    assert.ok(now(undefined, { ...policy, missing: true }, true))
    assert.ok(now('', { ...policy, missing: true }))
  })

  test(`CS-5 with ${name} Origin null is refused unless allowed, and only as these four letters`, () => {
    assert.ok(now('null', { ...policy, missing: true }))
    assert.equal(now('null', { ...policy, nullOrigin: true }), undefined)
    for (const value of ['NULL', 'null ', 'file://', 'x:y', 'data:text/html,x']) {
      assert.ok(now(value, { ...policy, nullOrigin: true }), value)
    }
  })
}

test('dangerouslyAllowAnyOrigin admits every origin, and still nothing that is none', () => {
  for (const value of ['https://evil.example', 'http://203.0.113.7:81', 'chrome-extension://x']) {
    assert.equal(now(value, anyOrigin), undefined)
  }
  for (const value of [
    'https://evil.example/',
    'javascript://a/%0aalert(1)',
    'wss://app.example',
    'file://x',
    'evil',
  ]) {
    assert.ok(now(value, anyOrigin), value)
  }
})

const one = policyOf(['https://*.example.org', 'http://*.example.org:8080'])
const deep = policyOf(['https://**.example.org', 'https://*.example.org'])

test('a wildcard admits one label, a double one any number, neither the apex', () => {
  assert.equal(now('https://a.example.org', one), undefined)
  assert.equal(now('http://a.example.org:8080', one), undefined)
  assert.equal(now('https://a.example.org', deep), undefined)
  assert.equal(now('https://a.b.c.example.org', deep), undefined)
  for (const policy of [one, deep]) assert.ok(now('https://example.org', policy))
  assert.ok(now('https://a.b.example.org', one))
})

for (const value of [
  'http://a.example.org',
  'https://a.example.org:8080',
  'https://evilexample.org',
  'https://evil-example.org',
  'https://a.example.org.evil.example',
  'https://.example.org',
  'https://*.example.org',
  'https://**.example.org',
  'https://a.example.org.',
  'https://evil.example/.example.org',
  'https://evil.example#.example.org',
  'https://evil.example\\.example.org',
  'https://x@a.example.org',
  'https://evil.example\u2100.example.org',
]) {
  test(`CS-5 no wildcard admits ${JSON.stringify(value)}`, () => {
    assert.ok(now(value, one))
    assert.ok(now(value, deep))
  })
}

const label = fc.stringMatching(/^[a-z0-9](?:[a-z0-9_-]{0,5}[a-z0-9])?$/)
const near = fc
  .tuple(fc.array(label, { maxLength: 4 }), fc.constantFrom('.', '', '..', '/', '@', ':', '%2e', '\\', '-'))
  .map(([labels, glue]) => `https://${labels.join('.')}${glue}example.org`)

test('CS-5 what a wildcard admits ends in whole labels of it, as URL reads it', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        near,
        fc.string().map((text) => `https://${text}.example.org`),
      ),
      (value) => {
        for (const [policy, depth] of [
          [one, 1],
          [deep, Number.POSITIVE_INFINITY],
        ] as const) {
          if (now(value, policy) !== undefined) continue
          const { origin, hostname } = new URL(value)
          assert.equal(origin, value.toLowerCase())
          const labels = hostname.split('.').slice(0, -2)
          assert.ok(hostname.endsWith('.example.org') && labels.length >= 1 && labels.length <= depth)
          assert.ok(labels.every((each) => each !== ''))
        }
      },
    ),
    { numRuns: 3_000 },
  )
})

const asked: string[] = []
const ask = (answer: unknown) =>
  policyOf((origin: string, given: FastifyRequest) => {
    assert.equal(given, request)
    asked.push(origin)
    if (answer instanceof Error) throw answer
    return answer
  })

test('a function is asked with the serialized origin', () => {
  assert.equal(now('HTTPS://APP.example:443', ask(true)), undefined)
  assert.equal(asked.at(-1), 'https://app.example')
  assert.ok(now('https://app.example', ask(false)))
})

// `origin => allowed.includes(new URL(origin).hostname)` must never see what URL would repair.
test('CS-5 a function is never asked about null, nothing, or what is no origin', () => {
  asked.length = 0
  for (const value of [
    'null',
    undefined,
    '',
    'javascript:alert(1)',
    'https://app.example/',
    'https:/app.example',
    'HTTPS://127.1',
    'wss://app.example',
    'moz-extension://',
    'moz-extension://id/',
    'moz-extension://user@id',
    'moz-extension://id:',
    'moz-extension://id:0',
    'moz-extension://\u017fd',
    'moz-extension://\u00e9',
    'moz extension://id',
    ' moz-extension://id',
    'file:///',
    'file:///home/ada/page.html',
  ]) {
    assert.ok(now(value, ask(true)), value)
  }
  assert.deepEqual(asked, [])
})

for (const answer of ['yes', 1, undefined, null, {}, [], new Error('broken'), () => true]) {
  test(`a function that gives ${answer instanceof Error ? 'an exception' : String(answer)} refuses`, () => {
    assert.equal(now('https://app.example', ask(answer))?.code, 'SWS_ORIGIN_REFUSED')
  })
}

for (const [name, answer, admitted] of [
  ['true', () => Promise.resolve(true), true],
  ['false', () => Promise.resolve(false), false],
  ['"true"', () => Promise.resolve('true'), false],
  ['undefined', () => Promise.resolve(undefined), false],
  ['a rejection', () => Promise.reject(new Error('database away')), false],
  ['a rejection without an Error', () => Promise.reject(null), false],
] as const) {
  test(`an async function that gives ${name} ${admitted ? 'admits' : 'refuses'}`, async () => {
    const verdict = askOrigins(own, ask(answer()), request)
    assert.ok(verdict instanceof Promise)
    assert.equal((await verdict) === undefined, admitted)
  })
}

// An extension of Firefox has a random id in each browser that it is installed in: only a function can know it.
test('a function is asked about origins of any scheme, as they were sent', () => {
  const ofExtension = policyOf((origin: string) => /^moz-extension:\/\/[0-9a-f-]{36}$/.test(origin))
  assert.equal(now('moz-extension://5a1b0f3e-6c1d-4c52-9d5b-2b1f0e6f7a10', ofExtension), undefined)
  assert.ok(now('moz-extension://evil', ofExtension))
  for (const value of ['safari-web-extension://3E1C', 'tauri://localhost', 'app://x:3000', 'file://']) {
    assert.equal(now(value, ask(true)), undefined)
    assert.equal(asked.at(-1), value)
    assert.ok(now(value, ask(false)))
  }
})

test('lists take origins of any scheme, letter by letter', () => {
  const safari = 'safari-web-extension://3E1C82B4-7A4D-4C0E-9B1A-5D0C3F2A1B6E'
  const policy = policyOf([safari, 'tauri://localhost', 'ftp://files.example:2121'])
  for (const value of [safari, 'tauri://localhost', 'ftp://files.example:2121']) {
    assert.equal(now(value, policy), undefined)
    for (const near of [
      value.toLowerCase(),
      `${value}x`,
      `${value}:1`,
      `${value}/`,
      value.replace('://', ':'),
      ` ${value}`,
    ]) {
      if (near !== value) assert.equal(now(near, policy)?.code, 'SWS_ORIGIN_REFUSED', near)
    }
  }
})

test('CS-5 the origin of files is that of everybody: no list, no function but one that says so, not "any"', () => {
  for (const value of ['file://', 'FILE://', 'content://media']) {
    for (const policy of [sameOrigin, listed, anyOrigin]) {
      assert.match(now(value, policy)?.advice ?? '', /opened from a disk/)
      assert.equal(now(value, { ...policy, fileOrigin: true }), undefined)
    }
  }
})
