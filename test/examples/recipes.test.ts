import assert from 'node:assert/strict'
import { randomBytes, X509Certificate } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { generateKeyPair } from 'jose'
import { generate } from 'selfsigned'
import { WebSocket, type ClientOptions as WsOptions } from 'ws'
import { startBrowser } from '../harness/browser.ts'
import { startOpenIdProvider } from '../harness/openid-provider.ts'
import { startRedis } from '../harness/redis.ts'
import { type ClientOptions, openSocket, statusOf } from '../harness/socket-client.ts'
import { until } from '../harness/until.ts'
import { runToEnd, startExample } from './example.ts'

// Each recipe of docs/authentication.md, as it stands there: run, signed in to, and knocked on by somebody else.

const secret = () => randomBytes(32).toString('hex')
const socketOf = (url: string, path = '/chat') => url.replace('http', 'ws') + path

async function post(url: string, body: object | undefined, headers: Record<string, string> = {}) {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { ...(body && { 'content-type': 'application/json' }), ...headers },
    ...(body && { body: JSON.stringify(body) }),
  })
  const cookie = (answer.headers.get('set-cookie') ?? '').split(';')[0] ?? ''
  return { status: answer.status, cookie, body: (await answer.json()) as Record<string, unknown> }
}

async function welcome(url: string, options: ClientOptions): Promise<unknown> {
  const client = await openSocket(url, options)
  const { user } = await client.hear('welcome')
  await client.close()
  return user
}

/** What the three recipes with a cookie have in common. */
async function cookieRecipe({ url }: { readonly url: string }): Promise<void> {
  const { cookie } = await post(`${url}/sign-in`, { name: 'Ada' })
  const mine = { headers: { origin: url, cookie } }
  const client = await openSocket(socketOf(url), mine)
  assert.equal((await client.hear('welcome')).user, 'Ada')

  assert.equal(await statusOf(socketOf(url), { headers: { origin: url } }), 401)
  // In the middle: the last character of base64 may stand for bits that nobody reads.
  const middle = cookie.length >> 1
  const altered = `${cookie.slice(0, middle)}${cookie[middle] === 'A' ? 'B' : 'A'}${cookie.slice(middle + 1)}`
  assert.equal(await statusOf(socketOf(url), { headers: { origin: url, cookie: altered } }), 401)
  assert.equal(await statusOf(socketOf(url), { headers: { origin: 'https://evil.example', cookie } }), 403)

  assert.equal((await post(`${url}/sign-out`, undefined, mine.headers)).status, 200)
  assert.equal(await client.closed, 3000)
  assert.equal(await statusOf(socketOf(url), mine), 401)
}

test('cookie-session.ts: signed in, signed out, and the same session on plain routes', async (t) => {
  const example = await startExample(t, 'cookie-session.ts', { COOKIE_SECRET: secret() })
  const { url } = example
  const { cookie } = await post(`${url}/sign-in`, { name: 'Grace' })
  const me = async (headers: Record<string, string>) => (await fetch(`${url}/me`, { headers })).json()
  assert.deepEqual([await me({ cookie }), await me({})], [{ user: 'Grace' }, { user: null }])
  const orders = (headers: Record<string, string>) => fetch(`${url}/orders`, { headers })
  assert.deepEqual([(await orders({ cookie })).status, (await orders({})).status], [200, 401])
  await cookieRecipe(example)
})

test('fastify-session.ts: a session of @fastify/session', async (t) => {
  const example = await startExample(t, 'fastify-session.ts', { COOKIE_SECRET: secret() })
  await cookieRecipe(example)
  // Signed in once more: the session before is destroyed by `regenerate`, and nobody has to say so to the sockets.
  const { url } = example
  const [first, other] = [await post(`${url}/sign-in`, { name: 'Ada' }), await post(`${url}/sign-in`, { name: 'Ada' })]
  const [client, bystander] = await Promise.all(
    [first, other].map(({ cookie }) => openSocket(socketOf(url), { headers: { origin: url, cookie } })),
  )
  await post(`${url}/sign-in`, { name: 'Ada' }, { cookie: first.cookie })
  assert.equal(await client?.closed, 3000)
  assert.equal(bystander?.code, undefined)
  await bystander?.close()
})

