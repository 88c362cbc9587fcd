import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FastifyRequest } from 'fastify'
import { compileAuthentication } from '../../src/authentication/authentication.ts'
import type { Authenticator } from '../../src/authentication/authenticator.ts'
import { RefusedCredential } from '../../src/authentication/credential.ts'
import { SecureWsError } from '../../src/errors.ts'
import { acceptedAs } from '../session/identity-of.ts'
import { startAsking } from './asking.ts'

const ada = { id: 's1', userId: 'ada' }

function knowing(
  name: string,
  answer: (request: FastifyRequest) => unknown,
  more: Partial<Authenticator> = {},
): object {
  return { name, ambient: false, authenticate: answer, ...more }
}

function refusal(option: unknown): SecureWsError {
  try {
    compileAuthentication(option, 'authenticate')
  } catch (error) {
    if (error instanceof SecureWsError) return error
  }
  assert.fail('the option was taken')
}

test('ASVS 6.3.2 there is no default, and the error says why and what to write', () => {
  const { code, message } = refusal(undefined)
  assert.equal(code, 'SWS_BAD_OPTION')
  assert.match(message, /`authenticate` is missing.*no default.*cookieSession.*bearer.*authenticate: false/)
})

test('what cannot authenticate fails at registration', () => {
  for (const option of [
    null,
    true,
    0,
    '',
    'cookie',
    {},
    [],
    [false],
    [() => null, false],
    [undefined],
    [[() => null]],
  ]) {
    assert.equal(refusal(option).code, 'SWS_BAD_OPTION', JSON.stringify(option))
  }
  for (const broken of [
    { name: '' },
    { name: 'a b' },
    { ambient: 'no' },
    { ambient: undefined },
    { authenticate: 'ada' },
  ]) {
    refusal({ name: 'mine', ambient: false, authenticate: () => null, ...broken })
  }
  assert.match(refusal([() => null, false]).message, /`authenticate\[1\]`.*alone/)
})

test('LG a secret in the wrong place is not shown by the error', () => {
  assert.doesNotMatch(refusal({ secret: 'canary-secret', load: () => null }).message, /canary/)
  assert.doesNotMatch(refusal('canary-secret').message, /canary/)
})

test('false lets everybody in, as nobody', async (t) => {
  const { ask, authentication } = await startAsking(t, false)
  const { status, session } = await ask([['authorization', 'Bearer x']])
  assert.deepEqual([status, session], [200, null])
  assert.equal(authentication.anonymous, true)
})

test('a function is asked with the request; what it throws or returns wrongly is refused', async (t) => {
  const answers = new Map<string, () => unknown>([
    ['/?known', () => ada],
    ['/?later', async () => ada],
    // biome-ignore lint/suspicious/noThenProperty: a query builder is awaited, and is no Promise
    ['/?thenable', () => ({ then: (done: (found: unknown) => void) => done(ada) })],
  ])
  const { ask } = await startAsking(t, (request: { url: string }) => answers.get(request.url)?.())
  for (const path of answers.keys()) assert.deepEqual((await ask([], path)).session, ada, path)
  assert.equal((await ask([], '/?other')).status, 401)
})

test('what is no session is refused, not repaired', async (t) => {
  const now = 1_000_000
  const wrong: unknown[] = [
    true,
    1,
    'ada',
    [],
    {},
    { id: '' },
    { id: 7 },
    { id: 'x'.repeat(513) },
    { ...ada, userId: null },
    { ...ada, userId: '' },
    { ...ada, tokenId: 7 },
    { ...ada, expiresAt: '2030-01-01' },
    { ...ada, expiresAt: Number.NaN },
    { ...ada, expiresAt: null },
    { ...ada, authenticatedAt: new Date() },
    { ...ada, expiresAt: now },
    { ...ada, expiresAt: now - 1 },
  ]
  let answer: unknown
  const { ask } = await startAsking(t, () => answer, { now: () => now })
  for (answer of wrong) assert.equal((await ask()).status, 401, JSON.stringify(answer))
  for (answer of [{ ...ada, expiresAt: now + 1, authenticatedAt: 1, tokenId: 't' }, { id: 'x'.repeat(512) }]) {
    assert.equal((await ask()).status, 200, JSON.stringify(answer))
  }
})

