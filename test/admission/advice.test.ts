import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import Fastify from 'fastify'
import { adviceOn, type Refused, type Situation } from '../../src/admission/advice.ts'
import { readHandshake } from '../../src/admission/handshake-request.ts'
import { handshakeRefusals } from '../../src/errors.ts'
import secureWs, { basic, bearer, cookieSession, type Session } from '../../src/index.ts'
import { type Asked, cookieOf, startJourney } from '../journeys/journey.ts'

// What the developer of a refused handshake is told, in the situations that people get stuck in. Real servers, real handshakes.

const secret = randomBytes(32)
const key = randomBytes(32)
const ada: Session = { id: 's1' }
const cookie = cookieSession({ secret, load: (id) => (id === 's1' ? ada : null) })
const token = bearer({ key, algorithms: ['HS256'], issuer: 'i', audience: 'a' })
const signedIn = { Cookie: cookieOf(secret, 's1') }

type Options = Parameters<typeof startJourney>[1]
type Surroundings = Parameters<typeof startJourney>[2]

interface Row {
  readonly name: string
  readonly options?: Options
  readonly surroundings?: Surroundings
  readonly asked?: Asked
  readonly says: RegExp
  readonly not?: RegExp
}

const route = (secureWs: object): Surroundings => ({
  routes: (app) => app.get('/ws', { websocket: true, secureWs }, () => {}),
})
const behindProxy = (trustProxy: unknown = '127.0.0.1'): Surroundings => ({ server: { trustProxy } })

