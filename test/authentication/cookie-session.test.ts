import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import cookiePlugin, { Signer } from '@fastify/cookie'
import { cookieValue } from '../../src/authentication/cookie-header.ts'
import { type CookieSessionOptions, cookieSession } from '../../src/authentication/cookie-session.ts'
import { RefusedCredential } from '../../src/authentication/credential.ts'
import { bareSession } from '../../src/authentication/known-session.ts'
import type { Session } from '../../src/session/session.ts'
import fc from '../harness/fast-check.ts'
import { startAsking } from './asking.ts'

const secret = randomBytes(32).toString('base64')
const ada: Session = { id: 's1', userId: 'ada' }
const known = (id: string) => (id === 's1' ? ada : null)

function signed(id: string, key: string | Buffer = secret): string {
  return encodeURIComponent(new Signer(key).sign(id))
}

function written(options: CookieSessionOptions, id: string): string {
  const lines: string[] = []
  const reply = { header: (_: string, value: string) => lines.push(value) }
  cookieSession(options).setSessionCookie(reply as never, id)
  return lines.join()
}

test('CS-7 SE-03 the cookie is for this host only, over TLS, out of reach for scripts and other sites', () => {
  const line = written({ secret, load: known }, 's1')
  assert.match(line, /^__Host-session=s1\.[A-Za-z0-9%]+; Path=\/; Secure; HttpOnly; SameSite=Strict$/)
  assert.match(
    written({ secret, load: known, cookie: { maxAge: 60 } }, 's1'),
    /; Max-Age=60; Path=\/; Secure; HttpOnly; SameSite=Strict$/,
  )
})

test('set, sent back, known; cleared', async (t) => {
  const sessions = cookieSession({ secret, load: known })
  const { ask } = await startAsking(t, sessions, {
    prepare: (app) => {
      app.get('/open/login', { config: {} }, (_, reply) => {
        sessions.setSessionCookie(reply, 's1')
        return 'in'
      })
      app.get('/open/logout', (_, reply) => {
        sessions.clearSessionCookie(reply)
        return 'out'
      })
    },
  })
  const set = String((await ask([], '/open/login')).headers['set-cookie'])
  const { status, session, method } = await ask([['cookie', `theme=dark; ${set.split(';')[0]}; x=y`]])
  assert.deepEqual([status, session, method], [200, ada, 'cookieSession'])
  const cleared = String((await ask([], '/open/logout')).headers['set-cookie'])
  assert.match(cleared, /^__Host-session=; Max-Age=0; .*Path=\/; Secure; HttpOnly; SameSite=Strict$/)
})

test('it agrees with @fastify/cookie, registered or not', async (t) => {
  const sessions = cookieSession({ secret, load: known })
  const { ask } = await startAsking(t, sessions, {
    prepare: async (app) => {
      await app.register(cookiePlugin, { secret })
      app.get('/open/login', (_, reply) => {
        reply.setCookie('other', 'kept', { path: '/' })
        reply.setCookie('__Host-session', 's1', { signed: true, path: '/', secure: true })
        return 'in'
      })
      app.get('/open/both', (_, reply) => {
        reply.setCookie('other', 'kept', { path: '/' })
        sessions.setSessionCookie(reply, 's1')
        return 'in'
      })
    },
  })
  for (const path of ['/open/login', '/open/both']) {
    const lines = [(await ask([], path)).headers['set-cookie'] ?? []].flat()
    assert.equal(lines.length, 2, path)
    const cookie = lines.map((line) => line.split(';')[0]).join('; ')
    assert.deepEqual((await ask([['cookie', cookie]])).session, ada, path)
  }
})

// A sibling subdomain plants a second cookie of the name (it cannot for __Host-, in browsers that know the prefix).
test('SE-01 two session cookies are refused, in both orders, in one header or two', async (t) => {
  const { ask } = await startAsking(t, cookieSession({ secret, load: known }))
  const mine = `__Host-session=${signed('s1')}`
  for (const other of ['__Host-session=planted', mine, '__Host-session=']) {
    assert.equal((await ask([['cookie', `${mine}; ${other}`]])).status, 401)
    assert.equal((await ask([['cookie', `${other}; ${mine}`]])).status, 401)
    assert.equal(
      (
        await ask([
          ['cookie', mine],
          ['cookie', other],
        ])
      ).status,
      401,
    )
  }
  // Near misses: names around ours are other cookies.
  const near = `__Host-session2=x; x__Host-session=x; __host-session=x; __Host-session =x; ${mine}; \u00a0__Host-session=x; a="__Host-session=x"`
  assert.equal((await ask([['cookie', near]])).status, 200)
})