// A list must not be a way around its strictest member: with a tampered cookie and a good token, somebody is trying.
test('a list is asked in order; null goes on, and one that throws ends it', async (t) => {
  const asked: string[] = []
  const step = (name: string, answer: () => unknown) =>
    knowing(name, () => {
      asked.push(name)
      return answer()
    })
  const none = step('none', () => null)
  const later = step('later', async () => undefined)
  const right = step('right', () => ada)
  const refuses = step('refuses', () => {
    throw new RefusedCredential('wrong')
  })
  const rejects = step('rejects', async () => {
    throw new TypeError('canary-token-abc')
  })
  const bad = step('bad', () => true)

  assert.equal((await (await startAsking(t, [none, later, right])).ask()).method, 'right')
  assert.deepEqual(asked.splice(0), ['none', 'later', 'right'])
  for (const first of [refuses, rejects, bad]) {
    const { status, body } = await (await startAsking(t, [later, first, right])).ask()
    assert.equal(status, 401)
    assert.doesNotMatch(body, /canary/)
    assert.equal(asked.splice(0).includes('right'), false)
  }
})

test('LG a foreign error is told by class and code only, and counts as our fault', async (t) => {
  const failing = (error: unknown) => () => {
    throw error
  }
  const reasons: [unknown, string, boolean][] = [
    [new RefusedCredential('two session cookies'), 'function: two session cookies', false],
    [
      Object.assign(new TypeError('canary'), { code: 'ECONNREFUSED' }),
      'function: threw TypeError (ECONNREFUSED)',
      true,
    ],
    [
      Object.assign(new Error('canary'), { name: 'canary\nforged line', code: 'canary=1' }),
      'function: threw something',
      true,
    ],
    ['canary', 'function: threw something', true],
  ]
  for (const [error, reason, fault] of reasons) {
    const answer = await (await startAsking(t, failing(error))).ask()
    assert.deepEqual([answer.status, answer.reason, answer.fault], [401, reason, fault])
  }
})

test('an authenticator that needs no promise gets none', () => {
  const { authenticate } = compileAuthentication([knowing('a', () => null), knowing('b', () => ada)], 'authenticate')
  const request = {} as Parameters<typeof authenticate>[0]
  const verdict = authenticate(request)
  assert.ok(!(verdict instanceof Promise) && !verdict.refused)
  assert.deepEqual([verdict.session, verdict.method], [ada, 'b'])
})

test('two of one kind are told apart, so that each revalidates its own sessions', async () => {
  const asked: string[] = []
  const issuer = (which: string) =>
    knowing('bearer', ({ headers }) => (headers.by === which ? ada : null), {
      revalidate: () => {
        asked.push(which)
        return true
      },
    })
  const authentication = compileAuthentication([issuer('first'), issuer('second')], 'authenticate')
  assert.deepEqual(authentication.explain().methods, ['bearer', 'bearer#2'])
  const verdict = await authentication.authenticate({ headers: { by: 'second' } } as never)
  assert.ok(!verdict.refused && verdict.signedIn !== null)
  await authentication.revalidate(verdict.signedIn)
  assert.deepEqual([verdict.method, asked], ['bearer#2', ['second']])
})

test('CS-8 revalidation: true and the same identity carry on, everything else has ended', async () => {
  const now = 1_000
  const revalidated = (answer: unknown) =>
    compileAuthentication(
      knowing('one', () => null),
      'authenticate',
      () => now,
    ).revalidate(acceptedAs(ada, async () => answer))
  assert.equal((await revalidated(true))?.session, ada)
  const renewed = { ...ada, expiresAt: 2_000 }
  assert.equal((await revalidated(renewed))?.session, renewed)
  const ended = [
    false,
    null,
    undefined,
    { id: 's2', userId: 'ada' },
    { id: 's1', userId: 'eve' },
    { id: 's1' },
    { ...ada, expiresAt: 1_000 },
    'ada',
    1,
  ]
  for (const answer of ended) assert.equal(await revalidated(answer), null, JSON.stringify(answer))
})

