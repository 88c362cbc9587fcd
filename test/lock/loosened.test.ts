import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import {
  type Authenticator,
  basic,
  bearer,
  cookieSession,
  dangerouslyAllowAnyOrigin,
  fromRequest,
  ticket,
} from '../../src/index.ts'
import { loosened } from '../../src/lock/loosened.ts'
import type { Policy } from '../../src/lock/policy.ts'
import {
  base,
  byCookie,
  byToken,
  plugin,
  policyOf,
  route,
  rule,
  type Server,
  said,
  say,
  schema,
  yes,
} from './policy.ts'

let accepted: Policy
before(async () => {
  accepted = await policyOf(base)
})

const secret = 'of a test, and at least 48 bytes long, as HS384 wants it'
const token = { key: Buffer.from(secret), algorithms: ['HS256'], issuer: 'i', audience: 'a', typ: 'at+jwt' }
const fetched = (jwks: string) => ({ jwks, algorithms: ['RS256'], issuer: 'i', audience: 'a' })
const cookie = { secret, load: () => null, cookie: { signs: 'name-and-value' as const, maxAge: 3_600 } }
const password = { verify: () => null, refuseEvery: 250 }
const again = cookieSession({ secret, load: () => null })
const unasked = fromRequest(() => null)
const asked = fromRequest(() => null, { revalidate: yes })

/** The options of an authenticator, before and after, with what the line has to say; left out where nothing got looser. */
const credentials: Readonly<Record<string, readonly [Authenticator, Authenticator, RegExp?]>> = {
  'an audience more': [bearer(token), bearer({ ...token, audience: ['a', 'b'] }), /bearer\.audience: "b" is new/],
  'an issuer more': [bearer(token), bearer({ ...token, issuer: ['i', 'j'] }), /bearer\.issuer: "j" is new/],
  'an algorithm more': [bearer(token), bearer({ ...token, algorithms: ['HS256', 'HS384'] }), /"HS384" is new/],
  'clocks further apart': [bearer(token), bearer({ ...token, clockTolerance: 300 }), /clockTolerance: 5 became 300/],
  'any type of token': [bearer(token), bearer({ ...token, typ: undefined } as never), /typ is gone/],
  'another type of token': [bearer(token), bearer({ ...token, typ: 'JWT' }), /typ: "at\+jwt" became "JWT"/],
  'a token in one place more': [
    bearer({ ...token, from: ['protocol'] }),
    bearer(token),
    /bearer\.from: "authorization" is new/,
  ],
  'another user of the same token': [bearer(token), bearer({ ...token, userId: 'sub' }), /bearer\.userId/],
  'a session of its own making': [bearer(token), bearer({ ...token, session: () => null }), /bearer\.makesSession/],
  'keys from elsewhere': [
    bearer(fetched('https://a.example/keys')),
    bearer(fetched('https://b.example/keys')),
    /bearer\.keys: "https:\/\/a\.example\/keys" became "https:\/\/b/,
  ],
  'keys that are fetched': [
    bearer(token),
    bearer(fetched('https://a.example/keys')),
    /bearer\.keys: "key" became "https:/,
  ],
  'another query of the same keys': [
    bearer(fetched('https://a.example/keys?key=1')),
    bearer(fetched('https://a.example/keys?key=2')),
  ],
  'what another plugin knows is said to be no cookie': [
    unasked,
    fromRequest(() => null, { ambient: false }),
    /accepts\.fromRequest/,
  ],
  'what another plugin knows, by another function': [unasked, fromRequest(() => undefined)],
  'fewer audiences': [bearer({ ...token, audience: ['a', 'b'] }), bearer(token)],
  'clocks closer together': [bearer(token), bearer({ ...token, clockTolerance: 0 })],
  'a type of token': [bearer({ ...token, typ: undefined } as never), bearer(token)],
  'a token in one place less': [bearer(token), bearer({ ...token, from: ['protocol'] })],
  'the value alone is signed': [
    cookieSession(cookie),
    cookieSession({ ...cookie, cookie: { ...cookie.cookie, signs: 'value' } }),
    /cookieSession\.signs/,
  ],
  'a cookie that is kept longer': [
    cookieSession(cookie),
    cookieSession({ ...cookie, cookie: { ...cookie.cookie, maxAge: 3_601 } }),
    /cookieSession\.maxAge: 3600 became 3601/,
  ],
  'a cookie that outlives the browser': [
    cookieSession({ ...cookie, cookie: { signs: 'name-and-value' } }),
    cookieSession(cookie),
    /cookieSession\.maxAge: 3600 is new/,
  ],
  'another cookie': [
    cookieSession(cookie),
    cookieSession({ ...cookie, cookie: { ...cookie.cookie, name: '__Host-other' } }),
    /cookieSession\.cookie/,
  ],
  'a cookie that goes with the browser': [
    cookieSession(cookie),
    cookieSession({ ...cookie, cookie: { signs: 'name-and-value' } }),
  ],
  'the name is signed, too': [again, cookieSession({ ...cookie, cookie: { signs: 'name-and-value' } })],
  'the secret turned': [cookieSession(cookie), cookieSession({ ...cookie, secret: [`${secret}!`, secret] })],
  'a no that tells by its time': [
    basic(password),
    basic({ ...password, refuseEvery: 0 }),
    /basic\.refuseEvery: 250 became 0/,
  ],
  'a slower no': [basic(password), basic({ ...password, refuseEvery: 500 })],
  'tickets for the sessions of somebody else': [
    ticket({ issueFor: again }),
    ticket({ issueFor: asked }),
    /accepts\.ticket/,
  ],
  'tickets of sessions that nobody is asked about': [
    ticket({ issueFor: asked }),
    ticket({ issueFor: unasked }),
    /accepts\.ticket/,
  ],
  'tickets for whoever has a weaker cookie': [
    ticket({ issueFor: cookieSession(cookie) }),
    ticket({ issueFor: again }),
    /accepts\.ticket/,
  ],
}

