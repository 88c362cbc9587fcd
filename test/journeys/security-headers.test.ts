import assert from 'node:assert/strict'
import { test } from 'node:test'
import helmet from '@fastify/helmet'
import type { FastifyInstance } from 'fastify'
import { startJourney } from './journey.ts'

// A refusal is a page of this origin like any other, so @fastify/helmet's headers are on it; a handshake that succeeds has none
// of them. Registered by the plugin, they stand on what the plugin answers, and on nothing else of the application.

const name = 'content-security-policy'

function everyKind(app: FastifyInstance): void {
  const socket = { websocket: true } as const
  app.get('/ws', socket, (socket) => socket.send('open'))
  app.get('/own', { ...socket, helmet: { frameguard: false, xDnsPrefetchControl: { allow: true } } }, () => {})
  app.get('/without', { ...socket, helmet: false }, () => {})
  app.get('/hooked', { ...socket, preHandler: async (_request, reply) => reply.code(418).send('no') }, () => {})
  app.route({ method: 'GET', url: '/both', handler: () => 'a page', wsHandler: () => {} })
  app.get('/plain', () => 'a page')
}

const evil = { headers: { Origin: 'https://evil.example' } }
const noUpgrade = { headers: { Upgrade: undefined, Connection: 'close' } }

const plugins: readonly (readonly [name: string, Parameters<typeof startJourney>[2]])[] = [
  ['registered here', { routes: everyKind }],
  ['registered by the application', { before: (app) => app.register(helmet), routes: everyKind }],
]
for (const [who, options] of plugins) {
  test(`@fastify/helmet ${who}: every answer has its headers, and no 101 has any`, async (t) => {
    const { ask } = await startJourney(t, {}, options)
    const opened = await ask()
    assert.equal(opened.status, 101)
    for (const asked of [
      evil,
      noUpgrade,
      { ...evil, target: '/nowhere' },
      { ...evil, target: '/plain' },
      { target: '/hooked' },
      { ...noUpgrade, target: '/hooked' },
      { ...noUpgrade, target: '/both' },
    ]) {
      const { status, headers } = await ask(asked)
      assert.notEqual(status, 101)
      assert.match(headers[name] ?? '', /frame-ancestors/, JSON.stringify(asked))
      assert.equal(headers['x-frame-options'], 'SAMEORIGIN')
    }
  })

  test(`@fastify/helmet ${who}: a route's own options are followed`, async (t) => {
    const { ask } = await startJourney(t, {}, options)
    const own = await ask({ ...evil, target: '/own' })
    assert.equal(own.headers['x-frame-options'], undefined)
    assert.equal(own.headers['x-dns-prefetch-control'], 'on')
    assert.match(own.headers[name] ?? '', /frame-ancestors/)
    const without = await ask({ ...evil, target: '/without' })
    assert.equal(without.headers[name], undefined)
  })
}

test('registered here, nothing else of the application has them: a page with an inline script works', async (t) => {
  const { ask } = await startJourney(t, {}, { routes: everyKind })
  for (const target of ['/plain', '/nowhere']) {
    const { headers } = await ask({ ...noUpgrade, target })
    const added = Object.keys(headers).filter((each) => /policy|security|^x-/.test(each))
    assert.deepEqual(added, [], target)
  }
})

test('registered by the application, everything has them', async (t) => {
  const { ask } = await startJourney(t, {}, { before: (app) => app.register(helmet), routes: everyKind })
  for (const target of ['/plain', '/nowhere']) {
    assert.match((await ask({ ...noUpgrade, target })).headers[name] ?? '', /frame-ancestors/)
  }
})

test('`helmet.global` is refused: who wants the headers everywhere registers @fastify/helmet', async (t) => {
  await assert.rejects(
    startJourney(t, { helmet: { global: true } }),
    /option `helmet\.global` is true\. .*register @fastify\/helmet yourself, before this plugin/,
  )
})

test('a 101 has none of the headers of an answer', async (t) => {
  const { ask } = await startJourney(t, {}, { routes: everyKind })
  assert.deepEqual(Object.keys((await ask()).headers).sort(), ['connection', 'sec-websocket-accept', 'upgrade'])
})

test('a handshake that becomes a socket has met no hook of @fastify/helmet', async (t) => {
  const decorated: unknown[] = []
  const { ask } = await startJourney(
    t,
    {},
    {
      routes: (app) =>
        app.get('/ws', {
          websocket: true,
          preHandler: (_request, reply, done) => {
            decorated.push(Reflect.get(reply, 'helmet'))
            done()
          },
          handler: () => {},
        }),
    },
  )
  assert.equal((await ask()).status, 101)
  assert.deepEqual(decorated, [null])
})

test('a nonce for the policy is there when the handler is', async (t) => {
  const { ask } = await startJourney(
    t,
    { helmet: { enableCSPNonces: true } },
    {
      routes: (app) =>
        app.route({ method: 'GET', url: '/ws', handler: (_request, reply) => reply.cspNonce, wsHandler: () => {} }),
    },
  )
  const { body, headers } = await ask(noUpgrade)
  const { script } = JSON.parse(body) as { script: string }
  assert.ok(headers[name]?.includes(`'nonce-${script}'`), headers[name])
})

// A browser keeps HSTS for the host and, so said, for every name below it: of all these headers it alone reaches other routes.
test('HSTS can leave the names below this one out, or be left out itself; the other headers stay', async (t) => {
  const usual = (await (await startJourney(t, {}, { routes: everyKind })).ask(evil)).headers
  assert.equal(usual['strict-transport-security'], 'max-age=31536000; includeSubDomains')
  for (const [hsts, expected] of [
    [{ includeSubDomains: false }, 'max-age=31536000'],
    [false, undefined],
  ] as const) {
    const { ask } = await startJourney(t, { helmet: { hsts } }, { routes: everyKind })
    for (const asked of [evil, noUpgrade, { ...evil, target: '/nowhere' }]) {
      const { headers } = await ask(asked)
      assert.equal(headers['strict-transport-security'], expected)
      assert.match(headers[name] ?? '', /frame-ancestors/)
    }
  }
})

test('helmet: false leaves every header out', async (t) => {
  const { ask } = await startJourney(t, { helmet: false }, { routes: everyKind })
  assert.equal((await ask(evil)).headers[name], undefined)
})
