import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { test } from 'node:test'
import { promisify } from 'node:util'
import Fastify from 'fastify'
import secureWs, { type Bus, type SecureWsOptions } from '../../src/index.ts'
import { connect, startNodes, takeClock } from '../../src/testing/testing.ts'

const ada = { id: 's1', userId: 'ada' }
const grace = { id: 's2', userId: 'grace' }

async function appWith(options: Partial<SecureWsOptions> = {}) {
  const app = Fastify({ forceCloseConnections: true })
  await app.register(secureWs, { authenticate: () => null, ...options })
  const text = { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] } as const
  app.get('/chat', { websocket: true, secureWs: { receives: { say: { schema: text } } } }, (socket) => {
    socket.join('lobby')
    socket.on('say', async ({ text }) => {
      if (text === 'wait') await new Promise(() => {})
      app.secureWs.to('lobby').send({ type: 'said', text })
      return app.secureWs.stats().rooms
    })
  })
  return app
}

test('timers are called in their turn, each at its time, and real time goes on', async () => {
  using clock = takeClock()
  const called: (readonly [string, number])[] = []
  const from = performance.now()
  const note = (name: string) => called.push([name, 5 * Math.round((performance.now() - from) / 5_000)])
  setTimeout(note, 30_000, 'late')
  const every = setInterval(note, 20_000, 'every')
  setTimeout(() => setTimeout(note, 5_000, 'inner'), 10_000)
  clearTimeout(setTimeout(note, 1_000, 'cleared'))
  const date = Date.now()
  await clock.advance(45_000)
  clearInterval(every)
  await clock.advance(60_000)
  assert.deepEqual(called, [
    ['inner', 15],
    ['every', 20],
    ['late', 30],
    ['every', 40],
  ])
  assert.ok(Math.abs(Date.now() - date - 105_000) < 10_000)
  await promisify(setTimeout)(5)
  const slow = promisify(setTimeout)(60_000, 'value')
  await clock.advance(60_000)
  assert.equal(await slow, 'value')
})

test('sleep calls what was due once; the date alone makes nothing due; a timer keeps its context', async () => {
  using clock = takeClock()
  const context = new AsyncLocalStorage<string>()
  const called: unknown[] = []
  const every = context.run('own', () => setInterval(() => called.push(context.getStore()), 1_000))
  clock.moveDate(-86_400_000)
  await clock.advance(0)
  assert.deepEqual(called, [])
  await context.run('of the test', () => clock.sleep(3_600_000))
  assert.deepEqual(called, ['own'])
  await clock.advance(1_000)
  assert.equal(called.length, 2)
  clearInterval(every)
})

test('the clock is given back, and there is one of it', () => {
  const before = [Date.now, setTimeout, setInterval, clearTimeout, clearInterval, performance.now]
  const clock = takeClock()
  assert.notEqual(setTimeout, before[1])
  assert.throws(takeClock, /using clock = takeClock/)
  clock.restore()
  clock.restore()
  assert.deepEqual([Date.now, setTimeout, setInterval, clearTimeout, clearInterval, performance.now], before)
  takeClock()[Symbol.dispose]()
})

test('an hour in a moment: a session ends, a silent listener is given up, a socket gets idle', async (t) => {
  using clock = takeClock()
  const app = await appWith({ limits: { lifetime: 3_600_000 } })
  t.after(() => app.close())
  const short = await connect(app, '/chat', { session: { ...ada, expiresAt: Date.now() + 600_000 } })
  const long = await connect(app, '/chat', { session: grace })
  const waiting = assert.rejects(long.request('say', { text: 'wait' }), { code: 'SWS_TIMEOUT' })
  await clock.advance(35_000)
  await waiting
  await clock.advance(525_000)
  assert.equal((await short.next('expiring')).type, 'expiring')
  await clock.advance(60_000)
  assert.equal((await short.closed).code, 3000)
  await clock.advance(3_600_000)
  assert.equal((await long.closed).code, 3008)
})

test('two nodes: a room over both, a revocation on both, and one that is cut off', async () => {
  await using nodes = await startNodes((bus: Bus) => appWith({ bus }))
  const [one, other] = nodes
  const here = await connect(one.app, '/chat', { session: ada })
  await using there = await connect(other.app, '/chat', { session: grace })
  await there.request('say', { text: 'hello' })
  assert.equal((await here.next('said')).text, 'hello')
  assert.equal((await one.app.secureWs.allSockets()).length, 2)

  other.cut()
  const { stored } = await one.app.secureWs.revoke({ userId: 'ada' })
  assert.equal(stored, true)
  assert.equal((await here.closed).code, 3000)
  // Nobody who needs a session comes in at a node that cannot hear of revocations.
  await assert.rejects(connect(other.app, '/chat', { session: ada }), { code: 'SWS_UNAVAILABLE' })
  assert.equal(other.app.secureWs.stats().bus, 'away')
  other.mend()
  for (;;) {
    if (other.app.secureWs.stats().bus === 'up') break
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  await assert.rejects(connect(other.app, '/chat', { session: ada }), { code: 'SWS_UNAUTHENTICATED' })
})

test('fewer than two are no nodes', async () => {
  await assert.rejects(
    startNodes(() => appWith(), 1),
    /`count` is 1\. Write 2/,
  )
})

test('an application that does not start leaves none of its nodes behind', async () => {
  const built: string[] = []
  const starting = startNodes(async (bus, number) => {
    const app = await appWith({ bus })
    app.addHook('onClose', async () => void built.push(`closed ${number}`))
    if (number === 1) {
      app.addHook('onReady', async () => {
        throw new Error('not today')
      })
    }
    return app
  }, 3)
  await assert.rejects(starting, /not today/)
  assert.deepEqual(built.sort(), ['closed 0', 'closed 1'])
})