const { receives } = base.route as { receives: Readonly<Record<string, object>> }
const until = new Date(Date.now() + 86_400_000).toISOString().slice(0, 10)

/** What got looser, and what the line has to say of it. */
const looser: Readonly<Record<string, readonly [Server, RegExp]>> = {
  'messages that are dropped for a slow reader': [
    route({ slowReader: 'drop' }),
    /\/chat\.slowReader: "close" became "drop"/,
  ],
  'no content security policy': [plugin({ helmet: { contentSecurityPolicy: false } }), /server\.helmet/],
  'an origin more': [
    plugin({ origins: ['https://app.example', 'https://*.shop.example', 'https://b.example'] }),
    /b\.example" is new/,
  ],
  'a deeper wildcard': [
    plugin({ origins: ['https://app.example', 'https://**.shop.example'] }),
    /\*\*\.shop\.example" is new/,
  ],
  'plain http of the same name': [plugin({ origins: ['https://app.example', 'http://a.shop.example'] }), /http:/],
  'any origin': [
    plugin({ origins: dangerouslyAllowAnyOrigin, dangerouslyAllowAmbientCredentials: true, hosts: ['app.example'] }),
    /origins/,
  ],
  'a function in the place of origins': [
    plugin({ origins: () => true, hosts: ['app.example'] }),
    /origins: .*a function/,
  ],
  'a host more': [plugin({ hosts: ['app.example', 'www.example'] }), /hosts: "www\.example" is new/],
  'clients without an origin': [
    plugin({ allowMissingOrigin: true, dangerouslyAllowAmbientCredentials: true }),
    /allowMissingOrigin: false became true/,
  ],
  'plain ws': [plugin({ allowInsecureTransport: true }), /allowInsecureTransport/],
  'a rule that only reports': [plugin({ enforce: { host: 'report', until } }), /enforce: "host" only reports/],
  'a rule of messages that only reports': [
    plugin({ enforce: { messageAuthorize: 'report', until } }),
    /enforce: "messageAuthorize" only reports/,
  ],
  'nobody is asked who they are': [route({ authenticate: false }), /authenticate\.anonymous/],
  'one more way in': [plugin({ authenticate: [byCookie, byToken] }), /methods: "bearer" is new/],
  'another authenticator': [plugin({ authenticate: byToken }), /methods: "cookieSession" is gone/],
  'a limit that is higher': [plugin({ limits: { messageBytes: 65_537 } }), /limits\.messageBytes: 65536 became 65537/],
  'a limit of the route': [
    route({ limits: { messages: { perSecond: 21 } } }),
    /limits\.messages\.perSecond: 20 became 21/,
  ],
  'a longer silence': [plugin({ limits: { heartbeat: { every: 30_000 } } }), /heartbeat\.every/],
  'asked again less often': [plugin({ session: { revalidateEvery: 60_001 } }), /server\.session\.revalidateEvery/],
  'revocations forgotten earlier': [
    plugin({ session: { revalidateEvery: 60_000, maxAge: 1_000_000 } }),
    /server\.session\.maxAge/,
  ],
  'rights that nobody has to name': [plugin({ denyByDefault: false }), /server\.denyByDefault: true became false/],
  'no authorize of the route': [
    { plugin: { ...base.plugin, denyByDefault: false }, route: { ...base.route, authorize: undefined } },
    /\/chat\.authorize: true became false/,
  ],
  'no authorize of a message': [
    { plugin: { ...base.plugin, denyByDefault: false }, route: rule({ authorize: undefined }).route },
    /receives\.say\.authorized/,
  ],
  'no rate': [rule({ rate: undefined }), /receives\.say\.rate is gone/],
  'a higher burst': [rule({ rate: { perSecond: 5, burst: 11 } }), /receives\.say\.rate\.burst/],
  'no replay protection': [rule({ replay: undefined }), /receives\.say\.replay is gone/],
  'a wider window': [rule({ replay: { window: 30_001 } }), /replay\.window/],
  'no step up': [rule({ freshAuth: undefined }), /receives\.say\.freshAuth is gone/],
  'a message type more': [
    route({ receives: { ...receives, shout: { schema: say, authorize: yes } } }),
    /receives\.shout is new/,
  ],
  'nothing declared comes in raw': [
    route({ receives: undefined, binary: undefined, sends: { said: { schema: said } } }),
    /receives is gone/,
  ],
  'a media type more': [route({ binary: ['image/png', 'image/gif'] }), /binary: "image\/gif" is new/],
  'a longer text': [
    schema({ properties: { ...say.properties, text: { type: 'string', maxLength: 101 } } }),
    /schemas\.receives\.say/,
  ],
  'a member more': [
    schema({ properties: { ...say.properties, admin: { type: 'boolean' } } }),
    /schemas\.receives\.say/,
  ],
  'a word more': [
    schema({ properties: { ...say.properties, kind: { enum: ['note', 'call', 'sudo'] } } }),
    /schemas\.receives\.say/,
  ],
  'an open object': [schema({ additionalProperties: true }), /schemas\.receives\.say/],
  'a member that may be missing': [schema({ required: [] }), /schemas\.receives\.say/],
  'a type that may be null': [
    schema({ properties: { ...say.properties, to: { type: 'string', nullable: true } } }),
    /schemas\.receives\.say/,
  ],
  'anything may leave': [route({ sends: undefined }), /sends: \["said","gone"\] became "anything"/],
  'a type more leaves': [
    route({ sends: { said: { schema: said }, gone: { schema: { type: 'object' } }, secret: { schema: said } } }),
    /sends: "secret" is new/,
  ],
  'a member more leaves': [
    route({
      sends: {
        said: { schema: { ...said, properties: { ...said.properties, hash: { type: 'string' } } } },
        gone: { schema: { type: 'object' } },
      },
    }),
    /schemas\.sends\.said/,
  ],
  'another value leaves': [rule({ reply: { type: ['number', 'string'] } }), /schemas\.replies\.say/],
  'a client is asked more': [
    route({ sends: { said: { schema: said, reply: { type: 'boolean' } }, gone: { schema: { type: 'object' } } } }),
    /schemas\.answers\.said is new/,
  ],
  'a wider answer of a client': [
    route({
      sends: { said: { schema: said }, gone: { schema: { type: 'object' }, reply: { type: ['boolean', 'null'] } } },
    }),
    /schemas\.answers\.gone/,
  ],
  'more requests at once': [route({ limits: { requests: 17 } }), /limits\.requests: 16 became 17/],
  'text becomes markup': [
    route({
      sends: {
        said: {
          schema: {
            ...said,
            properties: { ...said.properties, text: { type: 'string', contentMediaType: 'text/html' } },
          },
        },
        gone: { schema: { type: 'object' } },
      },
    }),
    /schemas\.sends\.said/,
  ],
  'an encoding off': [route({ encode: 'none' }), /encode: "html" became "none"/],
  'a weaker encoding': [plugin({ encode: 'json' }), /encode: "html" became "json"/],
  'an upgrade that nobody guards': [
    plugin({ dangerouslyLeaveUpgrades: ['/hmr'] }),
    /dangerouslyLeaveUpgrades: "\/hmr" is new/,
  ],
  'another profile': [plugin({ sanitize: { profile: 'rich' } }), /server\.sanitize\.profile/],
  'no early refusal': [plugin({ earlyRefusal: false }), /server\.earlyRefusal/],
}

