import assert from 'node:assert/strict'
import { test } from 'node:test'
import { handshakeRefusals } from '../../src/errors.ts'
import { codeHeader } from '../../src/http/refusal.ts'
import type { Session } from '../../src/index.ts'
import { type Asked, assertRefused, startJourney } from './journey.ts'

const ada: Session = { id: 's1' }
let answer: () => Session | null | Promise<Session> = () => ada

const refusals: readonly (readonly [status: number, code: string, asked: Asked, session?: typeof answer])[] = [
  [426, 'SWS_UPGRADE_REQUIRED', { headers: { Upgrade: undefined, Connection: 'close' } }],
  [426, 'SWS_UPGRADE_REQUIRED', { omit: ['Upgrade'] }],
  [400, 'SWS_BAD_HANDSHAKE', { headers: { 'Sec-WebSocket-Key': 'short' } }],
  [426, 'SWS_BAD_HANDSHAKE', { headers: { 'Sec-WebSocket-Version': '8' } }],
  [404, 'SWS_NOT_A_SOCKET_ROUTE', { target: '/nowhere' }],
  [404, 'SWS_NOT_A_SOCKET_ROUTE', { target: '/plain' }],
  [426, 'SWS_INSECURE_TRANSPORT', { headers: { 'X-Forwarded-For': '192.0.2.1' } }],
  [421, 'SWS_HOST_REFUSED', { target: '/named', headers: { Host: 'localhost:1' } }],
  [403, 'SWS_ORIGIN_REFUSED', { headers: { Origin: 'https://evil.example' } }],
  [403, 'SWS_FETCH_METADATA_REFUSED', { headers: { 'Sec-Fetch-Mode': 'cors' } }],
  [401, 'SWS_UNAUTHENTICATED', {}, () => null],
  [503, 'SWS_UNAVAILABLE', {}, () => Promise.reject(new Error('down'))],
  [403, 'SWS_FORBIDDEN', { target: '/forbidden' }],
  [503, 'SWS_HANDSHAKE_TIMEOUT', { target: '/late' }],
  [503, 'SWS_TOO_MANY_CONNECTIONS', { target: '/ws' }, () => ada],
  [429, 'SWS_TOO_MANY_HANDSHAKES', { target: '/ws' }, () => ada],
]

test('`curl -si` on every refusal shows its code, in a header and in the body', async (t) => {
  const options = (app: Parameters<NonNullable<Parameters<typeof startJourney>[2]>['routes'] & object>[0]) => {
    const socket = (secureWs: object) => ({ websocket: true, secureWs }) as const
    app.get('/ws', socket({}), () => {})
    app.get('/named', socket({ hosts: ['app.example'] }), () => {})
    app.get('/forbidden', socket({ authorize: () => false }), () => {})
    app.get('/late', socket({ authorize: () => new Promise(() => {}), limits: { handshake: 50 } }), () => {})
    app.get('/plain', () => 'a page')
  }
  const usual = await startJourney(t, { authenticate: () => answer() }, { routes: options })
  const full = await startJourney(t, { authenticate: () => ada, limits: { connections: 1 } }, { routes: options })
  assert.equal((await full.open()).answer.status, 101)
  const hurried = await startJourney(
    t,
    { authenticate: () => ada, limits: { handshakesPerMinutePerAddress: 1 } },
    { routes: options },
  )
  assert.equal((await hurried.ask()).status, 101)

  const seen = new Set<string>()
  for (const [status, code, asked, session = () => ada] of refusals) {
    answer = session
    const journey = code === 'SWS_TOO_MANY_CONNECTIONS' ? full : code === 'SWS_TOO_MANY_HANDSHAKES' ? hurried : usual
    const said = await journey.ask(asked)
    assertRefused(said, status, code)
    assert.equal(said.headers[codeHeader], code)
    seen.add(code)
  }
  assert.deepEqual(
    Object.keys(handshakeRefusals).filter((code) => !seen.has(code)),
    [],
  )
  answer = () => ada
  const admitted = await usual.ask()
  assert.equal(admitted.status, 101)
  assert.equal(admitted.headers[codeHeader], undefined)
})

test('a plain request of a socket route: 426 with the way out in a header; an answer of a hook comes first; a page of the same path answers itself', async (t) => {
  const { port, events } = await startJourney(
    t,
    {},
    {
      routes(app) {
        app.get('/ws', { websocket: true }, () => {})
        app.get('/hooked', { websocket: true, preHandler: async (_, reply) => reply.send('of the hook') }, () => {})
        app.route({ method: 'GET', url: '/both', handler: () => 'a page', wsHandler: () => {} })
      },
    },
  )
  const { status, headers } = await fetch(`http://127.0.0.1:${port}/ws`)
  assert.equal(status, 426)
  assert.equal(headers.get('upgrade'), 'websocket')
  assert.equal(headers.get(codeHeader), 'SWS_UPGRADE_REQUIRED')
  // As @fastify/websocket has it: there is nothing to ask the head of.
  assert.equal((await fetch(`http://127.0.0.1:${port}/ws`, { method: 'HEAD' })).status, 404)
  assert.equal(await (await fetch(`http://127.0.0.1:${port}/hooked`)).text(), 'of the hook')
  assert.deepEqual(
    events.filter(({ code }) => code === 'SWS_UPGRADE_REQUIRED').map(({ type, route }) => [type, route]),
    [['handshake.refused', '/ws']],
  )
  assert.equal(await (await fetch(`http://127.0.0.1:${port}/both`)).text(), 'a page')
  assert.equal((await fetch(`http://127.0.0.1:${port}/ws`, { method: 'POST' })).status, 404)
})
