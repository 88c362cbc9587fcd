import assert from 'node:assert/strict'
import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import type { SecureWsOptions } from '../../src/index.ts'
import { UpgradedStreams } from '../../src/ws/upgraded-streams.ts'
import fc from '../harness/fast-check.ts'
import { until } from '../harness/until.ts'
import { type Asked, closedByServer, type HeaderChanges, type Journey, startJourney } from './journey.ts'

// What is refused on `upgrade` must be what the hook would have said, to the byte, and nothing else may be refused there.

const lists: Partial<SecureWsOptions> = {
  origins: ['https://app.example', 'https://*.example.org', 'chrome-extension://abc'],
  hosts: ['app.example', 'app.example:8443'],
  allowInsecureTransport: true,
}
const host = { Host: 'app.example' }
const foreign: Asked = { headers: { ...host, Origin: 'https://evil.example' } }
const listed: Asked = { headers: { ...host, Origin: 'https://app.example' } }

interface Watched extends Journey {
  /** Upgrades that came as far as a hook of the application which stands in front of the plugin. */
  readonly hooked: () => number
}

async function start(
  t: Parameters<typeof startJourney>[0],
  options: Partial<SecureWsOptions>,
  { routes, before, ...rest }: Parameters<typeof startJourney>[2] = {},
): Promise<Watched> {
  let hooked = 0
  const journey = await startJourney(
    t,
    { ...lists, ...options },
    {
      ...rest,
      async before(app) {
        app.addHook('onRequest', async () => {
          hooked++
        })
        await before?.(app)
      },
      routes: routes ?? everyRoute,
    },
  )
  return { ...journey, hooked: () => hooked }
}

function everyRoute(app: FastifyInstance): void {
  const socket = { websocket: true } as const
  app.get('/ws', socket, () => {})
  app.get('/other', { ...socket, secureWs: { origins: ['https://other.example'] } }, () => {})
  app.get('/same', { ...socket, secureWs: { origins: 'same-origin' } }, () => {})
  app.get('/asks', { ...socket, secureWs: { origins: () => false } }, () => {})
  app.get('/rooms/:id', socket, () => {})
  app.get('/own', { ...socket, helmet: { frameguard: false } }, () => {})
  app.get('/plain', () => 'plain')
}

/** How many of these handshakes came to the hook. */
async function hookedBy({ ask, hooked }: Watched, ...asked: readonly Asked[]): Promise<number> {
  const before = hooked()
  for (const each of asked) await ask(each)
  return hooked() - before
}

const said = (text: string) => text.replace(/\r\nDate: [^\r]+/i, '\r\nDate: -')

test('the first one comes to the hook, and those after it are refused on `upgrade`', async (t) => {
  const server = await start(t, {})
  assert.equal(await hookedBy(server, foreign), 1)
  assert.equal(await hookedBy(server, foreign, foreign, foreign), 0)
  assert.equal(server.refusals().length, 4)
  assert.equal(await hookedBy(server, listed), 1)
})

test('`earlyRefusal: false` leaves every handshake to the hooks', async (t) => {
  const server = await start(t, { earlyRefusal: false })
  assert.equal(await hookedBy(server, foreign, foreign, foreign), 3)
})

const target = fc.constantFrom(
  '/ws',
  '/ws',
  '/ws',
  '/ws?a=1',
  '/other',
  '/same',
  '/asks',
  '/rooms/7',
  '/own',
  '/plain',
  '/nowhere',
  '/WS',
  '/%77s',
  '//ws',
  '/ws/',
)
const origin = fc.constantFrom(
  'https://evil.example',
  'https://evil.example',
  'https://app.example.evil.example',
  'HTTPS://EVIL.EXAMPLE',
  'https://EVIL.example:443',
  'http://app.example',
  'https://a.b.example.org',
  'https://a.example.org',
  'https://app.example',
  'https://APP.example',
  'https://app.example:443',
  'https://app.example/',
  'https://other.example',
  'chrome-extension://abc',
  'chrome-extension://other',
  'file://',
  'null',
  '',
  'https://\u00e4.example',
  `https://${'a'.repeat(300)}.example`,
  'not an origin',
)
/** Set over a handshake that is foreign and otherwise right: two of these at most, or nearly every one would be a 400. */
const changes: readonly fc.Arbitrary<HeaderChanges>[] = [
  fc.record({ Origin: fc.oneof(origin, fc.tuple(origin, origin), fc.constant(undefined)) }),
  fc.record({ Origin: origin }),
  fc.record({ Host: fc.constantFrom('app.example:8443', 'evil.example', 'app.example, x', '[::1', undefined) }),
  fc.constant({ Host: ['app.example', 'app.example'] }),
  fc.record({ 'Sec-WebSocket-Version': fc.constantFrom('8', '14', '013') }),
  fc.constant({ 'Sec-WebSocket-Key': 'short' }),
  fc.record({ 'Sec-WebSocket-Protocol': fc.constantFrom('chat', 'a, a', 'a,,b') }),
  fc.record({ 'Sec-Fetch-Site': fc.constantFrom('cross-site', 'same-origin', 'nonsense') }),
  fc.record({ 'Sec-Fetch-Mode': fc.constantFrom('websocket', 'navigate') }),
  fc.record({ 'X-Forwarded-For': fc.constantFrom('10.0.0.1', '1.2.3.4, 5.6.7.8') }),
  fc.constant({ 'X-Forwarded-Host': 'elsewhere.example', 'X-Forwarded-Proto': 'https' }),
  fc.record({ Cookie: fc.constantFrom('a=b', '__Host-session=x.y') }),
  fc.record({ 'Content-Length': fc.constantFrom('0', '4') }),
  fc.record({ 'X-Noise': fc.string({ maxLength: 40 }).map((text) => text.replace(/[^\x20-\x7e]/g, '.')) }),
]
const headers: fc.Arbitrary<HeaderChanges> = fc
  .array(fc.oneof(...changes), { maxLength: 2 })
  .map((made) => Object.assign({}, foreign.headers, ...made))

