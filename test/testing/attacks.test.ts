import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import cookie from '@fastify/cookie'
import websocket from '@fastify/websocket'
import { Ajv } from 'ajv'
import Fastify, { type FastifyInstance } from 'fastify'
import secureWs, {
  cookieSession,
  dangerouslyAllowAnyOrigin,
  type SecureWsOptions,
  type Session,
} from 'fastify-secure-ws'
import {
  type AttackOptions,
  type AttackReport,
  attacks,
  type Clock,
  type Hole,
  takeClock,
} from 'fastify-secure-ws/testing'
import type { WebSocket } from 'ws'
import { createChat } from '../../demo/chat.ts'
import { requireBuild } from '../harness/built.ts'
import { root } from '../house/source-files.ts'

requireBuild()

/** What people write: @fastify/websocket, a cookie that nobody verifies, JSON that nobody checks. */
async function bareChat(t: TestContext): Promise<FastifyInstance> {
  const app = Fastify({ forceCloseConnections: true })
  t.after(() => app.close())
  await app.register(cookie)
  await app.register(websocket)
  const sockets = new Set<WebSocket>()
  const chat = (socket: WebSocket, request: { readonly cookies: Readonly<Record<string, string | undefined>> }) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('message', (data) => {
      const { type, text, code } = JSON.parse(String(data))
      if (type === 'code' && !/^(a+)+$/.test(code)) return socket.send(JSON.stringify({ type: 'wrong' }))
      for (const each of sockets) each.send(JSON.stringify({ type: 'said', by: request.cookies.session, text }))
    })
  }
  app.get('/chat', { websocket: true }, chat)
  app.get('/rooms/:id', { websocket: true }, chat)
  return app
}

const object = (properties: object) => ({ type: 'object', properties, required: Object.keys(properties) })
const bareOptions: AttackOptions = {
  roles: {
    ada: {
      headers: { cookie: 'session=ada.c2lnbmF0dXJl' },
      foreignPaths: ['/rooms/grace'],
      foreignMessages: [{ type: 'say', text: 'psst', to: 'grace' }],
      expired: { cookie: 'session=ada.ZXhwaXJlZA' },
      signOut: () => {},
    },
    guest: { headers: { cookie: 'session=guest.c2lnbmF0dXJl' }, may: ['say'] },
  },
  messages: {
    say: { schema: object({ text: { type: 'string' } }), once: true },
    code: { schema: object({ code: { type: 'string', pattern: '^(a+)+$' } }) },
  },
}

let bare: AttackReport
const codesOf = (holes: readonly Hole[]) => [...new Set(holes.map(({ code }) => code))].sort()

test('a bare @fastify/websocket application: every kind of hole that it has, and the process lives on', async (t) => {
  using clock: Clock = takeClock()
  bare = await attacks(await bareChat(t), '/chat', { ...bareOptions, clock })
  assert.deepEqual(codesOf(bare.holes), [
    'crash',
    'crowd',
    'deaf-reader',
    'duplicate-key',
    'expired-session',
    'extra-member',
    'flood',
    'foreign-message',
    'foreign-origin',
    'foreign-path',
    'half-message',
    'markup',
    'missing-right',
    'no-origin',
    'no-session',
    'null-origin',
    'odd-handshake',
    'oversize',
    'prototype',
    'replayed',
    'slow-pattern',
    'stale-session',
    'unknown-type',
    'wrong-host',
    'wrong-type',
  ])
  assert.deepEqual(bare.rights, {
    ada: { say: 'delivered', code: 'delivered' },
    guest: { say: 'delivered', code: 'delivered' },
  })
})

test('the demo: no hole, and hardly anything that could not be judged', async (t) => {
  const app = await createChat({ certificate: undefined, attackerUrl: 'http://127.0.0.1:1' })
  t.after(() => app.close())
  const signIn = await app.inject({
    method: 'POST',
    url: '/sign-in',
    // The port of a request that came by none.
    headers: { 'content-type': 'application/x-www-form-urlencoded', origin: 'http://localhost:undefined' },
    payload: 'name=grace&moderator=yes',
  })
  const cookieLine = String(signIn.headers['set-cookie']).split(';')[0] ?? ''
  const ada = { session: { id: 's1', userId: 'ada' }, may: ['say', 'post'] }
  const report = await attacks(app, '/chat', { roles: { ada, moderator: { headers: { cookie: cookieLine } } } })
  assert.deepEqual(report.holes, [], String(report))
  assert.deepEqual(report.rights, {
    ada: { say: 'delivered', post: 'delivered', whisper: 'SWS_FORBIDDEN', kick: 'SWS_FORBIDDEN' },
    moderator: { say: 'delivered', post: 'delivered', whisper: 'delivered', kick: 'delivered' },
  })
  assert.ok(report.rows.length > 100, `${report.rows.length}`)
  assert.deepEqual(
    report.notJudged.map(({ attack }) => attack),
    ['a socket of somebody who has signed out'],
    String(report),
  )
  const events = await attacks(app, '/events', { roles: { ada } })
  assert.deepEqual(events.holes, [], String(events))
})