/** What got tighter, or is another thing that lets through no more. */
const passing: Readonly<Record<string, Server>> = {
  nothing: base,
  'a client is asked nothing': route({ sends: { said: { schema: said }, gone: { schema: { type: 'object' } } } }),
  'a narrower answer of a client': route({
    sends: { said: { schema: said }, gone: { schema: { type: 'object' }, reply: { const: true, type: 'boolean' } } },
  }),
  'fewer requests at once': route({ limits: { requests: 1 } }),
  'an origin less': plugin({ origins: ['https://app.example'], hosts: ['app.example'] }),
  'one of the shops': plugin({ origins: ['https://app.example', 'https://a.shop.example'], hosts: ['app.example'] }),
  'origins in another order': plugin({ origins: ['https://*.shop.example', 'https://app.example'] }),
  'an authenticator that is made anew': plugin({ authenticate: [byCookie] }),
  'a lower limit': plugin({ limits: { messageBytes: 1_000, connections: 100, messages: { perSecond: 1, burst: 2 } } }),
  'a shorter silence': plugin({ limits: { heartbeat: { every: 10_000, timeout: 5_000 }, idle: 60_000 } }),
  'asked again more often': plugin({ session: { revalidateEvery: 1_000 } }),
  'revocations remembered longer': plugin({ session: { revalidateEvery: 60_000, maxAge: 3_000_000_000 } }),
  'an audit function': plugin({ audit: () => {} }),
  'another drain': plugin({ limits: { drain: { batch: 1, every: 5_000 } } }),
  'another authorize': route({ authorize: () => false }),
  'no sub-protocol, or another': route({ protocols: ['chat.v2', 'chat.v1'] }),
  'no binary frames': route({ binary: undefined }),
  'a type less': route({ receives: { say: receives.say } }),
  'nothing comes in': route({ receives: {}, binary: undefined }),
  'a slower rate': rule({ rate: { perSecond: 1, burst: 1 } }),
  'a rate where there was none': route({
    receives: { ...receives, leave: { schema: { type: 'object' }, authorize: yes, rate: { perSecond: 1 } } },
  }),
  'a smaller window': rule({ replay: { window: 1_000 } }),
  'a fresher session': rule({ freshAuth: 1_000 }),
  'a shorter text, with a pattern': schema({
    properties: { ...say.properties, text: { type: 'string', maxLength: 50, pattern: '^a' } },
  }),
  'a member less': schema({ properties: { text: say.properties.text } }),
  'a member that must be there': schema({ required: ['text', 'to'] }),
  'a word less': schema({ properties: { ...say.properties, kind: { enum: ['note'] } } }),
  'one word': schema({ properties: { ...say.properties, kind: { const: 'call' } } }),
  'words about a schema': schema({ title: 'Say', description: 'Says it.', $comment: 'reviewed' }),
  'members in another order': schema({ properties: Object.fromEntries(Object.entries(say.properties).reverse()) }),
  'a text that is cleaned': schema({ properties: { ...say.properties, to: { type: 'string', sanitize: ['trim'] } } }),
  'a type less leaves': route({ sends: { said: { schema: said } } }),
  'a member less leaves': route({ sends: { said: { schema: { ...said, properties: { by: { type: 'string' } } } } } }),
  'no reply': rule({ reply: undefined }),
  'a whole number for a number': rule({ reply: { type: 'integer' } }),
}

