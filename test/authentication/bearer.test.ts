import assert from 'node:assert/strict'
import { createHmac, createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import { after, type TestContext, test } from 'node:test'
import { exportJWK, SignJWT } from 'jose'
import { bearer } from '../../src/authentication/bearer.ts'
import type { BearerOptions } from '../../src/authentication/bearer-options.ts'
import { startAsking } from './asking.ts'

const issuer = 'https://login.example/'
const audience = 'https://app.example'
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const otherRsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const publicPem = rsa.publicKey.export({ type: 'spki', format: 'pem' }).toString()
const options: BearerOptions = { key: rsa.publicKey, algorithms: ['RS256'], issuer, audience }

const seconds = () => Math.floor(Date.now() / 1000)

function claimed(change: Record<string, unknown> = {}) {
  const claims = { iss: issuer, aud: audience, sub: 'ada', jti: 't1', exp: seconds() + 60, ...change }
  return Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined))
}

function issued(change: Record<string, unknown> = {}, header: object = {}, key = rsa.privateKey): Promise<string> {
  return new SignJWT(claimed(change)).setProtectedHeader({ alg: 'RS256', ...header }).sign(key)
}

const coded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

const startBearer = (t: TestContext, change: Partial<BearerOptions> = {}) =>
  startAsking(t, bearer({ ...options, ...change }))
const inHeader = (token: string) => [['authorization', `Bearer ${token}`]] as const

test('a good token, from Authorization or from the sub-protocol', async (t) => {
  const { ask } = await startBearer(t)
  const token = await issued({ auth_time: 1_700_000_000, exp: 4_000_000_000 })
  const expected = {
    id: 't1',
    userId: `${issuer}|ada`,
    tokenId: 't1',
    expiresAt: 4_000_000_005_000,
    authenticatedAt: 1_700_000_000_000,
  }
  assert.deepEqual((await ask(inHeader(token))).session, expected)
  assert.deepEqual((await ask([['sec-websocket-protocol', `chat, bearer.${token}`]])).session, expected)
})

// Whoever gets hold of an authenticator may write what it says of itself, and lets nobody in by that.
test('SE-13 what it says that it accepts is a copy', async (t) => {
  const authenticator = bearer({ ...options, audience: [audience] })
  const { audience: said } = authenticator.accepts ?? {}
  assert.ok(Array.isArray(said))
  said.push('https://evil.example')
  const { ask } = await startAsking(t, authenticator)
  assert.equal((await ask(inHeader(await issued({ aud: 'https://evil.example' })))).status, 401)
  assert.equal((await ask(inHeader(await issued()))).status, 200)
})

