import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import type { Authenticator, IssuedTicket } from '../../src/authentication/authenticator.ts'
import { mismatch, type TicketOptions, ticket } from '../../src/authentication/ticket.ts'
import { memoryTickets, type StoredTicket, type TicketStore } from '../../src/authentication/ticket-store.ts'
import type { Session } from '../../src/session/session.ts'
import { acceptedAs } from '../session/identity-of.ts'
import { startAsking } from './asking.ts'

const origin = 'https://app.example'
const ada: Session = { id: 's1', userId: 'ada' }
const eve: Session = { id: 's2', userId: 'eve' }

/** Stands for a cookie: `x-session` names the session, which the store may have forgotten. */
function sessionsBy(store: Map<string, Session>): Authenticator {
  return {
    name: 'cookieSession',
    ambient: true,
    authenticate: (request) => store.get(String(request.headers['x-session'])),
    revalidate: (session) => store.has(session.id),
  }
}

async function startTickets(t: TestContext, options: TicketOptions = {}) {
  const sessions = new Map([ada, eve].map((session) => [session.id, session]))
  const issueFor = sessionsBy(sessions)
  const tickets = ticket({ issueFor, ...options })
  const asking = await startAsking(t, tickets)
  const issue = (session = ada, change = {}) =>
    tickets.issue(
      session,
      { origin, route: '/rooms/7', ...change },
      acceptedAs(session, ({ id }) => sessions.has(id)),
    )
  const redeem = (issued: Pick<IssuedTicket, 'protocol'>, path = '/rooms/7', from = origin, as?: string) => {
    const offered = [
      ['sec-websocket-protocol', `chat, ${issued.protocol}`],
      ['origin', from],
    ] as const
    return asking.ask(as === undefined ? offered : [...offered, ['x-session', as]], path)
  }
  return { ...asking, sessions, tickets, issue, redeem }
}

test('a ticket opens one socket, as the session it was asked with', async (t) => {
  const { issue, redeem } = await startTickets(t)
  const issued = await issue()
  assert.match(issued.protocol, /^ticket\.[A-Za-z0-9_-]{43}$/)
  const { status, session, method } = await redeem(issued)
  assert.deepEqual([status, session, method], [200, ada, 'ticket'])
  assert.equal((await redeem(issued)).status, 401)
})

test('SE-09 of 50 handshakes with one ticket at the same time, one succeeds', async (t) => {
  const { issue, redeem } = await startTickets(t)
  for (let round = 0; round < 3; round++) {
    const issued = await issue()
    const statuses = await Promise.all(Array.from({ length: 50 }, async () => (await redeem(issued)).status))
    assert.equal(statuses.filter((status) => status === 200).length, 1)
  }
})

test('SE-10 ASVS 6.6.2 a ticket is for one origin and one path, and a wrong try spends it', async (t) => {
  const { issue, redeem } = await startTickets(t)
  const wrong = [
    ['/rooms/8', origin],
    ['/rooms/%37', origin],
    ['/rooms/7/', origin],
    ['/', origin],
    ['/rooms/7', 'https://app.example.evil.example'],
    ['/rooms/7', 'http://app.example'],
    ['/rooms/7', 'null'],
    ['/rooms/7', ''],
  ] as const
  for (const [path, from] of wrong) {
    const issued = await issue()
    assert.equal((await redeem(issued, path, from)).status, 401, `${path} ${from}`)
    assert.equal((await redeem(issued)).status, 401, `${path} ${from}`)
  }
  assert.equal((await redeem(await issue(), '/rooms/7?a=b')).status, 200)
  assert.equal((await redeem(await issue(ada, { route: '/rooms/:id' }), '/rooms/8')).status, 200)
})

test('a client without Origin gets a ticket for handshakes without Origin', async (t) => {
  const { issue, ask } = await startTickets(t)
  const show = async (extra: readonly (readonly [string, string])[]) => {
    const { protocol } = await issue(ada, { origin: null })
    return (await ask([['sec-websocket-protocol', protocol], ...extra], '/rooms/7')).status
  }
  assert.equal(await show([]), 200)
  assert.equal(await show([['origin', origin]]), 401)
  assert.equal(await show([['origin', 'null']]), 401)
})

test('SE-10 ASVS 6.5.5 a ticket expires, and never after its session', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: 1_000_000 })
  const { issue, redeem } = await startTickets(t)
  const [issued, other] = [await issue(), await issue()]
  assert.equal(issued.expiresAt, 1_030_000)
  assert.equal((await issue({ ...ada, expiresAt: 1_005_000 })).expiresAt, 1_005_000)
  await assert.rejects(issue({ ...ada, expiresAt: 1_000_000 }), /expired/)
  t.mock.timers.tick(29_999)
  assert.equal((await redeem(issued)).status, 200)
  t.mock.timers.tick(1)
  assert.equal((await redeem(other)).status, 401)
})