const asked = fc.record({ target, headers, method: fc.constantFrom('GET', 'GET', 'GET', 'GET', 'POST') })

for (const tls of [false, true]) {
  test(`400 random handshakes get the same bytes and the same event, early or not${tls ? ' (TLS)' : ''}`, async (t) => {
    const routine = { tls, server: { trustProxy: false } }
    const early = await start(t, {}, routine)
    const late = await start(t, { earlyRefusal: false }, routine)
    for (const path of ['/ws', '/other']) {
      await early.ask({ ...foreign, target: path })
      await late.ask({ ...foreign, target: path })
    }
    const hookedBefore = [early.hooked(), late.hooked()] as const
    for (const each of fc.sample(asked, { numRuns: 400, seed: tls ? 2 : 1 })) {
      const [one, other] = await Promise.all([early.ask(each), late.ask(each)])
      assert.equal(said(one.text), said(other.text), JSON.stringify(each))
    }
    const told = ({ events }: Journey) =>
      events
        .filter(({ type }) => type === 'handshake.refused')
        .map(({ at: _at, durationMs, ...event }) => ({ ...event, durationMs: typeof durationMs }))
    await until(() => told(early).length === told(late).length, 'every event was told')
    assert.deepEqual(told(early), told(late))
    const [ofEarly, ofLate] = [early.hooked() - hookedBefore[0], late.hooked() - hookedBefore[1]]
    assert.ok(ofLate - ofEarly > 50, `${ofLate - ofEarly} were refused early`)
  })
}

test('what a request of the framework is needed for is left to the hook', async (t) => {
  const server = await start(t, {})
  for (const path of ['/ws', '/other', '/same', '/asks', '/rooms/7', '/own', '/plain']) {
    await server.ask({ ...foreign, target: path })
  }
  for (const path of ['/same', '/asks', '/rooms/7', '/own', '/plain', '/nowhere', '/%77s']) {
    assert.equal(await hookedBy(server, { ...foreign, target: path }), 1, path)
  }
  const at = (changes: HeaderChanges) => hookedBy(server, { headers: { ...host, ...changes } })
  assert.equal(await at({ Origin: undefined }), 1, 'no origin')
  assert.equal(await at({ Origin: ['https://evil.example', 'https://evil.example'] }), 1, 'two origins')
  assert.equal(await at({ Origin: 'https://evil.example', Host: 'evil.example' }), 1, 'another host comes first')
})

for (const [what, options] of [
  ['trustProxy', { server: { trustProxy: '10.0.0.1' } }],
  ['rewriteUrl', { server: { rewriteUrl: ({ url }: { url: string }) => url } }],
  [
    '@fastify/helmet of the application',
    { before: async (app: FastifyInstance) => app.register((await import('@fastify/helmet')).default) },
  ],
] as const) {
  test(`with ${what} every handshake is the hook's`, async (t) => {
    const server = await start(t, {}, options)
    assert.equal(await hookedBy(server, foreign, foreign, foreign), 3)
  })
}

test('two routes of one path, told apart by a constraint, are left to the hook', async (t) => {
  const server = await start(
    t,
    {},
    {
      routes(app) {
        app.get('/ws', { websocket: true }, () => {})
        app.get('/ws', { constraints: { host: 'app.example' } }, () => 'plain')
      },
    },
  )
  assert.equal(await hookedBy(server, foreign, foreign), 2)
})