test('each of these is told as looser, in one line that says what', async (t) => {
  for (const [name, [server, line]] of Object.entries(looser)) {
    await t.test(name, async () => {
      const lines = loosened(accepted, await policyOf(server))
      assert.ok(lines.length > 0, 'not seen')
      assert.ok(
        lines.some((each) => line.test(each)),
        lines.join('\n'),
      )
      for (const each of lines) assert.match(each, /^[\x20-\x7e]{1,300}$/)
    })
  }
  assert.ok(Object.keys(looser).length >= 40)
})

test('each of these passes', async (t) => {
  for (const [name, server] of Object.entries(passing)) {
    await t.test(name, async () => assert.deepEqual(loosened(accepted, await policyOf(server)), []))
  }
  assert.ok(Object.keys(passing).length >= 30)
})

test('a route more is told, a route less is not; a setting that nobody knows counts', async () => {
  const more = await policyOf(base, { '/new': { authorize: yes, receives: {}, sends: {} } })
  assert.deepEqual(loosened(accepted, more), ['/new is new'])
  assert.deepEqual(loosened(more, accepted), [])
  const chat = accepted.routes['/chat']
  assert.ok(chat)
  const unknown = { ...accepted, routes: { '/chat': { ...chat, dangerouslyTurbo: true } } }
  assert.deepEqual(loosened(accepted, unknown), ['/chat.dangerouslyTurbo: nothing became true'])
  assert.deepEqual(loosened(unknown, accepted), ['/chat.dangerouslyTurbo: true became nothing'])
  assert.deepEqual(loosened(unknown, unknown), [])
})