test('SE-02 only a signature made with a listed secret over this very value counts', async (t) => {
  const older = randomBytes(40)
  const { ask } = await startAsking(t, cookieSession({ secret: [secret, older], load: known }))
  const right = signed('s1')
  const [, signature = ''] = decodeURIComponent(right).split('.')
  const wrong = [
    '',
    's1',
    's1.',
    '.',
    `.${signature}`,
    's:s1',
    `s2.${signature}`,
    `S1.${signature}`,
    `s1.${signature.slice(0, -1)}`,
    `s1.${signature}A`,
    `s1.${signature}=`,
    `s1.${signature.toLowerCase()}`,
    `"${right}"`,
    right.replace('s1', 's1%00'),
    `${right}%ff`,
    `${right}%`,
    signed(''),
    signed('s1', randomBytes(32)),
    signed('x'.repeat(513)),
    signed('x'.repeat(5_000)),
  ]
  for (const value of wrong) {
    const { status, fault } = await ask([['cookie', `__Host-session=${value}`]])
    assert.deepEqual([status, fault], [401, false], value)
  }
  for (const value of [right, signed('s1', older), decodeURIComponent(right)]) {
    assert.equal((await ask([['cookie', `__Host-session=${value}`]])).status, 200, value)
  }
  // The signature was right, the session is over: nobody, so that the next of a list is asked.
  const gone = await ask([['cookie', `__Host-session=${signed('s2')}`]])
  assert.deepEqual([gone.status, gone.reason], [401, 'no known credential'])
})

// `theme` is signed with the same secret, and its value is the visitor's choice: s1.
test("SE-02 another cookie's signature: `load` is asked by default, and is not with 'name-and-value'", async (t) => {
  const asked: string[] = []
  const load = (id: string) => {
    asked.push(id)
    return known(id)
  }
  const theme = `__Host-session=${signed('s1')}`
  const bound = { secret, load, cookie: { signs: 'name-and-value' } } as const
  const strict = await startAsking(t, cookieSession(bound))
  assert.equal((await strict.ask([['cookie', theme]])).status, 401)
  const elsewhere = written({ ...bound, cookie: { ...bound.cookie, name: '__Host-theme' } }, 's1').split(';')[0] ?? ''
  assert.equal((await strict.ask([['cookie', elsewhere.replace('theme', 'session')]])).status, 401)
  assert.deepEqual(asked, [])
  assert.equal((await strict.ask([['cookie', written(bound, 's1').split(';')[0] ?? '']])).status, 200)
  const plain = await startAsking(t, cookieSession({ secret, load }))
  assert.equal((await plain.ask([['cookie', theme]])).status, 200)
})

test('ASVS 7.2.1 the signature alone lets nobody in: a deleted session is refused at the next handshake', async (t) => {
  const store = new Map([['s1', ada]])
  const { ask } = await startAsking(t, cookieSession({ secret, load: async (id) => store.get(id) }))
  const cookie = [['cookie', `__Host-session=${signed('s1')}`]] as const
  assert.equal((await ask(cookie)).status, 200)
  store.delete('s1')
  assert.equal((await ask(cookie)).status, 401)
})

test('CS-8 revalidation asks `load` for what the cookie said, also when the session has another id', async (t) => {
  const rows = new Map([['cookie-value', { id: 'row-7', userId: 'ada' }]])
  const sessions = cookieSession({ secret, load: async (id) => rows.get(id) })
  const { ask, authentication, accepted } = await startAsking(t, sessions)
  await ask([['cookie', `__Host-session=${signed('cookie-value')}`]])
  const [signedIn] = accepted
  assert.ok(signedIn)
  assert.equal((await authentication.revalidate(signedIn))?.session, rows.get('cookie-value'))
  rows.clear()
  assert.equal(await authentication.revalidate(signedIn), null)
})

test('any well-formed id survives the way through the cookie', async (t) => {
  const seen: string[] = []
  const sessions = cookieSession({
    secret,
    load: (id) => {
      seen.push(id)
      return { id }
    },
  })
  const { ask } = await startAsking(t, sessions)
  for (const id of ['a.b.c', 'a b;c="d",\\', '\u00e9\u{1f600}', '%41', '__proto__', 'x'.repeat(512)]) {
    const cookie = written({ secret, load: known }, id).split(';')[0] ?? ''
    assert.equal((await ask([['cookie', cookie]])).status, 200, id)
    assert.equal(seen.pop(), id)
  }
  for (const id of ['', 'x'.repeat(513), '\ud800'])
    assert.throws(() => written({ secret, load: known }, id), { code: 'SWS_BAD_OPTION' })
})

