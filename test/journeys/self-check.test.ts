import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import {
  basic,
  bearer,
  clientCertificate,
  cookieSession,
  dangerouslyAllowAnyOrigin,
  fromRequest,
  SecureWsError,
  type SecureWsOptions,
  ticket,
} from '../../src/index.ts'
import { startJourney } from './journey.ts'

// Options that are safe alone and not together (CWE-1385): a browser attaches the credential, and any page may ask it to.

const secret = 'SECRETCANARY-SECRETCANARY-SECRETCANARY'
const load = () => null
const hosts = ['app.example']
const cookie = () => cookieSession({ secret, load })

const ambient = {
  cookieSession: cookie,
  basic: () => basic({ verify: load }),
  clientCertificate: () => clientCertificate({ load }),
  fromRequest: () => fromRequest(load),
  'a cookie behind a ticket': () => [ticket(), cookie()],
}
const open: Readonly<Record<string, Partial<SecureWsOptions>>> = {
  '`origins: dangerouslyAllowAnyOrigin`': { origins: dangerouslyAllowAnyOrigin, hosts },
  '`dangerouslyAllowNullOrigin: true`': { dangerouslyAllowNullOrigin: true },
  '`dangerouslyAllowFileOrigin: true`': { dangerouslyAllowFileOrigin: true },
  '`allowMissingOrigin: true`': { allowMissingOrigin: true },
}

for (const [door, options] of Object.entries(open)) {
  for (const [name, authenticate] of Object.entries(ambient)) {
    test(`CS-5 ${name} and ${door} fail together, unless danger was said twice`, async (t) => {
      await assert.rejects(startJourney(t, { ...options, authenticate: authenticate() }), (error) => {
        assert.ok(error instanceof SecureWsError)
        assert.equal(error.code, 'SWS_UNSAFE_OPTIONS')
        assert.ok(error.message.includes(door))
        assert.match(error.message, /dangerouslyAllowAmbientCredentials: true/)
        return true
      })
      const both = { ...options, authenticate: authenticate(), dangerouslyAllowAmbientCredentials: true }
      await startJourney(t, both)
    })
  }
  test(`${door} alone is fine with a token that no browser attaches`, async (t) => {
    const key = randomBytes(32)
    await startJourney(t, {
      ...options,
      authenticate: bearer({ key, algorithms: ['HS256'], issuer: 'i', audience: 'a' }),
    })
  })
}

test('a route that opens what the plugin closed fails when it is declared', async (t) => {
  const routes = (secureWs: object) => ({
    routes: (app: Parameters<NonNullable<Parameters<typeof startJourney>[2]>['routes'] & object>[0]) =>
      app.get('/open', { websocket: true, secureWs }, () => {}),
  })
  for (const secureWs of [{ allowMissingOrigin: true }, { origins: dangerouslyAllowAnyOrigin, hosts }]) {
    await assert.rejects(startJourney(t, { authenticate: cookie() }, routes(secureWs)), {
      code: 'SWS_UNSAFE_OPTIONS',
      message: /\/open secureWs combine/,
    })
    // Nobody's cookie is used where nobody is asked.
    await startJourney(t, { authenticate: cookie() }, routes({ ...secureWs, authenticate: false }))
  }
  await assert.rejects(
    startJourney(t, { authenticate: false, allowMissingOrigin: true }, routes({ authenticate: cookie() })),
    {
      code: 'SWS_UNSAFE_OPTIONS',
    },
  )
})

