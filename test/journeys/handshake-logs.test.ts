import assert from 'node:assert/strict'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { test } from 'node:test'
import { SignJWT } from 'jose'
import { basic, bearer, cookieSession, type Session, ticket } from '../../src/index.ts'
import { until } from '../harness/until.ts'
import { cookieOf, startJourney } from './journey.ts'

// What a client wrote reaches a log line cut and quoted, or not at all.

const hostile = {
  // U+202E and what an ANSI terminal obeys, as the bytes they have on the wire.
  bidi: '\u00e2\u0080\u00ae//elpmaxe.ppa',
  ansi: 'https://\u009b31mred.example',
  tab: 'https://a\tb.example',
}

test('LG-01 16.4.1 control characters in Origin, User-Agent and path are escaped: one line, one event', async (t) => {
  const { ask, lines, events } = await startJourney(t, {
    origins: ['https://app.example'],
    hosts: ['localhost'],
    allowInsecureTransport: true,
  })
  for (const Origin of Object.values(hostile)) {
    await ask({ headers: { Origin, 'User-Agent': hostile.bidi } })
  }
  // A line break travels in a path as an escape only; whoever decodes it before logging writes two lines.
  await ask({ target: '/nowhere%0d%0a%7b%22level%22:60%7d' })
  await ask({ target: '/ws%1b%5b2J', headers: { Host: 'evil\u009b.example' } })
  const ours = lines.filter((line) => line.includes('"audit"') || line.includes('fastify-secure-ws'))
  assert.ok(ours.length >= 5)
  for (const line of ours) assert.match(line, /^[\x20-\x7e]*\n$/)
  for (const event of events) {
    for (const value of Object.values(event)) assert.match(String(value), /^[\x20-\x7e]*$/)
  }
  assert.ok(events.some(({ origin }) => origin?.includes('\\u009b31mred')))
})

test('LG-02 an Origin of 6 KB is cut in the event', async (t) => {
  const { ask, events } = await startJourney(t)
  await ask({ headers: { Origin: `https://${'a'.repeat(6_000)}.example` } })
  for (const value of Object.values(events.at(-1) ?? {})) assert.ok(String(value).length < 270)
})

test('LG-05 a logger field cannot be overwritten by what a client names', async (t) => {
  const { ask, lines } = await startJourney(t)
  await ask({ headers: { Origin: '{"level":60,"msg":"owned"}' } })
  const line: unknown = JSON.parse(lines.find((each) => each.includes('handshake.refused')) ?? '')
  assert.equal(Reflect.get(Object(line), 'level'), 40)
  assert.equal(Reflect.get(Object(line), 'msg'), 'handshake.refused')
})

// 10,000 in the log of the commit: the number of lines hangs on the time, and not on how many came.
const flood = Number(process.env.FLOOD ?? 400)

test('LG-04 a flood of refusals is a few lines, the last of which says how many there were, and every one is an event', async (t) => {
  const { app, ask, lines, events } = await startJourney(t)
  const startedAt = performance.now()
  for (let asked = 0; asked < flood; asked += 200) {
    await Promise.all(Array.from({ length: 200 }, () => ask({ headers: { Origin: 'https://evil.example' } })))
  }
  await app.close()
  const windows = Math.floor((performance.now() - startedAt) / 10_000) + 1
  // Too many refusals are refused with a code of their own.
  const codes = new Set(events.filter(({ type }) => type === 'handshake.refused').map(({ code }) => code))
  const ofRefusals = lines.filter((line) => line.includes('"msg":"handshake.refused"'))
  assert.equal(events.filter(({ type }) => type === 'handshake.refused').length, flood)
  assert.ok(ofRefusals.length <= codes.size * 21 * windows, `${ofRefusals.length} lines`)
  const said = ofRefusals.map((line): { suppressed?: number } => JSON.parse(line).audit)
  assert.equal(
    said.reduce((sum, { suppressed = 1 }) => sum + suppressed, 0),
    flood,
  )
  const seconds = Math.ceil((performance.now() - startedAt) / 1_000) + 1
  const advice = lines.filter((line) => line.includes('If this page is yours'))
  assert.ok(advice.length <= 5 * seconds && advice.length >= 1)
})

for (const [environment, level] of [
  ['development', 30],
  ['production', 20],
] as const) {
  test(`advice is for developers: level ${level} in ${environment}, and never in the answer`, async (t) => {
    const before = process.env.NODE_ENV
    process.env.NODE_ENV = environment
    t.after(() => {
      if (before === undefined) delete process.env.NODE_ENV
      else process.env.NODE_ENV = before
    })
    const { ask, lines } = await startJourney(t)
    const { text } = await ask({ headers: { Origin: 'https://app.example' } })
    const [advice] = lines.filter((line) => line.includes('If this page is yours'))
    assert.match(advice ?? '', new RegExp(`"level":${level}.*set .origins: \\[.*https://app\\.example`))
    assert.doesNotMatch(text, /origins|app\.example/)
  })
}