test('fastify-secure-session.ts: a session of @fastify/secure-session, ended by a list', async (t) => {
  await cookieRecipe(await startExample(t, 'fastify-secure-session.ts', { SESSION_KEY: secret() }))
})

/** What the two recipes have in common that issue tokens themselves. */
async function tokenRecipe({ url }: { readonly url: string }, user: string): Promise<void> {
  const { token } = (await post(`${url}/token`, { name: 'Ada' })).body
  assert.equal(await welcome(socketOf(url), { headers: { authorization: `Bearer ${token}` } }), user)
  assert.equal(await statusOf(socketOf(url)), 401)
  const altered = `${String(token).slice(0, -4)}AAAA`
  assert.equal(await statusOf(socketOf(url), { headers: { authorization: `Bearer ${altered}` } }), 401)
}

test('bearer.ts: a token of our own, in the header or in the sub-protocol', async (t) => {
  const example = await startExample(t, 'bearer.ts', { TOKEN_SECRET: secret() })
  await tokenRecipe(example, 'https://app.example|Ada')
  const { token } = (await post(`${example.url}/token`, { name: 'Ada' })).body
  const protocols = ['secure-ws', `bearer.${token}`]
  assert.equal(
    await welcome(socketOf(example.url), { headers: { origin: example.url }, protocols }),
    'https://app.example|Ada',
  )
})

test('fastify-jwt.ts: a token of @fastify/jwt', async (t) => {
  await tokenRecipe(await startExample(t, 'fastify-jwt.ts', { TOKEN_SECRET: secret() }), 'Ada')
})

test('oidc.ts: an access token of an OpenID provider; none for another API, of another kind, key or issuer', async (t) => {
  const provider = await startOpenIdProvider()
  t.after(() => provider.close())
  const { url } = await startExample(t, 'oidc.ts', { ISSUER: provider.issuer })
  const bearing = (token: string) => ({ headers: { authorization: `Bearer ${token}` } })
  assert.equal(await welcome(socketOf(url), bearing(await provider.token())), `${provider.issuer}|ada`)

  const { privateKey: key } = await generateKeyPair('RS256')
  for (const [what, token] of [
    ['another audience', await provider.token({ aud: 'billing' })],
    ['an ID token', await provider.token({}, { typ: 'JWT' })],
    ['another issuer', await provider.token({ iss: 'http://127.0.0.1:1' })],
    ['another key', await provider.token({}, { key })],
    ['no subject', await provider.token({ sub: '' })],
  ] as const) {
    assert.equal(await statusOf(socketOf(url), bearing(token)), 401, what)
  }
  assert.equal(provider.keySetRequests, 1)
})