test('mismatch compares the time too: a store may be late with forgetting', () => {
  const stored: StoredTicket = { sessionId: 's1', origin, route: '/a', expiresAt: 10 }
  const facts = { origin, path: '/a', route: '/a' }
  assert.equal(mismatch(stored, facts, 9), undefined)
  assert.match(mismatch(stored, facts, 10) ?? '', /expired/)
  assert.match(mismatch({ ...stored, expiresAt: Number.NaN }, facts, 0) ?? '', /expired/)
  assert.match(mismatch(stored, { ...facts, origin: null }, 9) ?? '', /origin/)
  assert.match(mismatch(stored, { origin, path: '/b', route: undefined }, 9) ?? '', /route/)
})

test('CS-6 a ticket of one session with the cookie of another is refused; without any cookie it is enough', async (t) => {
  const { issue, redeem } = await startTickets(t)
  assert.equal((await redeem(await issue(), '/rooms/7', origin, 's2')).status, 401)
  assert.equal((await redeem(await issue(), '/rooms/7', origin, 's1')).status, 200)
  assert.equal((await redeem(await issue())).status, 200)
})

test('CS-6 with `issueFor` the cookie alone opens nothing', async (t) => {
  const { ask } = await startTickets(t)
  assert.equal(
    (
      await ask(
        [
          ['x-session', 's1'],
          ['origin', origin],
        ],
        '/rooms/7',
      )
    ).status,
    401,
  )
})

test('CS-9 a session that ended after the ticket was issued opens nothing', async (t) => {
  const { issue, redeem, sessions, authentication, accepted } = await startTickets(t)
  const issued = await issue()
  await redeem(await issue())
  const [signedIn] = accepted
  assert.ok(signedIn)
  assert.equal((await authentication.revalidate(signedIn))?.session, ada)
  sessions.delete('s1')
  const { status, fault } = await redeem(issued)
  assert.deepEqual([status, fault], [401, false])
  assert.equal(await authentication.revalidate(signedIn), null)
})

test('SE-12 malformed, unknown and doubled tickets', async (t) => {
  const { issue, ask } = await startTickets(t)
  const { ticket: value, protocol } = await issue()
  const altered = value.slice(0, -2) + (value.at(-2) === 'A' ? 'B' : 'A') + value.slice(-1)
  const wrong = [
    'ticket.',
    'ticket.x',
    `ticket.${value}A`,
    `ticket.${value.slice(1)}`,
    `ticket.${altered}`,
    `Ticket.${value}`,
    `${protocol}, ${protocol}`,
    `ticket.${createHash('sha256').update(value).digest('base64url')}`,
  ]
  for (const entry of wrong) {
    const { status, body } = await ask(
      [
        ['sec-websocket-protocol', entry],
        ['origin', origin],
      ],
      '/rooms/7',
    )
    assert.equal(status, 401, entry)
    assert.equal(body.includes(value), false)
  }
  assert.equal(
    (
      await ask(
        [
          ['sec-websocket-protocol', protocol],
          ['origin', origin],
        ],
        `/rooms/7?ticket=${value}`,
      )
    ).status,
    200,
  )
})

test('SE-11 a ticket in the URL is no ticket', async (t) => {
  const { issue, ask } = await startTickets(t)
  const { ticket: value } = await issue()
  assert.equal((await ask([['origin', origin]], `/rooms/7?ticket=${value}&access_token=${value}`)).status, 401)
})

test('ASVS 7.2.3 tickets are long and unlike each other, and the store has only their hash', async () => {
  const kept: [string, StoredTicket][] = []
  const store: TicketStore = { put: (hash, stored) => void kept.push([hash, stored]), take: () => undefined }
  const tickets = ticket({ store, load: () => ada })
  const issued = await Promise.all(Array.from({ length: 1_000 }, () => tickets.issue(ada, { origin, route: '/' })))
  assert.equal(new Set(issued.map((one) => one.ticket)).size, 1_000)
  assert.equal(Buffer.from(issued[0]?.ticket ?? '', 'base64url').length, 32)
  const text = JSON.stringify(kept)
  for (const one of issued) assert.equal(text.includes(one.ticket), false)
  // A store that serializes is never given the session itself.
  assert.deepEqual(kept[0]?.[1], {
    sessionId: 's1',
    userId: 'ada',
    origin,
    route: '/',
    expiresAt: issued[0]?.expiresAt,
    issuedAt: (issued[0]?.expiresAt ?? 0) - 30_000,
  })
})

