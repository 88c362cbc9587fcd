import assert from 'node:assert/strict'
import { test } from 'node:test'
import Fastify from 'fastify'
import { WebSocketServer } from 'ws'
import secureWs, { SecureWsError, type SecureWsOptions } from '../../src/index.ts'
import { rawConnect } from '../harness/raw-client.ts'
import { until } from '../harness/until.ts'
import { handshake, start, ways } from './abandoned.ts'

const streams = 30

for (const tls of [false, true]) {
  for (const [name, target, reason, setup, lead = ''] of ways) {
    test(`D1 ${name}: ${streams} streams end, each with an event, and the server closes${tls ? ' (TLS)' : ''}`, async (t) => {
      const { app, port, events, connections } = await start(t, { ...setup, tls })
      const clients = await Promise.all(
        Array.from({ length: streams }, async (_, at) => {
          const client = await rawConnect({ port, tls })
          client.socket.on('error', () => {})
          client.write(lead + handshake(port, target, tls))
          // Half of them say that they have finished: Node's own listener for that is gone.
          if (at % 2 === 0) client.socket.end()
          return client
        }),
      )
      await until(async () => (await connections()) === 0, 'no connection was left')
      const refused = () => events.filter(({ type }) => type === 'handshake.refused')
      await until(() => refused().length === streams, 'an event each')
      const others = refused().filter((event) => !reason.test(event.reason ?? ''))
      // The end of a TLS session closes its connection: half of the clients are gone before an answer that comes late.
      assert.ok(others.length <= (tls ? streams / 2 : 0))
      for (const event of others) assert.match(event.reason ?? '', /^the client left|^sent behind/)
      await app.close()
      for (const client of clients) client.close()
    })
  }
}

test('a response in front of the handshake goes out whole', async (t) => {
  const { port } = await start(t, {
    before: (app) => app.get('/slow', () => new Promise((resolve) => setTimeout(() => resolve('all of it'), 30))),
  })
  const client = await rawConnect({ port })
  t.after(() => client.close())
  client.write(`GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n${handshake(port, '/ws')}`)
  const { status, body } = await client.answer()
  assert.equal(status, 200)
  assert.equal(body, 'all of it')
})

test('near miss: a handshake after an answered request on the same connection is judged as any other', async (t) => {
  const { port } = await start(t, { before: (app) => app.get('/quick', () => 'quick') })
  const client = await rawConnect({ port })
  t.after(() => client.close())
  client.write('GET /quick HTTP/1.1\r\nHost: localhost\r\n\r\n')
  assert.equal((await client.answer()).status, 200)
  client.write(handshake(port, '/ws'))
  assert.equal((await client.answer()).status, 101)
  client.reset()
})

// D2: a page of any origin got a 101 from the other server, and our 404 into the same stream.
test('another upgrade listener fails the start by name, whichever was first', async () => {
  for (const late of [false, true]) {
    const app = Fastify()
    const attach = () => new WebSocketServer({ server: app.server, path: '/other' })
    if (!late) attach()
    await app.register(secureWs, { authenticate: false })
    if (late) attach()
    await assert.rejects(Promise.resolve(app.ready()), (error: unknown) => {
      assert.ok(error instanceof SecureWsError)
      assert.equal(error.code, 'SWS_UNGUARDED_ROUTE')
      assert.match(error.message, /dangerouslyLeaveUpgrades: \['\/its-path'\]/)
      return true
    })
    await app.close()
  }
})

test('one that is added after the start is told so, and hears nothing', async (t) => {
  const { app } = await start(t, {})
  assert.throws(() => app.server.on('upgrade', () => {}), /dangerouslyLeaveUpgrades/)
  assert.equal(app.server.listeners('upgrade').length, 1)
})

