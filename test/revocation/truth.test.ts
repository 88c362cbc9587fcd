import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { check, latencies } from '../../bench/truth/check.ts'
import type { History, RevocationRecord, SocketRecord, Span } from '../../bench/truth/history.ts'

// `bench/truth.ts` is to be believed only if it would find what it looks for: each sentence with what breaks it, and the
// near miss. Times: the socket opens at 1,000 on node 1, the revocation returns on node 0 at 5,000.

const socket: SocketRecord = {
  number: 0,
  node: 1,
  session: 's',
  user: 'u',
  authenticatedAt: 1_000_900,
  askedAt: 900,
  openedAt: 1_000,
  lastMade: 4_900,
  lastHeard: 4_950,
  lastHandled: 4_900,
  closed: { at: 5_010, date: 1_005_010, code: 3000 },
}
const revocation: RevocationRecord = {
  kind: 'session',
  name: 's',
  node: 0,
  called: { at: 4_990, date: 1_004_990 },
  returned: { at: 5_000, date: 1_005_000 },
  stored: true,
}
const history = (
  of: Partial<SocketRecord>,
  revoked: Partial<RevocationRecord> | undefined,
  more: Partial<History> = {},
): History => ({
  sockets: [{ ...socket, ...of }],
  refusals: [],
  revocations: revoked === undefined ? [] : [{ ...revocation, ...revoked }],
  destroyed: new Map(),
  faults: [],
  away: [[], [], []],
  stalls: [[], [], []],
  clientStalls: [],
  unanswered: [[], [], []],
  clockSkew: 1_000,
  endedAt: 60_000,
  ...more,
})
const found = (...parts: Parameters<typeof history>) => check(history(...parts)).map(({ what }) => what)
const awayOn = (node: number, span: Span) => ({ away: [0, 1, 2].map((one) => (one === node ? [span] : [])) })

test('the checker: what is handled or heard more than a second after a stored revocation, and right before', () => {
  assert.deepEqual(found({}, {}), [])
  assert.deepEqual(found({ lastHandled: 6_000, lastMade: 6_000, lastHeard: 6_000 }, {}), [])
  assert.deepEqual(found({ lastHandled: 6_001 }, {}), ['a message was delivered to a listener after a revocation'])
  assert.deepEqual(found({ lastMade: 6_001 }, {}), ['a message was made and sent after a revocation'])
  assert.deepEqual(found({ lastHeard: 6_001 }, {}), ['a message was sent after a revocation'])
  // The process of the clients was not run, so what came was read late.
  assert.deepEqual(found({ lastHeard: 6_001 }, {}, { clientStalls: [{ from: 5_500, to: 5_600 }] }), [])
})

test('the checker: on the revoking node from its return on, stored or not', () => {
  for (const stored of [true, false]) {
    assert.deepEqual(found({ node: 0, lastHandled: 5_000 }, { stored }), [])
    assert.deepEqual(found({ node: 0, lastHandled: 5_001 }, { stored }), [
      'a message was delivered to a listener after a revocation',
    ])
  }
})

test('the checker: a socket that stays, or comes back', () => {
  const { closed: _closed, ...open } = socket
  const stays = history({}, {})
  assert.deepEqual(
    check({ ...stays, sockets: [open] }).map(({ what }) => what),
    ['a socket stays open after a revocation'],
  )
  assert.ok(found({ openedAt: 6_001 }, {}).includes('a socket was opened after a revocation'))
  // A user may sign in again afterwards.
  const again = { authenticatedAt: 1_004_991, openedAt: 6_001, lastHeard: 7_000, lastHandled: 7_000 }
  assert.deepEqual(found(again, { kind: 'user', name: 'u' }), [])
  assert.notDeepEqual(found({ ...again, authenticatedAt: 1_004_990 }, { kind: 'user', name: 'u' }), [])
})

test('the checker: an outage counts from its end, on either node, and another node\u2019s not at all', () => {
  const late = { lastHandled: 8_900 }
  for (const node of [0, 1]) assert.deepEqual(found(late, {}, awayOn(node, { from: 5_500, to: 8_000 })), [])
  assert.equal(found(late, {}, awayOn(2, { from: 5_500, to: 8_000 })).length, 1)
  assert.equal(found({ lastHandled: 9_001 }, {}, awayOn(1, { from: 5_500, to: 8_000 })).length, 1)
  // It began when every node had to know already.
  assert.equal(found({ lastHandled: 6_500 }, {}, awayOn(1, { from: 6_001, to: 8_000 })).length, 1)
})

