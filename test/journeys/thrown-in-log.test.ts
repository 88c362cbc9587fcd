import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { cookieSession, type Session } from '../../src/index.ts'
import { text } from '../harness/frames.ts'
import { openPeer } from '../harness/raw-peer.ts'
import { startServer } from '../harness/server.ts'
import { until } from '../harness/until.ts'
import { cookieOf, startJourney } from './journey.ts'

// What the application threw is for whoever wrote it: in the server's log, as `err` with its stack, and nowhere else.

const secret = randomBytes(32)
const id = 'SESSIONCANARY'
const ada: Session = { id, userId: 'ada' }
const boom = (): never => {
  throw new TypeError(`BOOM in row of ${id}, password=hunter2, at https://ops:hunter2@db/x\n{"level":60}`)
}
const cookie = (load: () => Session) => cookieSession({ secret, load })

type Options = Parameters<typeof startJourney>[1]
const handshakes: readonly (readonly [
  who: string,
  options: Options,
  secureWs: object,
  status: number,
  told: RegExp,
])[] = [
  ['authenticate', { authenticate: boom }, {}, 503, /authenticator function threw/],
  ['load', { authenticate: cookie(boom) }, {}, 503, /authenticator cookieSession threw/],
  [
    'the second of a list',
    { authenticate: [() => null, async () => boom()] },
    {},
    503,
    /authenticator function#2 threw/,
  ],
  ['authorize', { authenticate: cookie(() => ada) }, { authorize: boom }, 403, /`authorize` threw/],
  [
    'authorize, async',
    { authenticate: cookie(() => ada) },
    { authorize: async () => boom() },
    403,
    /`authorize` threw/,
  ],
  ['origins', { authenticate: cookie(() => ada), origins: boom }, {}, 403, /`origins` function threw/],
  [
    'origins, async',
    { authenticate: cookie(() => ada), origins: async () => boom() },
    {},
    403,
    /`origins` function threw/,
  ],
  [
    'verifyClient',
    { authenticate: cookie(() => ada), websocket: { options: { verifyClient: boom } } },
    {},
    403,
    /`verifyClient` threw/,
  ],
  [
    'verifyClient that calls back, async',
    {
      authenticate: cookie(() => ada),
      websocket: { options: { verifyClient: async (_client: unknown, _back: unknown) => boom() } },
    },
    {},
    403,
    /`verifyClient` threw/,
  ],
]
for (const [who, options, secureWs, status, told] of handshakes) {
  test(`${who}: in the log with its stack, never in the answer or an event, and without a credential`, async (t) => {
    const { ask, lines, events } = await startJourney(t, options, {
      routes: (app) => app.get('/ws', { websocket: true, secureWs }, () => {}),
    })
    const answer = await ask({ headers: { Cookie: cookieOf(secret, id) } })
    assert.equal(answer.status, status)
    assert.doesNotMatch(answer.text + JSON.stringify(events), /BOOM|hunter2|CANARY/)
    const [line = '', more] = lines.filter((each) => each.includes('BOOM'))
    assert.equal(more, undefined)
    const { err, msg, level, reqId } = JSON.parse(line)
    assert.equal(level, 50)
    assert.ok(reqId)
    assert.match(msg, told)
    assert.equal(err.type, 'TypeError')
    assert.equal(
      err.message,
      'BOOM in row of [redacted], password=[redacted], at https://[redacted]@db/x\\u000a{"level":60}',
    )
    assert.match(err.stack, /^TypeError: BOOM.*\n {4}at .*thrown-in-log\.test\.ts/)
    assert.doesNotMatch(lines.join(''), /hunter2|CANARY/)
  })
}

const schema = { type: 'object', properties: {} }
const later: readonly (readonly [who: string, told: RegExp, act: (say: (type: string) => void) => void])[] = [
  ['a listener', /a listener threw/, (say) => say('fails')],
  ['an async listener', /a listener threw/, (say) => say('rejects')],
  ['`authorize` of a message', /a check threw/, (say) => say('asks')],
  ['`authorize` of a room, `revalidate`', /`authorize` of a room threw|`revalidate` threw/, () => {}],
]
for (const [who, told, act] of later) {
  test(`${who}: in the log with its stack, and never at the client or in an event`, async (t) => {
    let fails = false
    const server = await startServer(
      t,
      {
        authenticate: {
          name: 'own',
          ambient: false,
          authenticate: () => ada,
          revalidate: () => (fails ? boom() : true),
        },
        session: { revalidateEvery: 60 },
      },
      (app) => {
        app.get(
          '/ws',
          {
            websocket: true,
            secureWs: {
              receives: { fails: { schema }, rejects: { schema }, asks: { schema, authorize: boom } },
            },
          },
          (socket) => {
            socket.on('fails', boom)
            socket.on('rejects', async () => boom())
            socket.on('asks', () => {})
            socket.join('room', { authorize: () => (fails ? boom() : true) })
            socket.send('ready')
          },
        )
      },
    )
    const peer = await openPeer({ port: server.port, path: '/ws' })
    t.after(() => peer.socket.destroy())
    await until(() => peer.texts.length > 0, 'the handler ran')
    act((type) => peer.write(text(JSON.stringify({ type }))))
    if (who.includes('revalidate')) fails = true
    const lines = () => server.logged.filter((line) => line.includes('BOOM'))
    await until(() => lines().length > 0, 'it was logged')
    const { err, msg } = JSON.parse(lines()[0] ?? '')
    assert.match(msg, told)
    assert.match(err.stack, /^TypeError: BOOM.*\n {4}at .*thrown-in-log\.test\.ts/)
    assert.doesNotMatch(server.logged.join('') + JSON.stringify(server.events) + peer.texts.join(''), /hunter2|CANARY/)
    assert.doesNotMatch(JSON.stringify(server.events) + peer.texts.join(''), /BOOM/)
  })
}

test('an `audit` function that rejects is logged, and ends nothing', async (t) => {
  const server = await startServer(t, { authenticate: false, audit: async () => boom() } as object, (app) => {
    app.get('/ws', { websocket: true }, (socket) => socket.send('ready'))
  })
  const peer = await openPeer({ port: server.port, path: '/ws' })
  t.after(() => peer.socket.destroy())
  await until(() => server.logged.some((line) => /BOOM.*`audit` function threw/.test(line)), 'it was logged')
})
