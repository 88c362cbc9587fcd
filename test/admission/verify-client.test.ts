import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { test } from 'node:test'
import type { ServerOptions } from 'ws'
import { until } from '../harness/until.ts'
import { assertRefused, closedByServer, startJourney } from '../journeys/journey.ts'

type Verify = NonNullable<ServerOptions['verifyClient']>

const session = { id: 's1', userId: 'ada' }
const withVerify = (verifyClient: Verify) => ({ websocket: { options: { verifyClient } } })

const refusals: readonly (readonly [name: string, verify: Verify, reason: RegExp])[] = [
  ['says no', () => false, /said no/],
  ['calls back with no', (_client, callback) => setImmediate(callback, false), /said no/],
  // ws would answer with this status and this text.
  ['calls back with words of its own', (_client, callback) => callback(false, 418, 'SECRET'), /said no/],
  [
    'throws',
    () => {
      throw new TypeError('SECRET')
    },
    /TypeError/,
  ],
  [
    'throws instead of calling back',
    (_client, _callback) => {
      throw new TypeError('SECRET')
    },
    /TypeError/,
  ],
  // What ws would take for a yes: a promise, an object, a number.
  ['is async, which ws does not know, and says no', (() => Promise.resolve(false)) as object as Verify, /said no/],
  ['is async and rejects', (() => Promise.reject(new TypeError('SECRET'))) as object as Verify, /TypeError/],
  ['says something that is not `true`', (() => 1) as object as Verify, /said no/],
  ['says nothing', (() => {}) as object as Verify, /said no/],
]

for (const [name, verify, reason] of refusals) {
  test(`a verifyClient that ${name} refuses before the 101, like every other check`, async (t) => {
    const { open, app, refusals, lines, events } = await startJourney(t, {
      authenticate: () => session,
      ...withVerify(verify),
    })
    const { answer, connection } = await open()
    assertRefused(answer, 403, 'SWS_FORBIDDEN', 'Forbidden')
    await closedByServer(connection)
    assert.equal(refusals().length, 1)
    assert.match(refusals()[0]?.[1] ?? '', reason)
    // In the server's log alone, for whoever wrote the function.
    assert.doesNotMatch(answer.text + JSON.stringify(events), /SECRET/)
    const told = lines.filter((line) => line.includes('SECRET'))
    assert.equal(told.length, /throw|reject/.test(name) ? 1 : 0)
    for (const line of told) assert.match(line, /"err":\{"type":"TypeError","message":"SECRET".*`verifyClient` threw/)
    await until(() => app.secureWs.stats().connections === 0, 'the place is given back')
  })
}

test('a verifyClient hears what ws tells it, and is asked after the guard', async (t) => {
  const heard: object[] = []
  const { ask, port } = await startJourney(
    t,
    withVerify((client: { origin: string; secure: boolean; req: IncomingMessage }) => {
      heard.push({ origin: client.origin, secure: client.secure, url: client.req.url })
      return true
    }),
  )
  assert.equal((await ask({ headers: { Origin: 'https://evil.example' } })).status, 403)
  assert.deepEqual(heard, [])
  assert.equal((await ask()).status, 101)
  assert.deepEqual(heard, [{ origin: `http://localhost:${port}`, secure: false, url: '/ws' }])
})

test('a verifyClient hears of an encrypted connection, and of a client without an Origin', async (t) => {
  const heard: object[] = []
  const verifyClient: Verify = ({ origin, secure }, callback) => {
    heard.push({ origin, secure })
    callback(true)
  }
  const { ask } = await startJourney(t, { allowMissingOrigin: true, ...withVerify(verifyClient) }, { tls: true })
  assert.equal((await ask({ headers: { Origin: undefined } })).status, 101)
  assert.deepEqual(heard, [{ origin: '', secure: true }])
})

// Race: revoked while the application's own check waits.
test('a session that is revoked while verifyClient waits opens nothing', async (t) => {
  const waiting = Promise.withResolvers<() => void>()
  const { open, app, refusals } = await startJourney(t, {
    authenticate: () => session,
    ...withVerify((_client, callback) => waiting.resolve(() => callback(true))),
  })
  const opening = open()
  const goOn = await waiting.promise
  await app.secureWs.revoke({ userId: 'ada' })
  goOn()
  assertRefused((await opening).answer, 401, 'SWS_UNAUTHENTICATED')
  assert.match(refusals()[0]?.[1] ?? '', /revoked/)
})