test('near misses: the examples have no hole but those that they say they have', async () => {
  const files = ['bearer', 'cookie-session', 'guarded', 'rich-text', 'rooms', 'enforce']
  const secrets = { TOKEN_SECRET: 'x'.repeat(64), COOKIE_SECRET: 'y'.repeat(64) }
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [`${root}test/testing/attack-example.ts`, ...files.map((name) => `${root}examples/${name}.ts`)],
    { env: { ...process.env, ...secrets }, maxBuffer: 64 * 1024 * 1024 },
  )
  const found = stdout.split('\n').flatMap((line) => (line.startsWith('found ') ? [JSON.parse(line.slice(6))] : []))
  assert.equal(found.length, files.length)
  const [enforce, ...others] = found.reverse()
  for (const { file, holes, attacks: made } of others) {
    assert.deepEqual(holes, [], file)
    assert.ok(made >= 17, `${file}: ${made}`)
  }
  // It lets everybody in for now, and tells what it would refuse.
  assert.ok(enforce.holes.length > 3)
})

/** Each guard given up, one after the other: the kit sees what is open then, and nothing else. */
const loosened: readonly (readonly [string, readonly string[], Partial<SecureWsOptions>, RouteChanges?])[] = [
  ['nothing', [], {}],
  ['transport', ['plain-text'], { allowInsecureTransport: true }],
  [
    'origins',
    ['foreign-origin', 'no-origin', 'null-origin'],
    {
      origins: dangerouslyAllowAnyOrigin,
      hosts: ['app.example'],
      allowMissingOrigin: true,
      dangerouslyAllowNullOrigin: true,
      dangerouslyAllowAmbientCredentials: true,
    },
  ],
  ['encoding', ['markup'], { encode: 'none' }],
  // Said so: any member is meant, and is no hole.
  [
    'the members of one type',
    [],
    {},
    { note: { schema: { ...object({ text: { type: 'string' } }), additionalProperties: true } } },
  ],
  ['rights', ['missing-right'], {}, { pay: { authorize: () => true } }],
]

type RouteChanges = Readonly<Record<string, object>>

for (const [name, expected, options, changes = {}] of loosened) {
  test(`an application with the plugin that gives up ${name}`, async (t) => {
    const app = Fastify({ forceCloseConnections: true })
    t.after(() => app.close())
    const signedIn = cookieSession({ secret: 'x'.repeat(32), load: () => null })
    await app.register(secureWs, { authenticate: signedIn, ...options })
    const text = object({ text: { type: 'string', maxLength: 200 } })
    const sum = object({
      cents: { type: 'integer', minimum: 1 },
      to: { type: 'string', pattern: '^[A-Z]{2}-[0-9]{3}$', maxLength: 6 },
    })
    const receives = {
      note: { schema: text, ...changes.note },
      pay: { schema: sum, replay: { window: 30_000 }, freshAuth: 60_000, authorize: isClerk, ...changes.pay },
    }
    app.route({
      method: 'GET',
      url: '/desk/:id',
      handler: async () => 'a page',
      secureWs: {
        receives,
        authorize: (session: Session | null, request: { params: { id: string } }) =>
          request.params.id === session?.userId,
      },
      wsHandler: (socket: WebSocket) => {
        socket.on('note', ({ text }: { text: string }) =>
          socket.send(JSON.parse(JSON.stringify({ type: 'noted', text }))),
        )
        socket.on('pay', () => 'paid')
      },
    } as never)
    const now = Date.now()
    const report = await attacks(app, '/desk/ada', {
      roles: {
        ada: { session: { id: 's1', userId: 'ada', authenticatedAt: now }, foreignPaths: ['/desk/bob'] },
        bob: { session: { id: 's2', userId: 'bob', authenticatedAt: now }, path: '/desk/bob', may: ['note'] },
      },
    })
    assert.deepEqual(codesOf(report.holes), [...expected], String(report))
    const attacksOn = (type: string) =>
      report.rows.filter(({ message }) => message === type).map(({ attack }) => attack)
    assert.ok(attacksOn('pay').includes('the same message again'))
    assert.ok(attacksOn('pay').includes('from a session that signed in long ago'))
  })
}

const isClerk = (session: Session | null) => session?.userId === 'ada'

