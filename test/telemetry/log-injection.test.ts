import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cookieSession } from '../../src/index.ts'
import { Random } from '../harness/random.ts'
import { openSocket } from '../harness/socket-client.ts'
import { until } from '../harness/until.ts'
import { type HeaderChanges, startJourney } from '../journeys/journey.ts'

// LG-01: a client that writes lines of the log, or fields of one, in any of the places that it may write to.

// `node test/telemetry/log-injection.test.ts 5000 7` tries as many as you like, from another seed.
const [count, seed] = [Number(process.argv[2] ?? 150), Number(process.argv[3] ?? 18)]

const record = '{"level":60,"time":0,"msg":"owned","audit":{"type":"session.revoked"}}'
const pieces = [
  ...[
    '\r\n',
    '\n',
    '\r',
    '\u2028',
    '\u0085',
    '\u0000',
    '\u001b[2J',
    '\u202e',
    '\u009b31m',
    '\ud800',
    '"',
    '\\',
    '\\"}',
    "'",
    '`',
  ],
  ...[
    '%0d%0a',
    '%00',
    '%s%d%o',
    '$' + '{jndi:ldap://a}',
    '__proto__',
    'constructor',
    'toJSON',
    '<script>',
    ',',
    '}',
    ']',
  ],
  ...[`\n${record}\n`, `"}\n${record}`, record, 'level', 'msg', 'audit', 'a'.repeat(300), '\u00e9', '\u{1f512}'],
]

test('LG-01 whatever a client writes, wherever: each line is one well-formed record, with fields of its own', async (t) => {
  const random = new Random(seed)
  const text = () => Array.from({ length: 1 + random.below(4) }, () => random.pick(pieces)).join('')
  const fields = new Set<string>()
  const { app, port, ask, lines } = await startJourney(
    t,
    {
      authenticate: cookieSession({
        secret: 'a secret of the test, and a long one',
        load: (id) => {
          if (random.chance(0.3)) throw new Error(id)
          return null
        },
      }),
      limits: { handshakesPerMinutePerAddress: 1e6, refusedPerMinutePerAddress: 1e6, messages: { perSecond: 1e4 } },
    },
    {
      routes(app) {
        const say = { schema: { type: 'object', properties: { text: { type: 'string' } } } } as const
        const open = { authenticate: false, receives: { say, pay: { ...say, replay: { window: 60_000 } } } } as const
        app.get('/ws', { websocket: true }, () => {})
        app.get('/open', { websocket: true, secureWs: open }, (socket) => {
          socket.on('say', ({ text }) => {
            throw new Error(text)
          })
          socket.on('pay', async ({ text }) => socket.join(String(text)))
        })
      },
    },
  )
  const names = [
    ...[
      'Origin',
      'Host',
      'User-Agent',
      'Cookie',
      'Authorization',
      'Sec-WebSocket-Protocol',
      'Sec-WebSocket-Extensions',
    ],
    ...[
      'Sec-WebSocket-Key',
      'Sec-WebSocket-Version',
      'Sec-Fetch-Site',
      'Sec-Fetch-Mode',
      'X-Forwarded-For',
      'X-Forwarded-Host',
    ],
    ...['Upgrade', 'Connection', 'Content-Length', 'traceparent', 'tracestate', 'secure-ws', 'X-Real-IP', 'Forwarded'],
  ]
  // What would end a header, or a request line, is another request; everything else gets through.
  const inHeader = (value: string) => value.replace(/[\r\n\0]/g, '')
  const inTarget = (value: string) => encodeURI(value.toWellFormed()).replace(/%25/g, '%')
  for (let each = 0; each < count; each++) {
    const headers: HeaderChanges = Object.fromEntries(
      random.some(names, 0.12).map((name) => {
        fields.add(name)
        return [name, inHeader(text())]
      }),
    )
    const path = random.pick(['/ws', '/ws', '/open', `/${inTarget(text())}`])
    const target = random.chance(0.3) ? `${path}?${inTarget(text())}=${inTarget(text())}` : path
    await ask({ headers, target })
  }

  const headers = { origin: `http://localhost:${port}` }
  for (let each = 0; each < count / 5; each++) {
    const client = await openSocket(`ws://localhost:${port}/open`, { headers })
    const body = { text: text(), nonce: text(), at: Date.now(), id: random.pick([1, text()]) }
    client.send({ type: 'say', text: text() })
    client.send({
      type: random.pick(['say', 'pay', text()]),
      ...body,
      [text()]: random.pick([text(), { [text()]: text() }, 7]),
    })
    client.send({ type: 'pay', ...body, nonce: `n${each}-12345678`, id: each })
    client.socket.send(text())
    client.socket.send(Buffer.from(text()), { binary: random.chance(0.5) })
    client.socket.close(3333, Buffer.from(text().toWellFormed()).subarray(0, 100).toString().slice(0, 40))
    await client.closed
  }
  await until(() => app.secureWs.stats().connections === 0, 'all have gone')

  assert.ok(fields.size === names.length && lines.length > count)
  for (const line of lines) assert.ok(isOwn(line), JSON.stringify(line))
  const ours = lines.filter((line) => line.includes('"audit"'))
  assert.ok(ours.length > 20)
  for (const line of ours) assert.match(line, /^[\x20-\x7e]*\n$/)
})

const levels = [10, 20, 30, 40, 50, 60]

/**
 * Whether it is one record in one line, in which nothing is set twice or by a stranger. Fastify's own lines have the host as it came,
 * with what JSON need not escape.
 */
function isOwn(line: string): boolean {
  if (!line.endsWith('\n') || /[[\p{Cc}\u2028\u2029]--[\u0080-\u009f]]/v.test(line.slice(0, -1))) return false
  const said: unknown = JSON.parse(line)
  const of = (name: string): unknown => Reflect.get(Object(said), name)
  const isForged =
    of('msg') === 'owned' || of('time') === 0 || Reflect.get(Object(of('audit')), 'type') === 'session.revoked'
  // A name that comes twice would be read as the second one.
  return !isForged && levels.some((level) => level === of('level')) && line === `${JSON.stringify(said)}\n`
}

test('near miss: two lines, a break that only some readers see, a field that comes twice, and a forged record are seen', () => {
  const line = '{"level":30,"time":1,"msg":"said"}\n'
  assert.ok(isOwn(line))
  const broken = [
    `${line}${record}\n`,
    line.replace('said', 'a\u2028b'),
    line.replace('said', '\u001b[2J'),
    `${record}\n`,
  ]
  for (const each of [...broken, line.replace('}', ',"level":60}'), line.replace('30', '"30 "')])
    assert.ok(!isOwn(each), each)
})