test('an address that was refused too often is refused on `upgrade` as well, with the same answer', async (t) => {
  const limits = { refusedPerMinutePerAddress: 3 }
  const early = await start(t, { limits })
  const late = await start(t, { limits, earlyRefusal: false })
  for (let turn = 0; turn < 6; turn++) {
    const [one, other] = [await early.ask(foreign), await late.ask(foreign)]
    const withoutSeconds = (text: string) => said(text).replace(/retry-after: \d+/, 'retry-after: -')
    assert.equal(one.status, turn < 3 ? 403 : 429)
    assert.equal(withoutSeconds(one.text), withoutSeconds(other.text))
  }
  assert.deepEqual(
    early.refusals().map(([code]) => code),
    late.refusals().map(([code]) => code),
  )
  assert.equal(early.hooked(), 1)
  // Nobody else is in that budget, and a page that may connect is: the answer is the same for both.
  assert.equal((await early.ask(listed)).status, (await late.ask(listed)).status)
})

test('1,000 early refusals leave neither a stream nor a count behind', async (t) => {
  const server = await start(t, { limits: { refusedPerMinutePerAddress: 1_000_000 } })
  await server.ask(foreign)
  for (let turn = 0; turn < 20; turn++) {
    await Promise.all(
      Array.from({ length: 50 }, async (_, at) => {
        const { connection } = await server.open(foreign)
        if (at % 2 === 0) connection.reset()
        else await closedByServer(connection)
      }),
    )
  }
  const open = () => new Promise<number>((resolve) => server.app.server.getConnections((_e, count) => resolve(count)))
  await until(async () => (await open()) === 0, 'no connection was left')
  assert.equal(server.refusals().length, 1_001)
  assert.equal(server.hooked(), 1)
  assert.equal(server.app.secureWs.stats().connections, 0)
})

test('the server closes while refused clients read nothing', async (t) => {
  const server = await start(t, {}, { tls: true })
  await server.ask(foreign)
  for (let client = 0; client < 20; client++) {
    const { connection } = await server.open(foreign)
    connection.socket.pause()
  }
  await sleep(10)
  await server.app.close()
})

// Attack: what throws in an event of the server, where no framework stands around it, ends the process.
test('a logger that throws costs one answer, and no process', async (t) => {
  let broken = false
  const note = () => {
    if (broken) throw new Error('the disk is full')
  }
  const log = { level: 'info', fatal: note, error: note, warn: note, info() {}, debug() {}, trace() {} }
  const loggerInstance = { ...log, child: () => loggerInstance }
  const server = await start(t, {}, { server: { logger: undefined, loggerInstance } })
  assert.equal((await server.ask(foreign)).status, 403)
  broken = true
  assert.equal(await hookedBy(server, foreign), 1)
  broken = false
  assert.equal(await hookedBy(server, foreign), 0)
})

/** Refused streams alone, whose clients take no answer. */
function refusing(
  t: TestContext,
  deadline: number,
  write: (bytes: Buffer, done: () => void) => void = () => {},
): { take(): { readonly stream: Duplex; readonly refused: boolean } } {
  const streams = new UpgradedStreams({
    deadline,
    most: 2,
    now: () => performance.now(),
    apart: (work) => work(),
    report() {},
    release() {},
    refuse: () => Buffer.from('HTTP/1.1 403 Forbidden\r\n\r\n'),
  })
  t.after(() => streams.close())
  return {
    take() {
      let refused = true
      const stream = new Duplex({ read() {}, write: (bytes, _encoding, done) => write(bytes, done) })
      const raw = Object.assign(new IncomingMessage(new Socket()), { url: '/ws' })
      streams.take(raw, stream, Buffer.alloc(0), () => {
        refused = false
      })
      return { stream, refused }
    },
  }
}

test('a refused stream whose answer the kernel has goes in the same turn, after one write', (t) => {
  const written: string[] = []
  const { take } = refusing(t, 60_000, (bytes, done) => {
    written.push(String(bytes))
    done()
  })
  const { stream, refused } = take()
  assert.deepEqual([refused, stream.destroyed, written.length], [true, true, 1])
  assert.match(written[0] ?? '', /^HTTP\/1\.1 403/)
})

test('near miss: a refused stream stays until the kernel has its answer', async (t) => {
  let taken = () => {}
  const { take } = refusing(t, 60_000, (_bytes, done) => {
    taken = done
  })
  const { stream } = take()
  assert.equal(stream.destroyed, false)
  taken()
  await until(() => stream.destroyed, 'it went')
})

// A client that takes no answer is held until the kernel has it: those count, or a crowd of them would have no bound.
test('while too many refused streams are still leaving, no other is answered here', (t) => {
  const { take } = refusing(t, 60_000)
  assert.deepEqual([take().refused, take().refused, take().refused], [true, true, false])
})

// Attack: thousands that never take their answer. The near miss is the test before: nobody is cut earlier.
test('a refused stream whose client takes no answer goes at the deadline, and makes room', async (t) => {
  const { take } = refusing(t, 20)
  const held = [take(), take()]
  assert.deepEqual(
    held.map(({ stream }) => stream.destroyed),
    [false, false],
  )
  await until(() => held.every(({ stream }) => stream.destroyed), 'both are cut')
  assert.equal(take().refused, true)
})