test('a thrown look-up refuses without naming the cookie', async (t) => {
  const load = (id: string) => {
    throw new Error(`no row ${id}`)
  }
  const { status, body } = await (await startAsking(t, cookieSession({ secret, load }))).ask([
    ['cookie', `__Host-session=${signed('canary')}`],
  ])
  assert.equal(status, 401)
  assert.doesNotMatch(body, /canary/)
})

test('ASVS 6.3.2 wrong options fail at registration, with their path and without the secret', () => {
  const wrong: [object, RegExp][] = [
    [{ secret: undefined }, /cookieSession\.secret` is missing.*openssl rand/],
    [{ secret: 'canary-too-short' }, /cookieSession\.secret` is "16 bytes long"/],
    [{ secret: [secret, 'canary'] }, /cookieSession\.secret\[1\]`/],
    [{ secret: [] }, /cookieSession\.secret`/],
    [{ secret: 7 }, /cookieSession\.secret`/],
    [{ secrets: 'canary' }, /`cookieSession\.secrets`.*did you mean `secret`/],
    [{ load: undefined }, /cookieSession\.load` is missing/],
    [{ load: { find: known } }, /cookieSession\.load`/],
    [{ revalidate: true }, /cookieSession\.revalidate`/],
    [{ cookie: 'sid' }, /cookieSession\.cookie`/],
    [{ cookie: { name: 'sid' } }, /cookieSession\.cookie\.name` is "sid".*__Host-.*dangerouslyAllowUnprefixedName/],
    [{ cookie: { name: '__host-sid' } }, /cookieSession\.cookie\.name`/],
    [{ cookie: { name: '__Host-a b' } }, /cookieSession\.cookie\.name`/],
    [{ cookie: { sameSite: 'none' } }, /cookieSession\.cookie\.sameSite`/],
    [{ cookie: { maxAge: '60' } }, /cookieSession\.cookie\.maxAge`/],
    [{ cookie: { signs: 'nothing' } }, /cookieSession\.cookie\.signs`/],
    [{ cookie: { name: 'sid', dangerouslyAllowUnprefixedName: 'yes' } }, /dangerouslyAllowUnprefixedName`/],
  ]
  for (const [change, expected] of wrong) {
    assert.throws(
      () => cookieSession({ secret, load: known, ...change }),
      (error: Error) => {
        assert.match(error.message, expected)
        assert.doesNotMatch(error.message, /canary/)
        return true
      },
    )
  }
  const named = cookieSession({ secret, load: known, cookie: { name: 'sid', dangerouslyAllowUnprefixedName: true } })
  assert.deepEqual(named.loosened, ['cookieSession.cookie.dangerouslyAllowUnprefixedName'])
  assert.deepEqual([named.cookieName, named.ambient], ['sid', true])
})

test('SE-02 no change of one character of a signed cookie is still that cookie', async () => {
  const sessions = cookieSession({ secret, load: (id) => ({ id }) })
  const right = new Signer(secret).sign('s1')
  const requestWith = (value: string) => ({ raw: { rawHeaders: ['cookie', `__Host-session=${value}`] } }) as never
  assert.deepEqual(bareSession(await sessions.authenticate(requestWith(right))), { id: 's1' })
  fc.assert(
    fc.property(fc.nat(right.length - 1), fc.constantFrom(...'abcXYZ019+/=.-_%'), (at, letter) => {
      fc.pre(right[at] !== letter)
      const changed = right.slice(0, at) + letter + right.slice(at + 1)
      assert.throws(() => sessions.authenticate(requestWith(changed)), RefusedCredential)
    }),
  )
})

test('cookieValue finds one pair, and no part of another', () => {
  assert.equal(cookieValue([], 'sid'), undefined)
  assert.equal(cookieValue(['', ';;', ' ; ='], 'sid'), undefined)
  assert.equal(cookieValue(['a=sid=1; sid=2'], 'sid'), '2')
  assert.equal(cookieValue(['\tsid=a=b ;x'], 'sid'), 'a=b')
  assert.equal(cookieValue(['sid; sidx=1; asid=2'], 'sid'), undefined)
  // RFC 2965 parsers split at commas too, and would see a `sid` in here.
  assert.equal(cookieValue(['$Version=1, sid=planted'], 'sid'), undefined)
  assert.throws(() => cookieValue(['sid=', 'sid='], 'sid'), RefusedCredential)
})