test('SE-13 ASVS 6.8.2 mutations of a token are refused', async (t) => {
  const { ask } = await startBearer(t)
  const good = await issued()
  const [header = '', payload = '', signature = ''] = good.split('.')
  const none = (alg: unknown) => `${coded({ alg })}.${payload}.`
  // RS/HS confusion: everybody has the public key, and HMAC takes any bytes as its secret.
  const confused = (secret: string | Buffer) => {
    const input = `${coded({ alg: 'HS256' })}.${payload}`
    return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
  }
  const attacker = { ...(await exportJWK(otherRsa.publicKey)), kid: 'mine' }
  const tokens: Record<string, string> = {
    'alg none': none('none'),
    'alg None, signed': `${none('None')}${signature}`,
    'alg nOnE': none('nOnE'),
    'alg missing': none(undefined),
    'alg a list': none(['RS256']),
    'HS256 with the public key as PEM': confused(publicPem),
    'HS256 with the public key as DER': confused(rsa.publicKey.export({ type: 'spki', format: 'der' })),
    'HS256 with an empty secret': confused(''),
    'RS384, which is not listed': await new SignJWT(claimed())
      .setProtectedHeader({ alg: 'RS384' })
      .sign(rsa.privateKey),
    'no signature': `${header}.${payload}.`,
    'two parts': `${header}.${payload}`,
    'five parts': `${good}.${payload}.${signature}`,
    'a signature cut short': good.slice(0, -8),
    'another payload': `${header}.${coded(claimed({ sub: 'eve' }))}.${signature}`,
    'another key': await issued({}, {}, otherRsa.privateKey),
    'another key, sent along': await issued({}, { jwk: attacker }, otherRsa.privateKey),
    'another key, by jku': await issued({}, { jku: 'http://127.0.0.1:9/keys', kid: 'mine' }, otherRsa.privateKey),
    'another key, by x5u': await issued({}, { x5u: 'http://127.0.0.1:9/x5u' }, otherRsa.privateKey),
    'kid ../': await issued({}, { kid: '../../../../dev/null' }, otherRsa.privateKey),
    'an unknown crit': `${coded({ alg: 'RS256', crit: ['x'], x: 1 })}.${payload}.${signature}`,
    'exp missing': await issued({ exp: undefined }),
    'exp a string': await issued({ exp: String(seconds() + 60) }),
    'exp past': await issued({ exp: seconds() - 6 }),
    'exp null': await issued({ exp: null }),
    'exp without end': await issued({ exp: Number.MAX_VALUE }),
    'nbf to come': await issued({ nbf: seconds() + 30 }),
    'nbf a string': await issued({ nbf: '0' }),
    'iss missing': await issued({ iss: undefined }),
    'iss another': await issued({ iss: 'https://login.example' }),
    'iss a list': await issued({ iss: [issuer] }),
    'aud missing': await issued({ aud: undefined }),
    'aud another': await issued({ aud: `${audience}.evil.example` }),
    'aud a list of others': await issued({ aud: ['https://other.example'] }),
    'sub missing': await issued({ sub: undefined }),
    'sub empty': await issued({ sub: '' }),
    'sub a number': await issued({ sub: 7 }),
    'jti a number': await issued({ jti: 7 }),
    'auth_time a string': await issued({ auth_time: 'now' }),
    'auth_time to come': await issued({ auth_time: seconds() + 3600 }),
    'longer than 8 KiB': await issued({ x: 'x'.repeat(8_192) }),
    empty: '',
    'white space inside': good.replace('.', ' .'),
  }
  for (const [name, token] of Object.entries(tokens)) {
    const { status, body, fault } = await ask(inHeader(token))
    assert.deepEqual([status, fault], [401, false], `${name}: ${body}`)
    assert.doesNotMatch(body, /ada|eve|eyJ/, name)
  }
  // Near misses.
  const fine = [
    good,
    await issued({ exp: seconds() - 2 }),
    await issued({ nbf: seconds() + 2 }),
    await issued({ aud: ['x', audience] }),
    await issued({}, { kid: '../', jku: 'http://127.0.0.1:9/' }),
  ]
  for (const token of fine) assert.equal((await ask(inHeader(token))).status, 200)
})

test('SE-13 a token of 64 KB is refused before it is parsed', async (t) => {
  const { ask } = await startBearer(t)
  // Node itself answers headers beyond 16 KiB with 431.
  assert.equal((await ask(inHeader(`${'a'.repeat(32_000)}.b.c`))).status, 431)
  const { status, reason } = await ask(inHeader(`${'a'.repeat(9_000)}.b.c`))
  assert.deepEqual([status, reason], [401, 'bearer: a token that is too long'])
})

test('SE-13 RFC 6750 a request with two tokens is refused, though both are good', async (t) => {
  const { ask } = await startBearer(t, { dangerouslyAllowQueryToken: 'access_token' })
  const token = await issued()
  const twice = [
    await ask([...inHeader(token), ...inHeader(token)]),
    await ask([...inHeader(token), ['sec-websocket-protocol', `bearer.${token}`]]),
    await ask([['sec-websocket-protocol', `bearer.${token}, bearer.${token}`]]),
    await ask(inHeader(token), `/?access_token=${token}`),
    await ask([], `/?access_token=${token}&access_token=${token}`),
  ]
  assert.deepEqual(
    twice.map(({ status }) => status),
    [401, 401, 401, 401, 401],
  )
})