const rows: readonly Row[] = [
  {
    name: 'a plain request',
    asked: { omit: ['Upgrade', 'Connection', 'Sec-WebSocket-Key', 'Sec-WebSocket-Version'] },
    says: /plain request of a socket route.*npx wscat -c.*`handler` and `wsHandler`/,
    not: /proxy/,
  },
  {
    name: 'a proxy that drops Upgrade',
    asked: { omit: ['Upgrade', 'Connection'] },
    says: /a proxy in between took it away.*proxy_set_header Upgrade \$http_upgrade/,
  },
  {
    name: 'no Origin, with a cookie',
    options: { authenticate: cookie },
    asked: { headers: { Origin: undefined } },
    says: /cookieSession lets in only who says where they come from.*wscat -c <url> --origin <origin>.*`bearer`/,
    not: /allowMissingOrigin|dangerously/,
  },
  {
    name: 'no Origin, with HTTP Basic beside a token',
    options: { authenticate: [token, basic({ verify: () => null })] },
    asked: { headers: { Origin: undefined } },
    says: /bearer, basic lets in only/,
    not: /allowMissingOrigin|dangerously/,
  },
  {
    name: 'no Origin, with a token',
    options: { authenticate: token },
    asked: { headers: { Origin: undefined } },
    says: /Set `allowMissingOrigin: true`/,
  },
  {
    name: 'Origin null, with a cookie',
    options: { authenticate: cookie },
    asked: { headers: { Origin: 'null' } },
    says: /Sandboxed frames.*Open the page over/,
    not: /dangerously/,
  },
  {
    name: 'a foreign origin',
    asked: { headers: { Origin: 'https://app.example' } },
    says: /If this page is yours, set `origins: \["https:\/\/app\.example"\]`/,
  },
  {
    name: 'a trusted proxy that replaces Host',
    options: { authenticate: cookie },
    surroundings: behindProxy(),
    asked: {
      headers: {
        Host: '127.0.0.1:3000',
        Origin: 'https://app.example',
        'X-Forwarded-Proto': 'https',
        'X-Forwarded-For': '203.0.113.7',
      },
    },
    says: /passes on `Host: 127\.0\.0\.1` instead.*proxy_set_header Host \$http_host/,
  },
  {
    name: 'a proxy that replaces Host with the name of a container',
    options: { origins: ['https://app.example'] },
    surroundings: behindProxy(),
    asked: { headers: { Host: 'app:3000', Origin: 'https://app.example', 'X-Forwarded-Proto': 'https' } },
    says: /replaced the `Host`.*proxy_set_header Host \$http_host.*add "app:3000" to `hosts`/,
  },
  {
    name: 'a host that is not configured, without a proxy',
    asked: { headers: { Host: 'localhost.evil.example', Origin: 'http://localhost.evil.example' } },
    options: { allowInsecureTransport: true },
    says: /If localhost\.evil\.example is this server, add/,
    not: /proxy/,
  },
  {
    name: 'a proxy that nobody trusts',
    asked: { headers: { 'X-Forwarded-Proto': 'https', 'X-Forwarded-For': '203.0.113.7' } },
    says: /`trustProxy` does not trust it.*Fastify\(\{ trustProxy: '127\.0\.0\.1' \}\)/,
  },
  {
    name: 'a trusted proxy that does not say how the client came',
    surroundings: behindProxy(),
    asked: { headers: { Host: 'app.example', Origin: 'https://app.example', 'X-Forwarded-For': '203.0.113.7' } },
    says: /is trusted and does not say how the client came.*proxy_set_header X-Forwarded-Proto \$scheme/,
  },
  {
    name: 'a trusted proxy whose client came over http',
    surroundings: behindProxy(),
    asked: { headers: { 'X-Forwarded-Proto': 'http' } },
    says: /says that the client came over plain http/,
  },
  {
    name: 'a name of this machine that is not localhost',
    options: { authenticate: cookie },
    asked: { headers: { Host: 'my-laptop:3000', Origin: 'http://my-laptop:3000' } },
    says: /under the names localhost, 127\.0\.0\.1 and \[::1\] only.*session cookie is `Secure`/,
  },
  {
    name: 'a trusted proxy that drops X-Forwarded-For, when all of its clients are too many',
    options: { limits: { handshakesPerMinutePerAddress: 1 } },
    surroundings: behindProxy(),
    asked: { headers: { 'X-Forwarded-Proto': 'https', Origin: 'https://localhost', Host: 'localhost' } },
    says: /sends no `X-Forwarded-For`, so all of its clients count as one address/,
  },
  {
    name: 'too many handshakes, without a proxy',
    options: { limits: { handshakesPerMinutePerAddress: 1 } },
    says: /`limits\.handshakesPerMinutePerAddress`.*reconnects without a pause/,
    not: /proxy/,
  },
  {
    name: "a sub-protocol that is none of the route's",
    surroundings: route({ protocols: ['chat.v1'] }),
    asked: { headers: { 'Sec-WebSocket-Protocol': 'graphql-ws' } },
    says: /Offer one of the route's `secureWs\.protocols`: chat\.v1/,
  },
  {
    name: 'a sub-protocol that is declared nowhere',
    asked: {
      headers: {
        'Sec-WebSocket-Protocol': 'graphql-transport-ws, bearer.eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2ln',
      },
    },
    says: /offered a sub-protocol \('graphql-transport-ws'\).*declares none.*protocols: \['graphql-transport-ws'\]/,
    not: /eyJ/,
  },
  {
    // A password, or a ticket of somebody's own: short, and no name that a library would offer.
    name: 'a short credential in the place of a sub-protocol',
    asked: { headers: { 'Sec-WebSocket-Protocol': 'hunter2' } },
    says: /offered a sub-protocol \('\.\.\.'\).*declares none/,
    not: /hunter2/,
  },
  {
    name: 'no cookie',
    options: { authenticate: cookie },
    says: /carries no credential.*looks for a signed cookie named `__Host-session`.*setSessionCookie/,
    not: /forgotten/,
  },
  {
    name: 'a good cookie of a session that the store forgot',
    options: { authenticate: cookie },
    asked: { headers: { Cookie: cookieOf(secret, 'gone') } },
    says: /credential is good, and `load` of cookieSession knows no session for it.*each restart/,
    not: /carries no credential/,
  },
  {
    name: 'a cookie of another secret',
    options: { authenticate: cookie },
    asked: { headers: { Cookie: cookieOf(randomBytes(32), 's1') } },
    says: /a session cookie with a wrong signature/,
    not: /forgotten/,
  },
  {
    name: 'neither a token nor a cookie',
    options: { authenticate: [token, cookie] },
    says: /looks for `Authorization: Bearer <token>`.*; or a signed cookie named/,
  },
  {
    name: 'an authorize that forgets to return',
    options: { authenticate: cookie },
    surroundings: route({ authorize: () => {} }),
    asked: { headers: signedIn },
    says: /`authorize` said no: it returned undefined, and only `true` admits.*needs a `return`/,
  },
  {
    name: 'an authorize that returns a row',
    options: { authenticate: cookie },
    surroundings: route({ authorize: async () => ({ password: 'hunter2' }) }),
    asked: { headers: signedIn },
    says: /it returned an object, and only `true` admits/,
    not: /hunter2/,
  },
  {
    name: 'an authorize that says no',
    options: { authenticate: cookie },
    surroundings: route({ authorize: () => false }),
    asked: { headers: signedIn },
    says: /it returned false/,
    not: /only `true`/,
  },
  {
    name: 'an authorize that throws',
    options: { authenticate: cookie },
    surroundings: route({ authorize: () => assert.fail('x') }),
    asked: { headers: signedIn },
    says: /`authorize` threw AssertionError.*in the log as `err`/,
  },
  {
    name: 'a store that throws',
    options: { authenticate: cookieSession({ secret, load: () => assert.fail('x') }) },
    asked: { headers: signedIn },
    says: /Nobody is let in meanwhile\. The cause is in the log as `err`/,
  },
]

/** The advice of the last handshake, as a developer reads it with `Fastify({ logger: true })`. */
async function adviceFor(
  t: TestContext,
  { options, surroundings, asked }: Omit<Row, 'name' | 'says'>,
): Promise<string> {
  const { ask, lines } = await startJourney(t, { authenticate: () => ada, ...options }, surroundings)
  const times = options?.limits === undefined ? 1 : 2
  for (let time = 0; time < times; time++) await ask(asked)
  const advice = lines.flatMap((line) => {
    const { msg, level, audit } = JSON.parse(line)
    return level === 30 && audit === undefined && /^fastify-secure-ws: /.test(msg) ? [String(msg)] : []
  })
  return advice.at(-1) ?? ''
}

