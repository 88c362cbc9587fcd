import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { connect } from 'node:tls'
import type { FastifyPluginCallback } from 'fastify'
import { SignJWT } from 'jose'
import { generate } from 'selfsigned'
import { basic, bearer, clientCertificate, cookieSession, fromRequest, type Session, ticket } from '../../src/index.ts'
import { rawConnect } from '../harness/raw-client.ts'
import { until } from '../harness/until.ts'
import { assertRefused, type HeaderChanges, type Journey, startJourney } from './journey.ts'

// Untyped: @fastify/secure-session gives `request.session` another type, and another test has that one.
const fastifySession: FastifyPluginCallback<{ secret: string; cookie: { secure: boolean } }> = createRequire(
  import.meta.url,
)('@fastify/session')

// ASVS 6.1.3: each way in, through the whole plugin, from where the credential comes from to the socket that has the session.

const secret = randomBytes(32)

function routes(app: Journey['app']): void {
  app.get('/ws', { websocket: true }, (socket) => socket.send(socket.session))
  app.get('/rooms/:id', { websocket: true }, (socket) => socket.send(socket.session))
}

async function userOf({ open }: Journey, headers: HeaderChanges, target = '/ws'): Promise<string | undefined> {
  const { answer, connection } = await open({ headers, target })
  let text = answer.body
  if (answer.status !== 101) assertRefused(answer, 401, 'SWS_UNAUTHENTICATED', 'Unauthorized')
  else {
    connection.socket.on('data', (chunk: Buffer) => {
      text += String(chunk)
    })
    connection.socket.resume()
    await until(() => text.includes('}'), 'the session arrives')
  }
  connection.close()
  return /"userId":"([^"]+)"/.exec(text)?.[1]
}

test('CS-7 3.3.1 cookieSession: signed in over HTTP, let in, signed out, not let in', async (t) => {
  const sessions = new Map<string, Session>()
  const authenticate = cookieSession({ secret, load: (id) => sessions.get(id) })
  const journey = await startJourney(
    t,
    { authenticate },
    {
      tls: true,
      routes(app) {
        routes(app)
        app.post('/sign-in', async (_request, reply) => {
          const id = randomBytes(16).toString('base64url')
          sessions.set(id, { id, userId: 'ada' })
          authenticate.setSessionCookie(reply, id)
          return 'in'
        })
        app.post('/sign-out', async (_request, reply) => {
          for (const id of sessions.keys()) await app.secureWs.revoke({ sessionId: id })
          sessions.clear()
          authenticate.clearSessionCookie(reply)
          return 'out'
        })
      },
    },
  )
  const { headers } = await journey.app.inject({ method: 'POST', url: '/sign-in' })
  const set = String(headers['set-cookie'])
  for (const word of ['__Host-session=', 'Secure', 'HttpOnly', 'SameSite=Strict', 'Path=/'])
    assert.ok(set.includes(word), word)
  const Cookie = set.split(';')[0]
  assert.equal(await userOf(journey, { Cookie }), 'ada')
  assert.equal(await userOf(journey, { Cookie: `other=1; ${Cookie}; more=2` }), 'ada')
  // SE-01: a sibling subdomain plants a second one; neither order lets anybody choose.
  assert.equal(await userOf(journey, { Cookie: `${Cookie}; __Host-session=planted` }), undefined)
  assert.equal(await userOf(journey, { Cookie: `__Host-session=planted; ${Cookie}` }), undefined)
  assert.equal(await userOf(journey, { Cookie: `${Cookie?.slice(0, -1)}` }), undefined)
  const cleared = await journey.app.inject({ method: 'POST', url: '/sign-out' })
  assert.match(String(cleared.headers['set-cookie']), /Max-Age=0/)
  assert.equal(await userOf(journey, { Cookie }), undefined)
})