test('what is left to another listener reaches it alone, and everything else the guard alone', async (t) => {
  let other: WebSocketServer | undefined
  const { port, events } = await start(t, {
    options: { dangerouslyLeaveUpgrades: ['/other'] },
    after(instance) {
      other = new WebSocketServer({ server: instance.server, path: '/other' })
      t.after(() => other?.close())
    },
  })
  const ask = async (target: string) => {
    const client = await rawConnect({ port })
    t.after(() => client.close())
    client.write(handshake(port, target))
    return (await client.answer()).status
  }
  assert.equal(await ask('/other'), 101)
  assert.equal(other?.clients.size, 1)
  assert.notEqual(await ask('/others'), 101)
  assert.notEqual(await ask('/%6fther'), 101)
  assert.equal(other?.clients.size, 1)
  assert.ok(events.some(({ reason }) => String(reason).includes('dangerouslyLeaveUpgrades: /other')))
  for (const client of other?.clients ?? []) client.terminate()
})

test('a path that is left to others, and that nobody listens for, is refused as any other', async (t) => {
  const { port, connections } = await start(t, { options: { dangerouslyLeaveUpgrades: ['/other'] } })
  const client = await rawConnect({ port })
  t.after(() => client.close())
  client.write(handshake(port, '/other'))
  assert.equal((await client.answer()).status, 404)
  await until(async () => (await connections()) === 0, 'the stream was ended')
})

test('what would leave every upgrade, or none, is no prefix', async () => {
  for (const wrong of ['/other', ['/'], ['other'], ['/a?b'], ['//evil', 7], [null]]) {
    const app = Fastify()
    const options = { authenticate: false, dangerouslyLeaveUpgrades: wrong } as object as SecureWsOptions
    await assert.rejects(Promise.resolve(app.register(secureWs, options)), /dangerouslyLeaveUpgrades/)
  }
})

test('RS-11 streams that nobody decides are bounded, and those that the guard has are not among them', async (t) => {
  const { app, port, events } = await start(t, {
    options: { limits: { connections: 5, handshake: 10_000 } },
    before: (instance) => instance.addHook('onRequest', () => {}),
  })
  const clients = await Promise.all(Array.from({ length: 12 }, () => rawConnect({ port })))
  for (const client of clients) {
    client.socket.on('error', () => {})
    client.write(handshake(port, '/ws'))
  }
  const refused = () => events.filter(({ type }) => type === 'handshake.refused')
  await until(() => refused().length === 7, 'the seven beyond were ended')
  assert.ok(refused().every(({ code }) => code === 'SWS_TOO_MANY_CONNECTIONS'))
  await app.close()
  assert.equal(refused().length, 12)
})

// The guard has admitted, and an application's own hook says no, or never comes to an end: there was no event.
for (const [name, hook, reason] of [
  [
    'replies',
    (_request: object, reply: { code(n: number): { send(): void } }) => reply.code(402).send(),
    /answered with 402 by a hook/,
  ],
  ['waits, and the client leaves', () => {}, /the client left/],
] as const) {
  test(`a hook after the guard ${name}: one event, and the stream ends`, async (t) => {
    const asked = Promise.withResolvers<void>()
    const { port, events, connections } = await start(t, {
      after(app) {
        app.addHook('preHandler', async () => asked.resolve())
        app.addHook('preHandler', hook)
      },
    })
    const client = await rawConnect({ port })
    client.socket.on('error', () => {})
    client.write(handshake(port, '/ws'))
    await asked.promise
    if (name !== 'replies') client.reset()
    await until(async () => (await connections()) === 0, 'the stream was ended')
    const refused = () => events.filter(({ type }) => type === 'handshake.refused')
    await until(() => refused().length > 0, 'an event')
    assert.deepEqual(
      refused().map(({ reason: said }) => reason.test(said ?? '')),
      [true],
    )
    client.close()
  })
}

test('a refusal of the guard is one event, not two', async (t) => {
  const { port, events, connections } = await start(t, { options: { origins: () => false } })
  const client = await rawConnect({ port })
  client.write(handshake(port, '/ws'))
  assert.equal((await client.answer()).status, 403)
  await until(async () => (await connections()) === 0, 'the stream was ended')
  client.close()
  assert.equal(events.filter(({ type }) => type === 'handshake.refused').length, 1)
})