test('the checker: nobody whose session is good is closed with 3000 or refused', () => {
  const closedGood = ['a socket whose session is good was closed with 3000']
  assert.deepEqual(found({}, undefined), closedGood)
  assert.deepEqual(found({}, { name: 'another' }), closedGood)
  assert.deepEqual(found({ expiresAt: 1_005_010 }, undefined), [])
  assert.deepEqual(found({ expiresAt: 1_005_011 }, undefined), closedGood)
  assert.deepEqual(found({}, undefined, { destroyed: new Map([['s', 5_000]]) }), [])
  // Signed in again, and not within what clocks may differ.
  const user = { kind: 'user', name: 'u' } as const
  assert.deepEqual(found({ authenticatedAt: 1_006_001 }, user), closedGood)
  assert.deepEqual(found({ authenticatedAt: 1_006_000 }, user), [])
  assert.deepEqual(found({ closed: { at: 5_010, date: 1_005_010, code: 1011 } }, undefined), [
    'a socket was closed with 1011',
  ])
  const refusal = { ...socket, at: 5_010, date: 1_005_010 }
  const refused = (status: number, revoked?: Partial<RevocationRecord>) =>
    check(history({}, revoked, { sockets: [], refusals: [{ ...refusal, status }] })).length
  assert.deepEqual([refused(401), refused(401, {}), refused(429)], [1, 0, 1])
})

test('the checker: "nobody can be asked" is said where nobody could be asked', () => {
  const silence = (...times: number[]) => ({ unanswered: [[], times.map((at) => ({ session: 's', at })), []] })
  const closed = { closed: { at: 5_010, date: 1_005_010, code: 1013 } }
  const closedFor = (more: Partial<History>) => found(closed, undefined, more)
  assert.deepEqual(closedFor({}), ['a socket was closed with 1013'])
  assert.deepEqual(closedFor(silence(1_000, 3_000)), ['a socket was closed with 1013'])
  assert.deepEqual(closedFor(silence(1_000, 3_000, 6_000)), ['a socket was closed with 1013'])
  assert.deepEqual(closedFor(silence(1_000, 3_000, 5_000)), [])
  const stalls = (from: number, to: number) => ({ stalls: [[], [{ from, to }], []] })
  assert.deepEqual(closedFor(stalls(4_400, 4_901)), [])
  assert.deepEqual(closedFor(stalls(4_400, 4_900)), ['a socket was closed with 1013'])
  assert.deepEqual(closedFor(stalls(1_400, 3_400)), ['a socket was closed with 1013'])

  const refusals = [{ ...socket, at: 5_010, date: 1_005_010, status: 503 }]
  const refusedFor = (more: Partial<History>) =>
    check(history({}, undefined, { sockets: [], refusals, ...more })).length
  assert.equal(refusedFor({}), 1)
  assert.equal(refusedFor(silence(4_000)), 0)
  assert.equal(refusedFor(silence(800)), 1)
  assert.equal(refusedFor({ unanswered: [[], [{ session: 'another', at: 4_000 }], []] }), 1)
  assert.equal(refusedFor(awayOn(1, { from: 4_000, to: 4_500 })), 0)
  assert.equal(refusedFor(awayOn(2, { from: 4_000, to: 4_500 })), 1)
  assert.equal(refusedFor({ faults: [{ from: 5_009, to: 9_000 }] }), 0)
})

test('the checker: what is measured is how long another node took where nothing was done to Redis', () => {
  assert.deepEqual(latencies(history({}, {})), [20])
  assert.deepEqual(latencies(history({ node: 0 }, {})), [])
  assert.deepEqual(latencies(history({}, {}, { faults: [{ from: 5_005, to: 5_006 }] })), [])
})

test('three nodes and one Redis, 20 seconds of everything at once: revocations hold, and nobody else is closed', async () => {
  const program = fileURLToPath(new URL('../../bench/truth.ts', import.meta.url))
  const { code, stdout } = await new Promise<{ code: number | string | undefined; stdout: string }>((resolve) => {
    const child = execFile(process.execPath, [program, '20'], (error, stdout) =>
      resolve({ code: error === null ? 0 : (error.code ?? undefined), stdout }),
    )
    process.once('exit', () => child.kill())
  })
  assert.equal(code, 0, stdout)
  // What it did not do, it cannot have found anything in.
  for (const what of ['revoked a session, stored', 'revoked a user, stored', 'refreshed', 'kicked', 'closed with 3000'])
    assert.match(stdout, new RegExp(`^ *[1-9]\\d* {2}${what}$`, 'm'), stdout)
  assert.match(stdout, /all nodes know everything again/)
})