test('SE-13 SE-14 bearer: by header, and by sub-protocol, where only the neutral one is answered', async (t) => {
  const key = randomBytes(32)
  const sign = (claims: object = {}, by = key) =>
    new SignJWT({ iss: 'https://login.example/', aud: 'app', sub: 'ada', exp: 4_000_000_000, ...claims })
      .setProtectedHeader({ alg: 'HS256' })
      .sign(by)
  const journey = await startJourney(
    t,
    { authenticate: bearer({ key, algorithms: ['HS256'], issuer: 'https://login.example/', audience: 'app' }) },
    { routes },
  )
  const token = await sign()
  assert.equal(await userOf(journey, { Authorization: `Bearer ${token}` }), 'https://login.example/|ada')
  const protocols = { 'Sec-WebSocket-Protocol': `bearer.${token}, secure-ws` }
  assert.equal(await userOf(journey, protocols), 'https://login.example/|ada')
  const { headers } = await journey.ask({ headers: protocols })
  assert.equal(headers['sec-websocket-protocol'], 'secure-ws')
  const none = Buffer.from('{"alg":"none"}').toString('base64url')
  for (const wrong of [
    await sign({ exp: 1 }),
    await sign({ aud: 'other' }),
    await sign({ iss: 'https://evil.example/' }),
    await sign({}, randomBytes(32)),
    `${none}.${token.split('.')[1]}.`,
    `${token}x`,
    '',
  ]) {
    assert.equal(await userOf(journey, { Authorization: `Bearer ${wrong}` }), undefined)
    if (wrong !== '')
      assert.equal(await userOf(journey, { 'Sec-WebSocket-Protocol': `bearer.${wrong}, secure-ws` }), undefined)
  }
  assert.equal(await userOf(journey, { ...protocols, Authorization: `Bearer ${token}` }), undefined)
  assert.equal(await userOf(journey, {}, `/ws?access_token=${token}`), undefined)
})

test('6.3.8 basic: a password, and no hint which part of it was wrong', async (t) => {
  const verify = (user: string, password: string) =>
    user === 'ada' && password === 's3cret:' ? { id: 's1', userId: user } : null
  const journey = await startJourney(t, { authenticate: basic({ verify, refuseEvery: 0 }) }, { routes })
  const shown = (text: string) => ({ Authorization: `Basic ${Buffer.from(text).toString('base64')}` })
  assert.equal(await userOf(journey, shown('ada:s3cret:')), 'ada')
  const texts = new Set<string>()
  for (const wrong of ['ada:s3cret', 'eve:s3cret:', 'ada', ':']) {
    assert.equal(await userOf(journey, shown(wrong)), undefined)
    texts.add((await journey.ask({ headers: shown(wrong) })).text.replace(/^Date: .*$/m, ''))
  }
  assert.equal(texts.size, 1)
})

test('12.1.3 clientCertificate: real mutual TLS; another authority, none, and a header instead', async (t) => {
  const named = (value: string) => [{ name: 'commonName', value }]
  const root = [{ name: 'basicConstraints', cA: true } as const, { name: 'keyUsage', keyCertSign: true } as const]
  const authorityOf = () => generate(named('Devices'), { keyType: 'ec', algorithm: 'sha256', extensions: root })
  const [authority, foreign] = [await authorityOf(), await authorityOf()]
  const certificateOf = async (name: string, by: typeof authority) => {
    const { private: key, cert } = await generate(named(name), {
      keyType: 'ec',
      algorithm: 'sha256',
      ca: { key: by.private, cert: by.cert },
    })
    return { key, cert }
  }
  const load = ({ subject }: { subject: { CN?: unknown } }) =>
    subject.CN === 'sensor-7' ? { id: 'c7', userId: 'sensor-7' } : null
  const { port, bytes } = await startJourney(
    t,
    { authenticate: clientCertificate({ load }) },
    {
      tls: { ca: authority.cert, requestCert: true, rejectUnauthorized: false },
      routes,
    },
  )
  const statusWith = async (credentials: object, headers: HeaderChanges = {}) => {
    const socket = connect({
      port,
      host: '127.0.0.1',
      servername: 'localhost',
      rejectUnauthorized: false,
      ...credentials,
    })
    t.after(() => socket.destroy())
    socket.on('error', () => {})
    socket.write(bytes({ headers }))
    const first = await new Promise<string>((resolve) => {
      socket.once('data', (chunk) => resolve(String(chunk)))
      socket.once('close', () => resolve(''))
    })
    socket.destroy()
    return first.slice(0, 12)
  }
  const right = await certificateOf('sensor-7', authority)
  assert.equal(await statusWith(right), 'HTTP/1.1 101')
  assert.equal(await statusWith(await certificateOf('sensor-8', authority)), 'HTTP/1.1 401')
  assert.equal(await statusWith(await certificateOf('sensor-7', foreign)), 'HTTP/1.1 401')
  assert.equal(await statusWith({}), 'HTTP/1.1 401')
  assert.equal(await statusWith({}, { 'X-Client-Cert': encodeURIComponent(right.cert) }), 'HTTP/1.1 401')
})