test('one warning lists everything that was loosened, and each is an event', async (t) => {
  const { lines, events } = await startJourney(
    t,
    {
      origins: dangerouslyAllowAnyOrigin,
      hosts,
      allowMissingOrigin: true,
      dangerouslyAllowNullOrigin: true,
      dangerouslyAllowFileOrigin: true,
      allowInsecureTransport: true,
      dangerouslyAllowAmbientCredentials: true,
      helmet: false,
      encode: 'none',
      authenticate: [
        cookieSession({ secret, load, cookie: { name: 'sid', dangerouslyAllowUnprefixedName: true } }),
        bearer({
          key: randomBytes(32),
          algorithms: ['HS256'],
          issuer: 'i',
          audience: 'a',
          dangerouslyAllowQueryToken: 'token',
        }),
      ],
    },
    {
      routes(app) {
        app.get('/anonymous', { websocket: true, secureWs: { authenticate: false } }, () => {})
        app.get('/inherits', { websocket: true }, () => {})
      },
    },
  )
  const warnings = lines.filter((line) => line.includes('"level":40') && line.includes('loosened:'))
  assert.equal(warnings.length, 1)
  const wanted = [
    'dangerouslyAllowAnyOrigin',
    'allowMissingOrigin',
    'dangerouslyAllowNullOrigin',
    'dangerouslyAllowFileOrigin',
    'allowInsecureTransport',
    'dangerouslyAllowAmbientCredentials',
    'helmet: false',
    "encode: 'none'",
    'dangerouslyAllowUnprefixedName',
    'dangerouslyAllowQueryToken',
    'authenticate: bearer has no `revalidate`',
    '/anonymous authenticate: false',
  ]
  for (const word of wanted) assert.ok(warnings[0]?.includes(word), word)
  assert.ok(!warnings[0]?.includes('/inherits'))
  const reasons = events.filter(({ type }) => type === 'options.loosened').map(({ reason }) => reason)
  assert.equal(reasons.length, wanted.length)
})

test('nothing loosened, nothing said', async (t) => {
  const { lines } = await startJourney(t, { origins: ['https://app.example'], authenticate: cookie() })
  assert.deepEqual(
    lines.filter((line) => line.includes('loosened')),
    [],
  )
})

test('explain() is the policy in force, as plain values without secrets', async (t) => {
  const { app } = await startJourney(
    t,
    { origins: ['https://app.example', 'https://*.app.example'], authenticate: [ticket(), cookie()] },
    {
      routes(application) {
        const schema = { type: 'object', properties: { text: { type: 'string', maxLength: 5 } } } as const
        application.get(
          '/chat',
          {
            websocket: true,
            secureWs: {
              authorize: () => true,
              protocols: ['chat'],
              receives: { say: { schema } },
              limits: { idle: 7_000 },
            },
          },
          () => {},
        )
        application.get('/feed', { websocket: true, secureWs: { authenticate: false, encode: 'json' } }, () => {})
      },
    },
  )
  const said = app.secureWs.explain()
  const text = JSON.stringify(said)
  // What JSON cannot carry (functions, maps, undefined) would be missing after a round trip.
  assert.deepEqual(JSON.parse(text), said)
  assert.doesNotMatch(text, /SECRETCANARY/)
  const [chat, feed] = said
  assert.equal(said.length, 2)
  const member = (of: unknown, name: string): unknown => Reflect.get(Object(of), name)
  assert.equal(member(chat, 'route'), '/chat')
  assert.deepEqual(member(chat, 'origins'), ['https://app.example', 'https://*.app.example'])
  assert.deepEqual(member(chat, 'hosts'), ['app.example'])
  assert.deepEqual(member(member(chat, 'authenticate'), 'methods'), ['ticket', 'cookieSession'])
  assert.equal(member(chat, 'authorize'), true)
  assert.deepEqual(member(chat, 'protocols'), ['chat'])
  assert.equal(member(member(chat, 'limits'), 'idle'), 7_000)
  assert.equal(member(member(feed, 'authenticate'), 'anonymous'), true)
  assert.equal(member(feed, 'encode'), 'json')
  // A copy: who changes it changes nothing.
  Object.assign(Object(member(chat, 'limits')), { idle: 1 })
  assert.equal(member(member(app.secureWs.explain()[0], 'limits'), 'idle'), 7_000)
})