test('a failed look-up is not an answer: revalidation rejects, and the caller decides', async () => {
  const { revalidate } = compileAuthentication(
    knowing('one', () => null),
    'authenticate',
  )
  const failing = acceptedAs(ada, () => Promise.reject(new Error('store is down')))
  await assert.rejects(revalidate(failing), /store is down/)
})

test('without a revalidate a session stands until it expires', async () => {
  const session = { ...ada, expiresAt: 2_000 }
  let now = 1_999
  const authentication = compileAuthentication(
    knowing('one', () => session),
    'authenticate',
    () => now,
  )
  assert.equal((await authentication.revalidate(acceptedAs(session)))?.session, session)
  now = 2_000
  assert.equal(await authentication.revalidate(acceptedAs(session)), null)
})

test('the plan tells what is ambient, loosened and carried in sub-protocols', () => {
  const cookie = knowing('cookie', () => null, { ambient: true, loosened: ['x.dangerous'] })
  const token = knowing('token', () => null, {
    credentialProtocols: (offered) => offered.filter((one) => one.startsWith('t.')),
  })
  const authentication = compileAuthentication([cookie, token], 'authenticate')
  assert.deepEqual(authentication.explain(), {
    anonymous: false,
    ambient: true,
    methods: ['cookie', 'token'],
    loosened: ['x.dangerous'],
    neverAskedAgain: ['cookie', 'token'],
  })
  assert.deepEqual(authentication.credentialProtocols(['chat', 't.1']), ['t.1'])
  assert.equal(compileAuthentication(token, 'authenticate').ambient, false)
  // A plain function may read a header as well as a cookie: the start warns about it instead of failing.
  assert.equal(compileAuthentication(() => null, 'authenticate').ambient, false)
  assert.equal(authentication.issueTicket, undefined)
})

test('CS-11 a refreshed session replaces its own, and nobody else\u2019s', async () => {
  const now = 1_000
  const next = { ...ada, expiresAt: 2_000 }
  const answers = new Map<string, unknown>([
    ['good', next],
    ['other user', { ...next, userId: 'eve' }],
    ['other session', { ...next, id: 's2' }],
    ['expired', { ...next, expiresAt: now }],
    ['true', true],
  ])
  const tokens = knowing('bearer', () => null, { refresh: async (_, token) => answers.get(token) as null })
  const plain = knowing('plain', () => null)
  const authentication = compileAuthentication([tokens, plain], 'authenticate', () => now)
  assert.equal(authentication.refreshable, true)
  const signedIn = acceptedAs(ada)
  assert.equal((await authentication.refresh(signedIn, 'bearer', 'good'))?.session, next)
  for (const token of ['other user', 'other session', 'expired', 'true', 'unknown']) {
    assert.equal(await authentication.refresh(signedIn, 'bearer', token), null, token)
  }
  assert.equal(await authentication.refresh(signedIn, 'plain', 'good'), null)
  assert.equal(await authentication.refresh(signedIn, 'nobody', 'good'), null)
  assert.equal(compileAuthentication(plain, 'authenticate').refreshable, false)
})

test('what an authenticator needs of the application is installed, in order', async (t) => {
  const seen: unknown[] = []
  const first = knowing('first', () => null, { install: async () => void seen.push('first') })
  const second = knowing('second', () => ada, { install: (app) => void seen.push(app) })
  const { app, authentication } = await startAsking(t, [first, second, knowing('third', () => null)])
  await authentication.install(app)
  assert.deepEqual(seen, ['first', app])
})