test('basic.ts: a user and a password', async (t) => {
  const { url } = await startExample(t, 'basic.ts', { METER_PASSWORD: 'correct horse' })
  const as = (user: string, password: string) => ({
    headers: { origin: url, authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` },
  })
  assert.equal(await welcome(socketOf(url, '/readings'), as('meter-7', 'correct horse')), 'meter-7')
  assert.equal(await statusOf(socketOf(url, '/readings'), as('meter-7', 'wrong')), 401)
  assert.equal(await statusOf(socketOf(url, '/readings'), as('meter-8', 'correct horse')), 401)
})

async function certificates(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'secure-ws-certificates-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const named = (value: string) => [{ name: 'commonName', value }]
  const ca = [{ name: 'basicConstraints', cA: true } as const, { name: 'keyUsage', keyCertSign: true } as const]
  const authorityOf = (name: string) => generate(named(name), { keyType: 'ec', algorithm: 'sha256', extensions: ca })
  const authority = await authorityOf('Devices')
  const by = { key: authority.private, cert: authority.cert }
  const issued = (name: string) => generate(named(name), { keyType: 'ec', algorithm: 'sha256', ca: by })
  const [server, device, unlisted] = [await authorityOf('localhost'), await issued('meter-7'), await issued('meter-8')]
  const files = {
    'server.key': server.private,
    'server.crt': server.cert,
    'devices-ca.crt': authority.cert,
    'device.fingerprint': `${new X509Certificate(device.cert).fingerprint256}\n`,
  }
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
  const credentials = ({ private: key, cert }: typeof device) => ({ key, cert })
  const foreign = await authorityOf('meter-7')
  return { folder, device: credentials(device), unlisted: credentials(unlisted), foreign: credentials(foreign) }
}

test('client-certificate.ts: a device whose certificate is on the list', async (t) => {
  const { folder, device, unlisted, foreign } = await certificates(t)
  const { port } = await startExample(t, 'client-certificate.ts', { CERTIFICATES: folder })
  const url = `wss://localhost:${port}/readings`
  const answerTo = (credentials: WsOptions) =>
    new Promise<unknown>((resolve) => {
      const socket = new WebSocket(url, {
        ...credentials,
        origin: `https://localhost:${port}`,
        rejectUnauthorized: false,
      })
      socket.once('message', (text) => {
        resolve(JSON.parse(String(text)).user)
        socket.terminate()
      })
      socket.once('unexpected-response', (request, { statusCode }) => {
        resolve(statusCode)
        request.destroy()
      })
      socket.on('error', () => {})
    })
  assert.equal(await answerTo(device), 'meter-7')
  assert.deepEqual([await answerTo(unlisted), await answerTo(foreign), await answerTo({})], [401, 401, 401])
})

test('ticket.ts: the page in Chromium buys a ticket and spends it; it is good once', async (t) => {
  const { url } = await startExample(t, 'ticket.ts', { COOKIE_SECRET: secret() })
  const { cookie } = await post(`${url}/sign-in`, { name: 'Ada' })
  assert.equal((await post(`${url}/ticket`, undefined, { origin: url })).status, 401)
  const { protocol } = (await post(`${url}/ticket`, undefined, { origin: url, cookie })).body
  const spending = { headers: { origin: url, cookie }, protocols: ['secure-ws', String(protocol)] }
  assert.equal(await welcome(socketOf(url), spending), 'Ada')
  assert.equal(await statusOf(socketOf(url), spending), 401)
  assert.equal(await statusOf(socketOf(url), { headers: { origin: url, cookie } }), 401)

  const browser = await startBrowser()
  t.after(() => browser.close())
  const page = await browser.newPage()
  await page.goto(url)
  await page.waitForFunction(() => document.getElementById('said')?.textContent !== '')
  assert.match((await page.textContent('#said')) ?? '', /Ada/)
})

test('options.ts: the policy in force is printed, and its origin is what counts', async (t) => {
  const { url, said } = await startExample(t, 'options.ts', { COOKIE_SECRET: secret() })
  const policy = JSON.parse(said.find((line) => line.startsWith('{"route"')) ?? '{}')
  assert.deepEqual([policy.route, policy.origins, policy.hosts], ['/chat', ['https://app.example'], ['app.example']])
  assert.deepEqual([policy.limits.messageBytes, policy.limits.idle], [16_384, 600_000])
  const from = (origin: string) => ({ headers: { host: 'app.example', 'x-forwarded-proto': 'https', origin } })
  assert.equal(await statusOf(socketOf(url), from('https://app.example')), 401)
  assert.equal(await statusOf(socketOf(url), from('https://evil.example')), 403)
})

test('several-nodes.ts: what is said on one node is heard on the other', async (t) => {
  const redis = await startRedis()
  t.after(() => redis.close())
  const env = { REDIS_URL: redis.url, RELAY_SECRET: secret(), TOKEN_SECRET: secret() }
  const [here, there] = [await startExample(t, 'several-nodes.ts', env), await startExample(t, 'several-nodes.ts', env)]
  const { SignJWT } = await import('jose')
  const token = await new SignJWT({ jti: 'one' })
    .setProtectedHeader({ alg: 'HS256' })
    .setIssuer('https://app.example')
    .setAudience('chat')
    .setSubject('ada')
    .setExpirationTime('1m')
    .sign(new TextEncoder().encode(env.TOKEN_SECRET))
  const headers = { authorization: `Bearer ${token}` }
  const listener = await openSocket(socketOf(there.url), { headers })
  const speaker = await openSocket(socketOf(here.url), { headers })
  // The other node may still be subscribing to the room.
  const speaking = setInterval(() => speaker.socket.send('<hello>'), 200)
  const heard = await listener.hear('said')
  clearInterval(speaking)
  assert.deepEqual(heard, { type: 'said', by: 'https://app.example|ada', text: '&lt;hello&gt;' })
  await Promise.all([listener.close(), speaker.close()])
})

test('room-tokens.ts: who has a token of the room comes in, and nobody else', async (t) => {
  const { url } = await startExample(t, 'room-tokens.ts')
  const { cookie } = await post(`${url}/sign-in`, { name: 'Ada' })
  const right = async (room: string) => (await post(`${url}/rights/${room}`, undefined, { cookie })).body.token
  const client = await openSocket(socketOf(url), { headers: { origin: url, cookie } })
  const token = await right('lobby')
  client.send({ type: 'enter', id: 1, room: 'lobby', token })
  client.send({ type: 'enter', id: 2, room: 'board', token })
  await until(() => client.heard.length === 2, 'both were answered')
  assert.deepEqual(
    client.heard.map(({ id, value }) => [id, value]),
    [
      [1, true],
      [2, false],
    ],
  )
  assert.equal(await right('board'), null)
  await client.close()
})

test('emitter.ts: a script speaks in a room, logs a user out, and ends', async (t) => {
  const redis = await startRedis()
  t.after(() => redis.close())
  const env = { REDIS_URL: redis.url, RELAY_SECRET: secret(), TOKEN_SECRET: secret() }
  const server = await startExample(t, 'several-nodes.ts', env)
  const { SignJWT } = await import('jose')
  const tokenOf = (user: string) =>
    new SignJWT({ jti: user })
      .setProtectedHeader({ alg: 'HS256' })
      .setIssuer('https://app.example')
      .setAudience('chat')
      .setSubject(user)
      .setIssuedAt()
      .setExpirationTime('1m')
      .sign(new TextEncoder().encode(env.TOKEN_SECRET))
  const [ada, mallory] = await Promise.all(
    ['ada', 'mallory'].map(async (user) =>
      openSocket(socketOf(server.url), { headers: { authorization: `Bearer ${await tokenOf(user)}` } }),
    ),
  )
  // Joining does not wait for Redis.
  await until(async () => (await redis.cli('PUBSUB', 'NUMSUB', 'shop:room:lobby')).includes('1'), 'the room was heard')
  const { code, said } = await runToEnd(t, ['emitter.ts'], env)
  assert.equal(code, 0, said)
  assert.equal(await mallory?.closed, 3000)
  assert.equal((await ada?.hear('said'))?.text, 'We close at &lt;six&gt;.')
  assert.equal(ada?.code, undefined)
  await ada?.close()
})

for (const [name, count] of [
  ['self-check.test.ts', 2],
  ['conversation.test.ts', 3],
] as const) {
  test(`${name}: passes as it is`, async (t) => {
    const { code, said } = await runToEnd(t, ['--test', name])
    assert.equal(code, 0, said)
    assert.match(said, new RegExp(`pass ${count}$`, 'm'))
  })
}

test('messages-of-client.ts: the types of a route, at the client', async (t) => {
  const { url } = await startExample(t, 'messages-of.ts')
  const { code, said } = await runToEnd(t, ['messages-of-client.ts', `${url}/sums`])
  assert.equal(code, 0, said)
  assert.equal(said.trim(), '3')
})

test('shared-server.ts and shared-client.ts: one module of messages, and types on both sides', async (t) => {
  const { url } = await startExample(t, 'shared-server.ts')
  const { code, said } = await runToEnd(t, ['shared-client.ts', socketOf(url, '/board')])
  assert.equal(code, 0, said)
  assert.match(said, /^[\w-]{22} said hello\n$/)
})

test('errors.ts: an error of the package has the answer that the application chose', async (t) => {
  const { url } = await startExample(t, 'errors.ts')
  const orders = await fetch(`${url}/orders`)
  assert.deepEqual([orders.status, await orders.json()], [401, { code: 'SWS_UNAUTHENTICATED' }])
  const bell = (room: string) => post(`${url}/rooms/${room}/bell`, undefined)
  assert.deepEqual([(await bell('7')).status, (await bell('%20')).status], [200, 400])
  assert.deepEqual((await bell('%20')).body, { code: 'SWS_BAD_ROOM' })
})