test('SE-09 SE-10 CS-6 4.4.4 ticket: bought with a session, spent once, where and for what it was bought', async (t) => {
  const sessions = new Map<string, Session>([['s1', { id: 's1', userId: 'ada' }]])
  const cookie = cookieSession({ secret, load: (id) => sessions.get(id) })
  const journey = await startJourney(
    t,
    {
      authenticate: ticket({ issueFor: cookie }),
      limits: { handshakesPerMinutePerAddress: 1_000, connectionsPerSession: 100 },
    },
    {
      routes(app) {
        routes(app)
        app.post('/ticket', async (request, reply) => {
          reply.header('cache-control', 'no-store')
          return app.secureWs.issueTicket(request, { route: '/ws' })
        })
        app.post('/sign-in', (_request, reply) => {
          cookie.setSessionCookie(reply, 's1')
          return reply.send('in')
        })
      },
    },
  )
  const origin = `http://localhost:${journey.port}`
  const signedIn = await journey.app.inject({ method: 'POST', url: '/sign-in' })
  const Cookie = String(signedIn.headers['set-cookie']).split(';')[0] ?? ''
  const buy = async () => {
    const answer = await journey.app.inject({ method: 'POST', url: '/ticket', headers: { cookie: Cookie, origin } })
    assert.equal(answer.statusCode, 200)
    assert.equal(answer.headers['cache-control'], 'no-store')
    const { protocol }: { protocol: string } = answer.json()
    return { 'Sec-WebSocket-Protocol': `secure-ws, ${protocol}` }
  }
  const unpaid = await journey.app.inject({ method: 'POST', url: '/ticket', headers: { origin } })
  assert.notEqual(unpaid.statusCode, 200)

  const once = await buy()
  assert.equal(await userOf(journey, once), 'ada')
  assert.equal(await userOf(journey, once), undefined, 'replayed')
  assert.equal(await userOf(journey, { Cookie }), undefined, 'the cookie alone')
  assert.equal(await userOf(journey, { ...(await buy()), Cookie }), 'ada', 'both')
  assert.equal(await userOf(journey, await buy(), '/rooms/7'), undefined, 'another route')
  const elsewhere = await journey.app.inject({
    method: 'POST',
    url: '/ticket',
    headers: { cookie: Cookie, origin: 'https://other.example' },
  })
  const { protocol }: { protocol: string } = elsewhere.json()
  assert.equal(
    await userOf(journey, { 'Sec-WebSocket-Protocol': `secure-ws, ${protocol}` }),
    undefined,
    'another origin',
  )
  const late = await buy()
  sessions.clear()
  assert.equal(await userOf(journey, late), undefined, 'of a session that has ended')
  sessions.set('s1', { id: 's1', userId: 'ada' })

  // 2.3.3: all at once, over connections that are open already.
  const one = await buy()
  const connections = await Promise.all(Array.from({ length: 50 }, () => rawConnect({ port: journey.port })))
  for (const connection of connections) connection.write(journey.bytes({ headers: one }))
  const answers = await Promise.all(connections.map((connection) => connection.answer()))
  for (const connection of connections) connection.close()
  assert.equal(answers.filter(({ status }) => status === 101).length, 1)
  assert.equal(answers.filter(({ status }) => status === 401).length, 49)
})

test('fromRequest: the session of another plugin, read at the handshake', async (t) => {
  const authenticate = fromRequest((request) => {
    const user: unknown = Reflect.get(Object(request.session), 'user')
    return typeof user === 'string' ? { id: String(Reflect.get(request.session, 'sessionId')), userId: user } : null
  })
  const journey = await startJourney(
    t,
    { authenticate },
    {
      async before(app) {
        await app.register((await import('@fastify/cookie')).default)
        await app.register(fastifySession, { secret: secret.toString('hex'), cookie: { secure: false } })
      },
      routes(app) {
        routes(app)
        app.post('/sign-in', async (request) => {
          Reflect.set(request.session, 'user', 'ada')
          return 'in'
        })
      },
    },
  )
  const { headers } = await journey.app.inject({ method: 'POST', url: '/sign-in' })
  const Cookie = String(headers['set-cookie']).split(';')[0] ?? ''
  assert.equal(await userOf(journey, { Cookie }), 'ada')
  assert.equal(await userOf(journey, {}), undefined)
  assert.equal(await userOf(journey, { Cookie: `${Cookie.slice(0, -3)}abc` }), undefined)
})