for (const { name, says, not, ...row } of rows) {
  test(`advice on ${name}`, async (t) => {
    const text = await adviceFor(t, row)
    assert.match(text, says)
    if (not !== undefined) assert.doesNotMatch(text, not)
  })
}

test('advice on a trusted proxy that drops Host altogether', () => {
  const text = adviceOn(
    { code: 'SWS_BAD_HANDSHAKE', status: 400, reason: 'no Host header' },
    situation({ headers: {}, peerIsTrusted: true }),
  )
  assert.match(text, /The proxy in front dropped the `Host` header.*proxy_set_header Host \$http_host/)
})

// No second machine is at hand: the peer of a published port of a container, as the kernel shows it.
test('advice on a peer that is not loopback names its address', () => {
  const text = adviceOn(
    { code: 'SWS_INSECURE_TRANSPORT', status: 426, reason: 'not encrypted' },
    situation({ headers: { host: 'localhost:3000' }, peer: '172.17.0.1' }),
  )
  assert.match(
    text,
    /was 172\.17\.0\.1, which is not loopback.*\(Docker\).*allowInsecureTransport: process\.env\.NODE_ENV/,
  )
})

test('advice on a unix socket does not ask for an address, and what it says admits', async (t) => {
  const path = join(tmpdir(), `sws-advice-${process.pid}.sock`)
  t.after(() => rm(path, { force: true }))
  const answers: string[] = []
  const lines: string[] = []
  for (const trustProxy of ['loopback', true]) {
    const app = Fastify({ trustProxy, logger: { stream: { write: (line: string) => lines.push(line) } } })
    await app.register(secureWs, { authenticate: () => ada, origins: ['https://app.example'] })
    app.get('/ws', { websocket: true }, () => {})
    await app.listen({ path })
    const socket = connect(path)
    const headers =
      'Host: app.example\r\nOrigin: https://app.example\r\nX-Forwarded-Proto: https\r\nX-Forwarded-For: 203.0.113.7\r\n'
    socket.write(
      `GET /ws HTTP/1.1\r\n${headers}Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
    )
    answers.push(await new Promise((resolve) => socket.once('data', (chunk) => resolve(String(chunk).slice(9, 12)))))
    socket.destroy()
    await app.close()
  }
  assert.deepEqual(answers, ['426', '101'])
  assert.match(lines.join(''), /unix socket, whose other end has no address.*Fastify\(\{ trustProxy: true \}\)/)
})

test('every code has a way out, and what a client wrote is never in it raw', () => {
  for (const [code, { status }] of Object.entries(handshakeRefusals) as [Refused['code'], { status: number }][]) {
    const text = adviceOn(
      { code, status, reason: 'evil\u001b[2J\u202e\n' },
      situation({ headers: { host: 'localhost', origin: 'evil\u001b' } }),
    )
    assert.ok(text.length > 20, code)
    assert.match(text, /^[\x20-\x7e]+$/, code)
  }
})

function situation({
  headers,
  peer = '127.0.0.1',
  ...rest
}: { headers: object; peer?: string } & Partial<Situation>): Situation {
  const raw = { method: 'GET', httpVersion: '1.1', url: '/ws', headers, socket: { remoteAddress: peer } }
  return {
    facts: readHandshake(raw, { trusted: false, address: peer }),
    methods: [],
    ambient: false,
    looksFor: [],
    peerIsTrusted: false,
    hasForwardedFor: false,
    unixSocket: false,
    ...rest,
  }
}

// --- without a logger ---

const server = fileURLToPath(new URL('advice-server.ts', import.meta.url))

async function stderrOf(environment: string): Promise<string[]> {
  const { stderr } = await promisify(execFile)(process.execPath, [server], {
    env: { ...process.env, NODE_ENV: environment },
  })
  return stderr.split('\n').filter((line) => line !== '')
}

test('without a logger each code is on stderr once, with its way out, and so is what was thrown', async () => {
  for (const environment of ['', 'development', 'test']) {
    const lines = await stderrOf(environment)
    const codes = lines.flatMap((line) => /^fastify-secure-ws: (\d{3} SWS_\w+) on \/\w+: \S/.exec(line)?.[1] ?? [])
    assert.deepEqual(codes, [
      '426 SWS_UPGRADE_REQUIRED',
      '403 SWS_ORIGIN_REFUSED',
      '401 SWS_UNAUTHENTICATED',
      '403 SWS_FORBIDDEN',
    ])
    assert.match(
      lines[1] ?? '',
      /If this page is yours.*\(Told once; for every refusal, write Fastify\(\{ logger: true \}\)\.\)$/,
    )
    const thrown = lines.findIndex((line) => line.includes('`authorize` threw: TypeError: BOOM'))
    assert.match(lines[thrown + 1] ?? '', /^ {4}at .*advice-server\.ts/)
    assert.equal(lines.filter((line) => line.includes('BOOM')).length, 1)
  }
})

test('in production without a logger nothing is on stderr', async () => {
  assert.deepEqual(await stderrOf('production'), [])
})
