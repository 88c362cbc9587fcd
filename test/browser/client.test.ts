import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { after, before, type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { build } from 'esbuild'
import fastify, { type FastifyInstance } from 'fastify'
import type { Browser, Page } from 'playwright-core'
import type { ClientState } from '../../src/client/client.ts'
import secureWs, { type AuditEvent, fromRequest, type SecureWsError, type Session } from '../../src/index.ts'
import { newPerson, startBrowser } from '../harness/browser.ts'
import { wide } from '../harness/server.ts'
import { startTcpProxy } from '../harness/tcp-proxy.ts'
import { until } from '../harness/until.ts'
import { root } from '../house/source-files.ts'

// The client in the browser that it is for: each way in which a connection ends, what the page is told, and how often the server
// is asked.

let browser: Browser
let script = ''

before(async () => {
  browser = await startBrowser()
  const { outputFiles } = await build({
    entryPoints: [`${root}src/client/client.ts`],
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2022',
  })
  script = outputFiles[0]?.text ?? ''
})

after(() => browser?.close())

/** Everything about a server that a test changes while pages are connected. */
class World {
  readonly events: AuditEvent[] = []
  session: Session | null = { id: 's1', userId: 'ada' }
  /** How long the session has from the first time that it is asked for, in ms: not while a busy machine opens the page. */
  lasts: number | undefined
  down = false
  allowed = true
  renewals = 0
  /** Asks the newest client, and says what became of it. */
  ask: () => Promise<string> = () => Promise.reject(new Error('nobody is there'))
  /** The port of the first start, for the next ones. */
  port = 0
  limits: object = {}
  readonly #test: TestContext
  readonly #streams = new Set<Socket>()
  #app: FastifyInstance | undefined

  constructor(t: TestContext) {
    this.#test = t
  }

  get app(): FastifyInstance {
    if (this.#app === undefined) throw new Error('not started')
    return this.#app
  }

  async start(): Promise<this> {
    const app = fastify({ forceCloseConnections: true })
    this.#app = app
    this.#test.after(() => app.close())
    app.server.on('connection', (stream) => this.#streams.add(stream))
    const read = () => {
      if (this.down) throw new Error('the store is down')
      if (this.session !== null && this.lasts !== undefined)
        this.session = { ...this.session, expiresAt: Date.now() + this.lasts }
      this.lasts = undefined
      return this.session
    }
    await app.register(secureWs, {
      authenticate: fromRequest(read, { revalidate: read }),
      audit: (event) => this.events.push(event),
      limits: { ...wide, lookup: 150, partialMessage: 100, ...this.limits },
    })
    const empty = { type: 'object' } as const
    const secure = {
      authorize: () => this.allowed,
      receives: { say: { schema: empty }, never: { schema: empty } },
      sends: { confirm: { schema: empty, reply: { type: 'boolean' } } },
    } as const
    app.get('/ws', { websocket: true, secureWs: secure }, (socket) => {
      this.ask = () => socket.request('confirm', {}).then(String, ({ code }: SecureWsError) => code)
      socket.on('say', () => undefined)
      socket.on('never', () => new Promise<never>(() => {}))
    })
    app.post('/renew', async () => {
      this.renewals++
      if (this.session !== null) this.session = { ...this.session, expiresAt: Date.now() + 60_000 }
      return {}
    })
    app.get('/', (_request, reply) => reply.type('text/html').send('<!doctype html><title>client</title>'))
    app.get('/client.js', (_request, reply) => reply.type('text/javascript').send(script))
    await app.listen({ host: '127.0.0.1', port: this.port })
    this.port = Number(new URL(app.listeningOrigin).port)
    return this
  }

  /** As when the process is killed: every connection is reset, and nobody says goodbye. */
  async kill(): Promise<void> {
    for (const stream of this.#streams) stream.resetAndDestroy()
    this.#streams.clear()
    await this.app.close()
  }

  get knocks(): number {
    return this.events.filter(({ type }) => type === 'handshake.refused' || type === 'handshake.accepted').length
  }

  get questions(): number {
    return this.events.filter(({ type }) => type === 'handshake.asked').length
  }

  /** A page with a client that keeps every state it is in, and how each request ended. */
  async open(options = '{}', host = 'localhost', port = this.port): Promise<Watched> {
    const person = await newPerson(browser)
    this.#test.after(() => person.close())
    const page = await person.newPage()
    await page.goto(`http://${host}:${port}/`)
    const watched = new Watched(page)
    await watched.connect(`ws://localhost:${port}/ws`, options)
    return watched
  }
}

class Watched {
  readonly page: Page

  constructor(page: Page) {
    this.page = page
  }

  async connect(url: string, options: string): Promise<void> {
    await this.page.evaluate(`(async () => {
      const { connect } = await import('/client.js')
      window.states = []
      window.ends = []
      window.client = connect('${url}', { pause: { first: 60, ceiling: 250 }, ...${options} })
      client.subscribe((state) => states.push(state))
      window.ask = (type) => client.request(type, {}).then(() => ends.push('done'), ({ code }) => ends.push(code))
    })()`)
  }

  async states(): Promise<readonly ClientState[]> {
    return (await this.page.evaluate('states')) as ClientState[]
  }

  /** Waits for a state that comes after those that are known. */
  async reach(name: ClientState['name'], reason?: string): Promise<void> {
    const expression = `client.state.name === '${name}' && ${reason === undefined ? 'true' : `client.state.reason === '${reason}'`}`
    try {
      await this.page.waitForFunction(expression, undefined, { timeout: 30_000, polling: 10 })
    } catch (error) {
      throw new Error(`never ${name} ${reason ?? ''}: ${JSON.stringify(await this.states())}`, { cause: error })
    }
  }

  /** Waits until it has been in this state, however short. */
  async passed(reason: string): Promise<void> {
    await this.page.waitForFunction(`states.some((state) => state.reason === '${reason}')`, undefined, {
      timeout: 30_000,
    })
  }

  ask(type: 'say' | 'never'): Promise<unknown> {
    return this.page.evaluate(`void ask('${type}')`)
  }

  async ends(count: number): Promise<unknown> {
    await this.page.waitForFunction(`ends.length >= ${count}`, undefined, { timeout: 30_000 })
    return this.page.evaluate('ends')
  }
}

test('killed and started again: it waits, comes back, and each request has ended once', async (t) => {
  const world = await new World(t).start()
  const watched = await world.open()
  await watched.reach('open')
  await watched.ask('never')
  await world.kill()
  assert.deepEqual(await watched.ends(1), ['SWS_LOST'])
  await watched.reach('waiting', 'connection lost')
  await watched.ask('say')
  await sleep(400)
  await world.start()
  await watched.reach('open')
  assert.deepEqual(await watched.ends(2), ['SWS_LOST', 'done'])
  await sleep(200)
  assert.deepEqual(await watched.ends(2), ['SWS_LOST', 'done'])
  const [first, second, third] = await watched.states()
  assert.deepEqual([first?.name, second?.name, third?.name], ['connecting', 'open', 'waiting'])
})

test('drained: it waits for the moment that the server has named, and comes back to the next one', async (t) => {
  const world = await new World(t).start()
  const watched = await world.open()
  await watched.reach('open')
  await world.app.secureWs.drain()
  await watched.passed('service restart')
  await world.app.close()
  await world.start()
  await watched.reach('open')
  assert.equal((await watched.states()).filter(({ name }) => name === 'open').length, 2)
})

test('a link that swallows every byte: it is given up, and the next one is used', async (t) => {
  const world = await new World(t).start()
  const proxy = await startTcpProxy(world.port)
  t.after(() => proxy.close())
  const watched = await world.open('{ silence: 300, timeout: 2_000 }', 'localhost', proxy.port)
  await watched.reach('open')
  // Answered once, as on any link that has been quiet for a while.
  await sleep(500)
  proxy.hush()
  await watched.ask('say')
  assert.deepEqual(await watched.ends(1), ['SWS_LOST'])
  await watched.passed('connection lost')
  proxy.mend()
  await watched.reach('open')
  await watched.ask('say')
  assert.deepEqual(await watched.ends(2), ['SWS_LOST', 'done'])
})

test('asked by the server: the page answers, and says so where nobody does', async (t) => {
  const world = await new World(t).start()
  const watched = await world.open()
  await watched.reach('open')
  assert.deepEqual(await world.ask(), 'SWS_DECLINED')
  await watched.page.evaluate("void client.answer('confirm', async ({ type }) => type === 'confirm')")
  assert.deepEqual(await world.ask(), 'true')
  await watched.page.evaluate("void client.answer('confirm', () => new Promise(() => {}))")
  const asked = world.ask()
  await watched.page.close()
  assert.deepEqual(await asked, 'SWS_CLOSED')
})

test('revoked: one more handshake, one question, and then it stays where it is', async (t) => {
  const world = await new World(t).start()
  const watched = await world.open()
  await watched.reach('open')
  world.session = null
  await world.app.secureWs.revoke({ userId: 'ada' })
  await watched.reach('refused', 'SWS_UNAUTHENTICATED')
  await sleep(1_000)
  assert.deepEqual([world.knocks, world.questions], [2, 1])
})

test('about to expire: it renews, and its connection is the first one still', async (t) => {
  const world = new World(t)
  world.lasts = 8_000
  await world.start()
  const watched = await world.open(
    `{ credential: () => states.length > 1 ? fetch('/renew', { method: 'POST' }).then(() => {}) : undefined }`,
  )
  await watched.reach('open')
  await until(() => world.renewals === 1, 'it was renewed')
  await sleep(2_500)
  assert.deepEqual(
    (await watched.states()).map(({ name }) => name),
    ['connecting', 'open'],
  )
  assert.equal(world.knocks, 1)
})

for (const [status, reason, change] of [
  [403, 'SWS_FORBIDDEN', { allowed: false }],
  [401, 'SWS_UNAUTHENTICATED', { session: null }],
] as const) {
  test(`${status}: refused with its reason, after one handshake and one question`, async (t) => {
    const world = await new World(t).start()
    Object.assign(world, change)
    const watched = await world.open()
    await watched.reach('refused', reason)
    await sleep(1_000)
    assert.deepEqual([world.knocks, world.questions], [1, 1])
    assert.equal((await watched.states()).length, 2)
  })
}

test('429 and 503: it waits with the reason, and comes in when there is room', async (t) => {
  const world = new World(t)
  world.limits = { connectionsPerSession: 1 }
  await world.start()
  const first = await world.open()
  await first.reach('open')
  const second = await world.open()
  await second.reach('waiting', 'SWS_TOO_MANY_CONNECTIONS')
  await first.page.evaluate('client.close()')
  // The server has named a moment, and neither a network that is back nor somebody who looks makes it sooner.
  const knocks = world.knocks
  await second.page.evaluate("dispatchEvent(new Event('online')); dispatchEvent(new Event('pageshow'))")
  await sleep(1_000)
  assert.equal(world.knocks, knocks)
  // A button does.
  await second.page.evaluate('client.reconnect()')
  await second.reach('open')
  await second.page.evaluate('client.close()')
  world.down = true
  const third = await world.open()
  await third.reach('waiting', 'SWS_UNAVAILABLE')
  world.down = false
  await third.reach('open')
})

test('a page of another origin cannot read why: it waits, and knocks no oftener than its pauses say', async (t) => {
  const world = await new World(t).start()
  const watched = await world.open('{ pause: { first: 400, ceiling: 400 } }', '127.0.0.1')
  await watched.reach('waiting', 'connection lost')
  await sleep(2_000)
  await until(() => world.knocks >= 2, 'it knocked again')
  assert.ok(world.knocks <= 40, `${world.knocks}`)
  assert.ok(world.events.every(({ code }) => code === 'SWS_ORIGIN_REFUSED'))
})

test('offline: it says so at once, and comes back with the network', async (t) => {
  const world = await new World(t).start()
  const watched = await world.open('{ pause: { first: 60, ceiling: 60_000 } }')
  await watched.reach('open')
  await watched.ask('never')
  await watched.page.context().setOffline(true)
  await watched.passed('offline')
  assert.deepEqual(await watched.ends(1), ['SWS_LOST'])
  await sleep(300)
  const before = world.knocks
  await watched.page.context().setOffline(false)
  await watched.reach('open')
  await watched.ask('say')
  assert.deepEqual(await watched.ends(2), ['SWS_LOST', 'done'])
  assert.ok(world.knocks - before <= 2)
})

test('a frozen page: what ended while it slept is known when it wakes', async (t) => {
  const world = await new World(t).start()
  const watched = await world.open()
  await watched.reach('open')
  const devtools = await watched.page.context().newCDPSession(watched.page)
  await devtools.send('Page.setWebLifecycleState', { state: 'frozen' })
  await world.kill()
  await world.start()
  await devtools.send('Page.setWebLifecycleState', { state: 'active' })
  await watched.passed('connection lost')
  await watched.reach('open')
  await watched.ask('say')
  assert.deepEqual(await watched.ends(1), ['done'])
})

test('asleep for longer than anybody waits: the old connection is given up, whatever the browser thinks of it', async (t) => {
  const world = await new World(t).start()
  const watched = await world.open()
  await watched.reach('open')
  // The clock of a machine that slept has moved, and nothing else has.
  await watched.page.evaluate(
    '{ const now = Date.now; Date.now = () => now() + 120_000; dispatchEvent(new Event("pageshow")) }',
  )
  await watched.passed('connection lost')
  await watched.reach('open')
  assert.equal(world.knocks, 2)
  await world.app.close()
})

test('the near miss: a minute without a tick, as in a hidden tab, is no sleep', async (t) => {
  const world = await new World(t).start()
  const watched = await world.open()
  await watched.reach('open')
  await watched.page.evaluate(
    '{ const now = Date.now; Date.now = () => now() + 61_000; dispatchEvent(new Event("pageshow")) }',
  )
  await sleep(300)
  assert.equal((await watched.states()).length, 2)
})
