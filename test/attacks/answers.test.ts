import assert from 'node:assert/strict'
import { test } from 'node:test'
import Fastify, { type FastifyInstance } from 'fastify'
import secureWs, {
  basic,
  cookieSession,
  fromRequest,
  memoryTickets,
  type SecureWsOptions,
  type TicketStore,
  ticket,
} from '../../src/index.ts'
import { statusOf } from '../harness/socket-client.ts'
import { until } from '../harness/until.ts'
import { cookieOf, startJourney } from '../journeys/journey.ts'

// D5: every call into the application has a catch, a deadline and a meaning that lets nobody in. `audit: async () => { throw }`
// ended the process; so did an async `verifyClient` that called back and then threw.

/** A name, so that nobody takes these for promises by accident. */
const then = 'then'
const broken = () => new Error('broken, on purpose')

/** The ways in which a function of the application gives no answer. */
const ways: Readonly<Record<string, () => unknown>> = {
  throws: fails,
  'throws nothing at all': () => {
    throw undefined
  },
  'throws what throws when it is read': () => {
    throw new Proxy(
      {},
      {
        get() {
          throw broken()
        },
        getPrototypeOf() {
          throw broken()
        },
      },
    )
  },
  rejects: () => Promise.reject(broken()),
  'rejects later': () => new Promise((_resolve, reject) => setTimeout(reject, 10, broken())),
  'returns a thenable that rejects': () => thenable((_resolve, reject) => reject(broken())),
  'returns a thenable that rejects twice': () =>
    thenable((resolve, reject) => {
      reject(broken())
      reject(broken())
      resolve(true)
    }),
  'returns a thenable that throws': () =>
    thenable(() => {
      throw broken()
    }),
  'returns a thenable of a thenable that rejects': () =>
    thenable((resolve) => resolve(thenable((_resolve, reject) => reject(broken())))),
  'returns what throws when its `then` is read': () => Object.defineProperty({}, 'then', { get: fails }),
  'returns a revoked proxy': () => {
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    return proxy
  },
  'returns a promise with a `then` of its own': () => {
    const promise = new Promise(() => {})
    Reflect.set(promise, then, (_resolve: Settle, reject: Settle) => reject(broken()))
    return promise
  },
  'never answers': () => new Promise(() => {}),
  'returns a thenable that never answers': () => thenable(() => {}),
}

type Settle = (value?: unknown) => void
function thenable(settle: (resolve: Settle, reject: Settle) => void): unknown {
  return { [then]: settle }
}

function fails(): never {
  throw broken()
}

interface Asked {
  readonly options?: (way: () => unknown) => object
  readonly route?: (way: () => unknown) => object
  readonly headers?: (journey: { readonly app: FastifyInstance; readonly own: string }) => Promise<object> | object
  /** The status of no answer, and of none in time. */
  readonly status: number
  readonly late: number
}

const secret = 'a secret of thirty-two bytes here'
const store = (way: () => unknown, name: 'put' | 'take'): TicketStore =>
  ({ ...memoryTickets(), [name]: way }) as TicketStore
const ada = { id: 'sa', userId: 'ada' }

/** Each function that a handshake asks. */
const asked: Readonly<Record<string, Asked>> = {
  origins: { options: (way) => ({ origins: way }), status: 403, late: 503 },
  'origins of a route': { route: (way) => ({ origins: way }), status: 403, late: 503 },
  authenticate: { options: (way) => ({ authenticate: way }), status: 503, late: 503 },
  'authenticate in a list': { options: (way) => ({ authenticate: [way, () => ada] }), status: 503, late: 503 },
  'authenticate of a route': { route: (way) => ({ authenticate: way }), status: 503, late: 503 },
  fromRequest: { options: (way) => ({ authenticate: fromRequest(way as never) }), status: 503, late: 503 },
  'cookieSession.load': {
    options: (way) => ({ authenticate: cookieSession({ secret, load: way as never }) }),
    headers: () => ({ Cookie: cookieOf(secret, 'sa') }),
    status: 503,
    late: 503,
  },
  'basic.verify': {
    options: (way) => ({ authenticate: basic({ verify: way as never }) }),
    headers: () => ({ Authorization: `Basic ${Buffer.from('ada:secret').toString('base64')}` }),
    status: 503,
    late: 503,
  },
  'ticket.store.take': {
    options: (way) => ({ authenticate: [ticket({ store: store(way, 'take'), load: () => ada }), () => ada] }),
    headers: async ({ app, own }) => {
      const answer = await app.inject({ method: 'POST', url: '/ticket', headers: { origin: own } })
      return { 'Sec-WebSocket-Protocol': `secure-ws, ${answer.json<{ protocol: string }>().protocol}` }
    },
    status: 503,
    late: 503,
  },
  authorize: { route: (way) => ({ authorize: way }), status: 403, late: 503 },
  'verifyClient of one parameter': {
    options: (way) => ({ websocket: { options: { verifyClient: (_client: object) => way() } } }),
    status: 403,
    late: 503,
  },
  'verifyClient of two parameters': {
    options: (way) => ({ websocket: { options: { verifyClient: (_client: object, _answer: () => void) => way() } } }),
    status: 403,
    late: 503,
  },
}

for (const [name, { options, route, headers, status, late }] of Object.entries(asked)) {
  for (const [how, way] of Object.entries(ways)) {
    test(`D5 ${name} ${how}`, async (t) => {
      // Only where nobody answers is the deadline waited for; on a busy machine it would come before an answer.
      const isWaitedFor = /never|a `then` of its own/.test(how) || name.includes('two parameters')
      const limits = { handshake: isWaitedFor ? 80 : 30_000 }
      const journey = await startJourney(
        t,
        { authenticate: () => ada, limits, ...options?.(way) } as Partial<SecureWsOptions>,
        {
          routes(app) {
            app.get('/ws', { websocket: true, secureWs: { ...route?.(way) } } as object, () => {})
            const secureWs = { authenticate: false, origins: 'same-origin', limits: { handshake: 30_000 } } as const
            app.get('/fine', { websocket: true, secureWs }, () => {})
            app.post('/ticket', (request) => app.secureWs.issueTicket(request, { route: '/ws' }))
          },
        },
      )
      const own = `http://localhost:${journey.port}`
      const more = await headers?.({ app: journey.app, own })
      const answer = await journey.ask({ headers: { ...more } })
      // A `verifyClient` of two parameters answers by calling the second: what it returns counts where it is a failure.
      const silent = how.includes('never') || (name.includes('two parameters') && answer.status === late)
      assert.equal(answer.status, silent ? late : status, answer.text)
      assert.equal(journey.refusals().length, 1, JSON.stringify(journey.refusals()))
      // The process lives, and what was taken is given back.
      if (!name.startsWith('verifyClient')) assert.equal((await journey.ask({ target: '/fine' })).status, 101)
      await until(() => journey.app.secureWs.stats().connections === 0, 'every place is free')
    })
  }
}

// A decision was taken before it is told: whatever the listener does, it stands.
for (const [how, way] of Object.entries(ways)) {
  test(`D5 audit ${how}`, async (t) => {
    const app = Fastify()
    t.after(() => app.close())
    await app.register(secureWs, { authenticate: false, audit: way as (event: object) => void })
    app.get('/ws', { websocket: true }, () => {})
    const url = await app.listen({ port: 0, host: '127.0.0.1' })
    const ask = (origin: string) => statusOf(`${url.replace('http', 'ws')}/ws`, { headers: { origin } })
    assert.equal(await ask('https://evil.example'), 403)
    assert.equal(await ask(url), 101)
  })
}