const codeScanning = async (): Promise<object> => {
  const path = createRequire(import.meta.url).resolve('@microsoft/jest-sarif')
  const text = await readFile(path.replace(/lib\/.*$/, 'lib/schemas/sarif-2.1.0-rtm.5.json'), 'utf8')
  // Draft 4, of which it uses nothing that later ones read otherwise.
  const { $schema: _draft, id: _id, ...schema } = JSON.parse(text)
  return schema
}

test('SARIF: valid by the schema of OASIS, with what code scanning asks for, and with what is accepted', async (t) => {
  const validate = new Ajv({ strict: false, validateFormats: false, unicodeRegExp: false, logger: false }).compile(
    await codeScanning(),
  )
  const app = await bareChat(t)
  const accepted = await attacks(app, '/chat', {
    roles: { ada: { headers: { cookie: 'session=ada.c2ln' } } },
    accept: { 'wrong-host': 'a proxy in front knows one name' },
  })
  for (const log of [bare.toSARIF(), accepted.toSARIF('src/chat.ts')]) {
    assert.ok(validate(JSON.parse(JSON.stringify(log))), JSON.stringify(validate.errors))
  }
  assert.ok(!validate({ ...bare.toSARIF(), version: '2.0.0' }))
  assert.ok(!codesOf(accepted.holes).includes('wrong-host'))
  assert.deepEqual(codesOf(accepted.accepted), ['wrong-host'])
  const [run] = JSON.parse(JSON.stringify(accepted.toSARIF('src/chat.ts'))).runs
  const rules = new Map(run.tool.driver.rules.map((rule: { id: string }) => [rule.id, rule]))
  for (const result of run.results) {
    assert.ok(rules.has(result.ruleId) && result.message.text.includes('/chat'))
    assert.equal(result.locations[0].physicalLocation.artifactLocation.uri, 'src/chat.ts')
    assert.ok(result.partialFingerprints['hole/v1'])
    assert.deepEqual(
      result.suppressions,
      result.ruleId === 'wrong-host'
        ? [{ kind: 'external', justification: 'a proxy in front knows one name' }]
        : undefined,
    )
  }
  const prints = run.results.map((each: { partialFingerprints: object }) => JSON.stringify(each.partialFingerprints))
  assert.equal(new Set(prints).size, prints.length)
})

test('the report in words: each hole with its meaning and what to write, and the table', () => {
  const words = String(bare)
  assert.match(
    words,
    /^foreign-origin \(ada\): a page of another origin\.\n {2}A page of another origin opens .*\n {2}Write `origins: /m,
  )
  assert.match(words, /^role +message +attack +outcome +hole$/m)
  assert.match(words, /^guest +code +a right message +delivered +missing-right$/m)
})

test('docs/testing.md has a row for each kind of hole, with its meaning and what to write', async () => {
  const page = await readFile(`${root}docs/testing.md`, 'utf8')
  const [run] = JSON.parse(JSON.stringify(bare.toSARIF())).runs
  for (const { id, shortDescription, fullDescription, properties } of run.tool.driver.rules) {
    const means: string = shortDescription.text
    const write: string = fullDescription.text.slice(means.length + ' Write '.length, -1)
    const weakness: string = properties.tags[1].replace('external/cwe/cwe-', 'CWE-')
    assert.ok(page.includes(`| \`${id}\` | ${weakness} | ${means} | ${write} |`), id)
  }
})

test('a route that refuses everybody proves nothing; neither does nobody', async (t) => {
  const app = await createChat({ certificate: undefined, attackerUrl: 'http://127.0.0.1:1' })
  t.after(() => app.close())
  await assert.rejects(
    attacks(app, '/chat', { roles: { ada: {} } }),
    /ada: SWS_UNAUTHENTICATED.*`session` or `headers`/,
  )
  await assert.rejects(attacks(app, '/chat', { roles: {} }), /write `roles: \{ ada/)
})

test('what cannot be told is no hole: nothing comes back, a token that no page has, no clock', async (t) => {
  const app = Fastify({ forceCloseConnections: true })
  t.after(() => app.close())
  await app.register(websocket)
  app.get('/in', { websocket: true }, (socket: WebSocket) => socket.on('message', () => {}))
  const messages = { say: { schema: object({ text: { type: 'string' } }), once: true } }
  const report = await attacks(app, '/in', { roles: { meter: { headers: { authorization: 'Bearer x' } } }, messages })
  const unjudged = [
    'foreign-origin',
    'null-origin',
    'no-origin',
    'plain-text',
    'replayed',
    'half-message',
    'extra-member',
  ]
  assert.deepEqual(
    codesOf(report.holes).filter((code) => unjudged.includes(code)),
    [],
  )
  assert.ok(report.notJudged.some(({ because }) => because.includes('takeClock()')))
  assert.ok(report.notJudged.some(({ because }) => because.includes('nothing comes back')))
})