test('a name of a route or a message cannot write to a terminal, nor hide behind a prototype', async () => {
  const evil = await policyOf(base, { '/\u001b[2Kfine\nlooser': { authorize: yes, receives: {}, sends: {} } })
  const [line] = loosened(accepted, evil)
  assert.equal(line, '/\\u001b[2Kfine\\u000alooser is new')
  const sends = { ...(base.route.sends as object) }
  Object.defineProperty(sends, '__proto__', { value: { schema: said }, enumerable: true })
  assert.deepEqual(loosened(accepted, await policyOf(route({ sends }))), ['/chat.sends: "__proto__" is new'])
})

for (const [what, [before, after, line]] of Object.entries(credentials)) {
  test(`${line === undefined ? 'no looser' : 'looser'}, of a credential: ${what}`, async () => {
    const of = (authenticate: Authenticator) => policyOf({ ...base, plugin: { ...base.plugin, authenticate } })
    const lines = loosened(await of(before), await of(after))
    if (line === undefined) assert.deepEqual(lines, [])
    else assert.match(lines.join('\n'), line)
  })
}

test('of two bearers each is compared with itself', async () => {
  const two = (audience: string | string[]) =>
    policyOf(plugin({ authenticate: [bearer(token), bearer({ ...token, audience })] }))
  const [before, after] = await Promise.all([two('b'), two(['b', 'c'])])
  assert.match(loosened(before, after).join('\n'), /bearer#2\.audience: "c" is new/)
  assert.deepEqual(loosened(after, before), [])
})

test('no secret of an authenticator is in the policy', async () => {
  const ofKeys = bearer(fetched(`https://a.example/keys?key=${encodeURIComponent(secret)}`))
  for (const authenticate of [
    bearer(token),
    ofKeys,
    cookieSession(cookie),
    ticket({ issueFor: cookieSession(cookie) }),
  ]) {
    const text = JSON.stringify(await policyOf({ ...base, plugin: { ...base.plugin, authenticate } }))
    assert.ok(
      !text.includes(secret) &&
        !text.includes(encodeURIComponent(secret)) &&
        !text.includes(Buffer.from(secret).toString('base64').slice(0, 20)),
    )
  }
})