/*
 * LG-03, CS-10, CS-24, SE-14: canaries in every place where a credential can be, through every authenticator, right and
 * wrong, with every sink open: all log levels, the `audit` function, the diagnostics channel, and what the client gets.
 */
test('LG-03 CS-24 SE-14 no credential is in a log line, an event or an answer', async (t) => {
  const secret = randomBytes(32)
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const sign = (subject: string, exp: number) =>
    new SignJWT({ iss: 'https://login.example/', aud: 'app', sub: subject, exp })
      .setProtectedHeader({ alg: 'EdDSA' })
      .sign(privateKey)
  const canaries: string[] = ['PASSWORDCANARY', 'GUESSCANARY', 'SESSIONCANARY', 'QUERYCANARY']
  const sessions = new Map<string, Session>([['SESSIONCANARY', { id: 'SESSIONCANARY', userId: 'ada' }]])
  const published: unknown[] = []
  const collect = (event: unknown) => published.push(event)
  subscribe('fastify-secure-ws:audit', collect)
  t.after(() => unsubscribe('fastify-secure-ws:audit', collect))

  const { ask, open, app, lines, events } = await startJourney(
    t,
    {
      authenticate: [
        ticket(),
        cookieSession({ secret, load: (id) => sessions.get(id) }),
        bearer({ key: publicKey, algorithms: ['EdDSA'], issuer: 'https://login.example/', audience: 'app' }),
        basic({
          refuseEvery: 0,
          verify(user, password) {
            if (password === 'PASSWORDCANARY') return { id: 'SESSIONCANARY', userId: user }
            throw new Error(`no such password: ${password}`)
          },
        }),
      ],
    },
    {
      // Fastify's own request line has the URL; an application that puts secrets there redacts it itself.
      server: { disableRequestLogging: true },
      routes(application) {
        application.get('/ws', { websocket: true, secureWs: { protocols: ['chat'] } }, () => {})
        application.post('/ticket', async (request, reply) => {
          reply.header('cache-control', 'no-store')
          return application.secureWs.issueTicket(request, { route: '/ws' })
        })
      },
    },
  )
  const cookie = cookieOf(secret, 'SESSIONCANARY')
  const basicOf = (password: string) => `Basic ${Buffer.from(`ada:${password}`).toString('base64')}`
  const issued = await app.inject({ method: 'POST', url: '/ticket', headers: { cookie, origin: 'http://localhost' } })
  const { protocol }: { protocol: string } = issued.json()
  const [good, expired] = [await sign('ada', 4_000_000_000), await sign('ada', 1_000_000_000)]
  const forged = `${good.slice(0, -8)}FORGEDJW`
  canaries.push(
    cookie.slice(15),
    protocol.slice(7),
    good.slice(40, 90),
    expired.slice(-40),
    'FORGEDJW',
    basicOf('PASSWORDCANARY').slice(6),
    basicOf('GUESSCANARY').slice(6),
  )

  const shown = [
    { Cookie: cookie },
    { Cookie: `${cookie}x` },
    { Authorization: `Bearer ${good}` },
    { Authorization: `Bearer ${expired}` },
    { 'Sec-WebSocket-Protocol': `chat, bearer.${forged}` },
    { 'Sec-WebSocket-Protocol': `bearer.${good}, chat` },
    { 'Sec-WebSocket-Protocol': `BEARER.${good}, chat` },
    { 'Sec-WebSocket-Protocol': `bearer.${good}` },
    { 'Sec-WebSocket-Protocol': `${protocol}, chat` },
    { 'Sec-WebSocket-Protocol': `${protocol}, ${protocol}x, chat` },
    { Authorization: basicOf('PASSWORDCANARY') },
    { Authorization: basicOf('GUESSCANARY') },
    { Cookie: cookie, Authorization: basicOf('GUESSCANARY'), Origin: 'https://evil.example' },
  ]
  const answers: string[] = []
  for (const headers of shown) {
    const asked = { target: '/ws?token=QUERYCANARY', headers: { 'Sec-WebSocket-Protocol': 'chat', ...headers } }
    const { answer, connection } = await open(asked)
    answers.push(answer.text)
    connection.reset()
  }
  answers.push((await ask({ target: '/nowhere?ticket=QUERYCANARY', headers: { Cookie: cookie } })).text)
  answers.push(
    (await ask({ target: '/%?ticket=QUERYCANARY', headers: { Cookie: cookie } })).text.replaceAll('QUERYCANARY', ''),
  )
  await until(() => app.secureWs.stats().connections === 0, 'all have gone')

  const admitted = answers.filter((text) => text.includes(' 101 '))
  assert.ok(admitted.length >= 4, 'right credentials were admitted, so their paths are covered')
  for (const text of admitted) assert.match(text, /^Sec-WebSocket-Protocol: chat\r$/m)
  assert.ok(published.length >= events.length)
  const sinks = {
    lines: lines.join(''),
    events: JSON.stringify(events),
    published: JSON.stringify(published),
    answers: answers.join(''),
  }
  for (const [name, text] of Object.entries(sinks)) {
    for (const canary of canaries) assert.ok(!text.includes(canary), `${canary} in ${name}`)
  }
})