test('CS-10 SE-11 a token in the URL counts only where the option with the dangerous name says so', async (t) => {
  const path = `/?access_token=${await issued()}`
  assert.equal((await (await startBearer(t)).ask([], path)).status, 401)
  const { ask, authentication } = await startBearer(t, { dangerouslyAllowQueryToken: 'access_token' })
  assert.equal((await ask([], path)).status, 200)
  assert.equal((await ask([], '/?access_token=')).status, 401)
  assert.deepEqual(authentication.explain().loosened, ['bearer.dangerouslyAllowQueryToken'])
})

test('`from` closes the other way in, and the sub-protocol is still recognised as a credential', async (t) => {
  const token = await issued()
  const { ask, authentication } = await startBearer(t, { from: ['authorization'] })
  assert.equal((await ask([['sec-websocket-protocol', `bearer.${token}`]])).status, 401)
  assert.equal((await ask(inHeader(token))).status, 200)
  assert.deepEqual(authentication.credentialProtocols(['chat', `bearer.${token}`]), [`bearer.${token}`])
})

test('`typ` keeps an ID token from being an access token', async (t) => {
  const { ask } = await startBearer(t, { typ: 'at+jwt' })
  assert.equal((await ask(inHeader(await issued({}, { typ: 'JWT' })))).status, 401)
  assert.equal((await ask(inHeader(await issued()))).status, 401)
  assert.equal((await ask(inHeader(await issued({}, { typ: 'at+jwt' })))).status, 200)
})

test('ASVS 6.8.1 one subject at two issuers is two users', async (t) => {
  const second = 'https://other.example/'
  const { ask } = await startBearer(t, { issuer: [issuer, second] })
  const users = []
  for (const iss of [issuer, second]) users.push((await ask(inHeader(await issued({ iss })))).session?.userId)
  assert.deepEqual(users, [`${issuer}|ada`, `${second}|ada`])
})