test('a store without objects: the session is loaded, and must be the same person in the same session', async (t) => {
  const { keepsSessions: _, ...bare } = memoryTickets()
  const loaded = new Map<string, Session>([['s1', ada]])
  const { issue, redeem, authentication, accepted } = await startTickets(t, {
    store: bare,
    load: async (id) => loaded.get(id),
  })
  assert.deepEqual((await redeem(await issue())).session, ada)
  const [signedIn] = accepted
  assert.ok(signedIn)
  assert.equal((await authentication.revalidate(signedIn))?.session, ada)
  for (const other of [undefined, eve, { id: 's1', userId: 'eve' }, { id: 's1' }]) {
    if (other === undefined) loaded.delete('s1')
    else loaded.set('s1', other)
    assert.equal((await redeem(await issue())).status, 401, JSON.stringify(other))
  }
})

test('SE-08 a store that fails refuses, and counts as our fault', async (t) => {
  const store: TicketStore = {
    put: () => undefined,
    take: () => Promise.reject(Object.assign(new Error('redis://user:canary@db'), { code: 'ECONNREFUSED' })),
  }
  const { issue, redeem } = await startTickets(t, { store, load: () => ada })
  const { status, fault, reason } = await redeem(await issue())
  assert.deepEqual([status, fault, reason], [401, true, 'ticket: threw Error (ECONNREFUSED)'])
})

test('who may ask: the other members of the list, never a ticket itself', async (t) => {
  const sessions = sessionsBy(new Map([['s1', ada]]))
  const outcomes: unknown[] = []
  const { ask, authentication } = await startAsking(t, [ticket(), sessions], {
    prepare: (app) => {
      app.get('/open/ticket', async (request) => {
        const issued = await authentication.issueTicket?.(request, { origin: null, route: '/' })
        outcomes.push(issued)
        return issued
      })
    },
  })
  const { body } = await ask([['x-session', 's1']], '/open/ticket')
  const { protocol }: IssuedTicket = JSON.parse(body)
  await ask([['sec-websocket-protocol', protocol]], '/open/ticket')
  assert.deepEqual(outcomes[1], { refused: true, reason: 'no known credential', fault: false })
  const { session, method } = await ask([['sec-websocket-protocol', protocol]])
  assert.deepEqual([session, method], [ada, 'ticket'])
})

test('`issueFor` says who may ask when the ticket is the only way in', async (t) => {
  const tickets = ticket({ issueFor: sessionsBy(new Map([['s1', ada]])) })
  const { ask, authentication } = await startAsking(t, tickets, {
    prepare: (app) => {
      app.get('/open/ticket', async (request) => authentication.issueTicket?.(request, { origin: null, route: '/' }))
    },
  })
  assert.match((await ask([['x-session', 's3']], '/open/ticket')).body, /"refused":true/)
  const { protocol }: IssuedTicket = JSON.parse((await ask([['x-session', 's1']], '/open/ticket')).body)
  assert.deepEqual((await ask([['sec-websocket-protocol', protocol]])).session, ada)
})

test('wrong options and wrong requests fail where they are written', async () => {
  const store: TicketStore = { put: () => undefined, take: () => undefined }
  assert.throws(() => ticket({ store }), /`ticket\.load` is missing.*keeps no session objects/)
  assert.throws(() => ticket({ store: {} as never }), /`ticket\.store`/)
  assert.throws(() => ticket({ stores: store } as never), /did you mean `store`/)
  assert.throws(() => ticket({ load: ada as never }), /`ticket\.load`/)
  assert.throws(() => ticket({ issueFor: ticket() }), /`ticket\.issueFor`/)
  assert.throws(() => ticket({ issueFor: (() => ada) as never }), /`ticket\.issueFor`/)
  const asks = [
    { ttl: 0 },
    { ttl: 300_001 },
    { ttl: 1.5 },
    { ttl: '30s' },
    { route: '' },
    { route: 'rooms' },
    { route: undefined },
    { origin: undefined },
  ]
  for (const ask of asks) {
    await assert.rejects(
      ticket().issue(ada, { origin, route: '/', ...ask } as never),
      { code: 'SWS_BAD_OPTION' },
      JSON.stringify(ask),
    )
  }
  await ticket().issue(ada, { origin, route: '/', ttl: 300_000 })
})

test('SE-14 the offered ticket is named as a credential', () => {
  assert.deepEqual(ticket().credentialProtocols?.(['chat', 'ticket.a', 'TICKET.b']), ['ticket.a', 'TICKET.b'])
})