test('S5 `userId: sub` makes the subject the user, where one issuer gives it; a refresh and the session id follow', async (t) => {
  const { ask } = await startBearer(t, { userId: 'sub' })
  const { session } = await ask(inHeader(await issued({ sid: 'abc' })))
  assert.deepEqual([session?.userId, session?.id], ['ada', 'ada|abc'])
  const open = bearer({ ...options, userId: 'sub' })
  const current = { id: 't1', userId: 'ada' }
  assert.equal((await open.refresh?.(current, await issued({ jti: 't2' })))?.userId, 'ada')
  assert.equal(await open.refresh?.(current, await issued({ sub: 'bob' })), null)
  for (const change of [
    { userId: 'email' },
    { userId: 'sub', issuer: [issuer, 'https://b'] },
    { userId: 'sub', session: () => null },
  ]) {
    assert.throws(() => bearer({ ...options, ...(change as object) }), /bearer\.userId`/)
  }
})

test('the session id is the issuer\u2019s session, else `jti`, else unlike any other token\u2019s', async (t) => {
  const { ask } = await startBearer(t)
  const idOf = async (change: object) => (await ask(inHeader(await issued({ ...change })))).session?.id
  assert.equal(await idOf({ sid: 'abc' }), `${issuer}|ada|abc`)
  assert.equal(await idOf({}), 't1')
  const [first, second] = [await idOf({ jti: undefined, n: 1 }), await idOf({ jti: undefined, n: 2 })]
  assert.ok(first && second && first !== second)
})

test('ASVS 6.8.4 without `auth_time` nobody has just authenticated, however new the token', async (t) => {
  const { session } = await (await startBearer(t)).ask(inHeader(await issued({ iat: seconds() })))
  assert.equal(session?.authenticatedAt, undefined)
})

test('`session` makes the session of verified claims, and may refuse them', async (t) => {
  const make = async (claims: { sub?: string }) => (claims.sub === 'ada' ? { id: 'mine', userId: 'ada' } : null)
  const { ask } = await startBearer(t, { session: make })
  assert.deepEqual((await ask(inHeader(await issued()))).session, { id: 'mine', userId: 'ada' })
  assert.equal((await ask(inHeader(await issued({ sub: 'eve' })))).status, 401)
  assert.equal((await ask(inHeader(await issued({ exp: undefined })))).status, 401)
})

test('CS-11 refresh: the same subject goes on in the same session, another one does not', async () => {
  const one = bearer(options)
  const current = { id: 't1', userId: `${issuer}|ada`, tokenId: 't1', expiresAt: Date.now() }
  const exp = seconds() + 600
  const next = await one.refresh?.(current, await issued({ jti: 't2', exp }))
  assert.deepEqual(next, { id: 't1', userId: `${issuer}|ada`, tokenId: 't2', expiresAt: (exp + 5) * 1000 })
  for (const token of [
    await issued({ sub: 'eve' }),
    await issued({ exp: seconds() - 60 }),
    await issued({}, {}, otherRsa.privateKey),
    '',
    'x.y.z',
  ]) {
    assert.equal(await one.refresh?.(current, token), null)
  }
  assert.equal(await one.refresh?.({ id: 't1' }, await issued()), null)
})

test('HS256 with its secret, and a second one while the first is replaced', async (t) => {
  const [old, fresh, foreign] = [randomBytes(32), randomBytes(32), randomBytes(32)]
  const { ask } = await startBearer(t, { key: [fresh, old], algorithms: ['HS256'] })
  const by = (key: Uint8Array, change = {}) =>
    new SignJWT(claimed(change)).setProtectedHeader({ alg: 'HS256' }).sign(key)
  assert.equal((await ask(inHeader(await by(old)))).status, 200)
  assert.equal((await ask(inHeader(await by(fresh)))).status, 200)
  assert.equal((await ask(inHeader(await by(foreign)))).status, 401)
  assert.equal((await ask(inHeader(await by(old, { exp: 1 })))).status, 401)
})

test('every form of a public key, every family of algorithms', async (t) => {
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const ed = generateKeyPairSync('ed25519')
  const pss = await new SignJWT(claimed()).setProtectedHeader({ alg: 'PS256' }).sign(rsa.privateKey)
  const es = await new SignJWT(claimed()).setProtectedHeader({ alg: 'ES256' }).sign(ec.privateKey)
  const eddsa = await new SignJWT(claimed()).setProtectedHeader({ alg: 'EdDSA' }).sign(ed.privateKey)
  const imported = await crypto.subtle.importKey('jwk', ed.publicKey.export({ format: 'jwk' }), 'Ed25519', true, [
    'verify',
  ])
  const forms: [Partial<BearerOptions>, string][] = [
    [{ key: publicPem, algorithms: ['RS256', 'PS256'] }, pss],
    [{ key: ec.publicKey.export({ format: 'jwk' }), algorithms: ['ES256'] }, es],
    [{ key: imported, algorithms: ['EdDSA'] }, eddsa],
    [{ key: [publicPem, otherRsa.publicKey] }, await issued()],
  ]
  for (const [form, token] of forms) assert.equal((await (await startBearer(t, form)).ask(inHeader(token))).status, 200)
})

// The issuer's server: one file of keys that may change, and a count of who asked.
const keyServer = createServer((_, response) => {
  fetches++
  response.writeHead(keyStatus, { 'content-type': 'application/json', location: '/elsewhere' }).end(keyBody)
})
let fetches = 0
let keyStatus = 200
let keyBody = ''
after(() => keyServer.close())

async function startKeyServer(...keys: [string, typeof rsa][]): Promise<string> {
  await new Promise<void>((resolve) => (keyServer.listening ? resolve() : keyServer.listen(0, '127.0.0.1', resolve)))
  fetches = 0
  keyStatus = 200
  keyBody = JSON.stringify({
    keys: await Promise.all(
      keys.map(async ([kid, { publicKey }]) => ({ ...(await exportJWK(publicKey)), kid, use: 'sig' })),
    ),
  })
  const address = keyServer.address()
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/keys`
}

const withSet = (t: TestContext, jwks: BearerOptions['jwks']) => {
  const { key: _, ...others } = options
  return startAsking(t, bearer({ ...others, jwks } as BearerOptions))
}

test('a key set: the right key by `kid`, made-up ones do not make this server ask again and again', async (t) => {
  const { ask } = await withSet(t, await startKeyServer(['a', rsa], ['b', otherRsa]))
  assert.equal((await ask(inHeader(await issued({}, { kid: 'a' })))).status, 200)
  assert.equal((await ask(inHeader(await issued({}, { kid: 'b' }, otherRsa.privateKey)))).status, 200)
  assert.equal((await ask(inHeader(await issued({}, { kid: 'b' })))).status, 401)
  for (const kid of ['../../keys', 'c', '__proto__', '']) {
    const { status, fault } = await ask(inHeader(await issued({}, { kid })))
    assert.deepEqual([status, fault], [401, false], kid)
  }
  assert.equal(fetches, 1)
})

test('a key set given as it is, and one that has replaced its keys', async (t) => {
  const jwk = { ...(await exportJWK(rsa.publicKey)), kid: 'a' }
  assert.equal((await (await withSet(t, { keys: [jwk] })).ask(inHeader(await issued({}, { kid: 'a' })))).status, 200)
  const url = await startKeyServer(['old', otherRsa])
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() })
  const { ask } = await withSet(t, new URL(url))
  assert.equal((await ask(inHeader(await issued({}, { kid: 'new' })))).status, 401)
  await startKeyServer(['new', rsa])
  t.mock.timers.tick(31_000)
  assert.equal((await ask(inHeader(await issued({}, { kid: 'new' })))).status, 200)
  // The old key has left the set: its tokens are refused.
  assert.equal((await ask(inHeader(await issued({}, { kid: 'old' }, otherRsa.privateKey)))).status, 401)
})

test('a key server that fails, redirects, babbles or floods lets nobody in, and is left alone for a while', async (t) => {
  const token = await issued({}, { kid: 'a' })
  const failures: [number, string][] = [
    [500, ''],
    [302, ''],
    [200, 'no JSON'],
    [200, '[]'],
    [200, '{"keys":7}'],
    [200, `{"keys":[],"x":"${'x'.repeat(300_000)}"}`],
  ]
  for (const [status, body] of failures) {
    const { ask } = await withSet(t, await startKeyServer(['a', rsa]))
    keyStatus = status
    keyBody = body
    const refused = await ask(inHeader(token))
    assert.deepEqual([refused.status, refused.fault], [401, true], body.slice(0, 20))
  }
  const { ask } = await withSet(t, await startKeyServer(['a', rsa]))
  keyStatus = 503
  const { key: _, ...others } = options
  const open = bearer({ ...others, jwks: await startKeyServer(['a', rsa]) })
  keyStatus = 503
  // An open socket is not told that its new token is bad, when nobody could look.
  await assert.rejects(async () => open.refresh?.({ id: 't1', userId: `${issuer}|ada` }, token))
  fetches = 0
  for (let attempt = 0; attempt < 5; attempt++) assert.equal((await ask(inHeader(token))).status, 401)
  assert.equal(fetches, 1)
})

test('wrong options fail at registration', () => {
  const small = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey
  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey
  const privatePem = rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const privateJwk = rsa.privateKey.export({ format: 'jwk' })
  const none = undefined
  const wrong: [object, RegExp][] = [
    [{ algorithms: none }, /bearer\.algorithms` is missing/],
    [{ algorithms: [] }, /bearer\.algorithms`/],
    [{ algorithms: 'RS256' }, /bearer\.algorithms`/],
    [{ algorithms: ['none'] }, /bearer\.algorithms\[0\]` is "none"/],
    [{ algorithms: ['RS256', 'NONE'] }, /bearer\.algorithms\[1\]`/],
    [{ algorithms: ['rs256'] }, /bearer\.algorithms\[0\]`/],
    [{ algorithms: ['HS256', 'RS256'] }, /bearer\.algorithms`.*public key/],
    [{ algorithms: ['RS256', 'ES256', 'HS512'] }, /bearer\.algorithms`.*public key/],
    [{ issuer: none }, /bearer\.issuer` is missing/],
    [{ issuer: '' }, /bearer\.issuer`/],
    [{ issuer: 'a|b' }, /bearer\.issuer`.*ambiguous/],
    [{ audience: none }, /bearer\.audience` is missing/],
    [{ audience: [] }, /bearer\.audience`/],
    [{ audiance: 'x' }, /`bearer\.audiance`.*did you mean `audience`/],
    ...[301, -1, Number.NaN].map((clockTolerance): [object, RegExp] => [{ clockTolerance }, /bearer\.clockTolerance`/]),
    [{ clockTolerance: '5s' }, /bearer\.clockTolerance`/],
    [{ from: ['query'] }, /bearer\.from`/],
    [{ from: [] }, /bearer\.from`/],
    [{ dangerouslyAllowQueryToken: true }, /bearer\.dangerouslyAllowQueryToken`/],
    [{ session: {} }, /bearer\.session`/],
    [{ typ: '' }, /bearer\.typ`/],
    [{ key: none }, /bearer\.key` is missing/],
    [{ jwks: { keys: [] } }, /bearer\.key`.*either/],
    [{ key: [] }, /bearer\.key`/],
    [{ key: rsa.privateKey }, /bearer\.key`.*public key/],
    [{ key: privatePem }, /bearer\.key`.*public key/],
    [{ key: privateJwk }, /bearer\.key`.*public key/],
    [{ key: 'not PEM' }, /bearer\.key`/],
    [{ key: small }, /bearer\.key`.*2048 bits/],
    [{ key: p384, algorithms: ['ES256'] }, /bearer\.key`.*curve/],
    [{ key: p384 }, /bearer\.key`.*RS256/],
    [{ key: [rsa.publicKey, p384] }, /bearer\.key\[1\]`/],
    [{ algorithms: ['HS256'] }, /bearer\.key`.*needs a secret/],
    [{ algorithms: ['HS256'], key: publicPem }, /bearer\.key`/],
    [{ algorithms: ['HS256'], key: Buffer.from(publicPem) }, /bearer\.key`/],
    [{ algorithms: ['HS256'], key: randomBytes(31) }, /bearer\.key`.*32 bytes/],
    [{ algorithms: ['HS512'], key: randomBytes(63) }, /bearer\.key`.*64 bytes/],
    [{ key: none, jwks: 'http://login.example/keys' }, /bearer\.jwks` is "http:\/\/login\.example".*in the clear/],
    ...['127.0.0.1.evil.example', 'localhost.evil.example', '127.0.0.1.2', '128.0.0.1', '[::2]'].map(
      (host): [object, RegExp] => [{ key: none, jwks: `http://${host}/keys` }, /bearer\.jwks`/],
    ),
    [{ key: none, jwks: 'file:///etc/keys' }, /bearer\.jwks`/],
    ...['user:canary@', 'user@', ':canary@'].map((who): [object, RegExp] => [
      { key: none, jwks: `https://${who}login.example/` },
      /bearer\.jwks`.*without user/,
    ]),
    [{ key: Array(9).fill(rsa.publicKey) }, /bearer\.key`.*1 to 8 keys/],
    [{ key: none, jwks: 'keys.json' }, /bearer\.jwks`/],
    [{ key: none, jwks: { keys: [] } }, /bearer\.jwks`/],
    [{ key: none, jwks: { keys: 'x' } }, /bearer\.jwks`/],
    [{ key: none, jwks: 'https://login.example/', algorithms: ['HS256'] }, /bearer\.jwks`.*HS/],
  ]
  for (const [change, expected] of wrong) {
    assert.throws(
      () => bearer({ ...options, ...change }),
      (error: Error) => {
        assert.match(error.message, expected)
        assert.doesNotMatch(error.message, /PRIVATE|canary|[A-Za-z0-9+/]{60}/)
        return true
      },
    )
  }
  // Near misses: what must still be accepted.
  const loopback = ['http://localhost:1/keys', 'http://[::1]:1/keys', 'http://127.10.200.3:1/keys']
  for (const jwks of ['https://login.example/keys', ...loopback]) {
    const { key: _, ...others } = options
    bearer({ ...others, jwks })
  }
  for (const clockTolerance of [0, 300]) bearer({ ...options, clockTolerance })
  bearer({ ...options, key: Array(8).fill(rsa.publicKey) })
  bearer({ ...options, key: createPublicKey(publicPem) })
})
