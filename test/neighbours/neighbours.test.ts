import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { type TestContext, test } from 'node:test'
import httpProxy from '@fastify/http-proxy'
import type { FastifyInstance } from 'fastify'
import { buildSchema } from 'graphql'
import { createClient as createGraphqlClient } from 'graphql-ws'
import { useServer } from 'graphql-ws/use/ws'
import { Server as SocketIo } from 'socket.io'
import { io } from 'socket.io-client'
import WebSocket, { WebSocketServer } from 'ws'
import { SecureWsError } from '../../src/index.ts'
import { until } from '../harness/until.ts'
import { startNeighbourhood } from './neighbour.ts'

// D2: each of these is the recipe of its own documentation. Without a guard, a page of any origin got a 101 from it, or the
// process ended; with one, its handshakes pass what ours pass.

interface Neighbour {
  readonly name: string
  /** In the message that fails the start. */
  readonly owner: RegExp
  readonly path: string
  /** A target of it, as its client asks for it. */
  readonly target: string
  attach(app: FastifyInstance, t: TestContext): unknown
  /** Uses it with its own client, as `ada`; `gone` resolves when the connection is lost. */
  use(url: string, headers: Record<string, string>, t: TestContext): Promise<{ readonly gone: Promise<unknown> }>
}

function closing(t: TestContext, server: WebSocketServer): WebSocketServer {
  t.after(() => {
    for (const client of server.clients) client.terminate()
    server.close()
  })
  return server
}

async function openSocket(t: TestContext, url: string, headers: Record<string, string>, protocols: string[] = []) {
  const socket = new WebSocket(url, protocols, { headers })
  socket.on('error', () => {})
  t.after(() => socket.terminate())
  const heard = once(socket, 'message')
  await once(socket, 'open')
  return { socket, heard, gone: new Promise((resolve) => socket.once('close', resolve)) }
}

async function echoes(t: TestContext, url: string, headers: Record<string, string>) {
  const { socket, heard, gone } = await openSocket(t, url, headers)
  socket.send('hello')
  assert.equal(String((await heard)[0]), 'hello')
  return { gone }
}

function echo(server: WebSocketServer): void {
  server.on('connection', (socket) => {
    socket.on('error', () => {})
    socket.on('message', (text, isBinary) => socket.send(text, { binary: isBinary }))
  })
}

async function proxyTo(app: FastifyInstance, t: TestContext): Promise<void> {
  const upstream = createServer()
  echo(closing(t, new WebSocketServer({ server: upstream })))
  upstream.listen(0, '127.0.0.1')
  await once(upstream, 'listening')
  t.after(() => void upstream.close())
  const address = upstream.address()
  assert.ok(typeof address === 'object' && address !== null)
  await app.register(httpProxy, { upstream: `http://127.0.0.1:${address.port}`, prefix: '/proxied', websocket: true })
}

const neighbours: readonly Neighbour[] = [
  {
    name: 'a ws server',
    owner: /a WebSocketServer of ws/,
    path: '/other',
    target: '/other',
    attach: (app, t) => echo(closing(t, new WebSocketServer({ server: app.server, path: '/other' }))),
    use: (url, headers, t) => echoes(t, `${url}/other`, headers),
  },
  {
    name: 'socket.io',
    owner: /socket\.io/,
    path: '/socket.io',
    target: '/socket.io/?EIO=4&transport=websocket',
    attach(app, t) {
      const server = new SocketIo(app.server, { transports: ['websocket'], destroyUpgrade: false })
      server.on('connection', (socket) => socket.on('say', (text, answer) => answer(text)))
      t.after(() => void server.close())
    },
    async use(url, headers, t) {
      const socket = io(url, { transports: ['websocket'], extraHeaders: headers, reconnection: false, forceNew: true })
      t.after(() => void socket.close())
      await new Promise((resolve, reject) => socket.once('connect', () => resolve(0)).once('connect_error', reject))
      assert.equal(await socket.emitWithAck('say', 'hello'), 'hello')
      return { gone: new Promise((resolve) => socket.once('disconnect', resolve)) }
    },
  },
  {
    name: 'graphql-ws',
    owner: /a WebSocketServer of ws/,
    path: '/graphql',
    target: '/graphql',
    attach(app, t) {
      app.post('/graphql', () => ({ data: null }))
      app.get('/graphql', () => 'a page')
      const server = closing(t, new WebSocketServer({ server: app.server, path: '/graphql' }))
      const schema = buildSchema('type Query { hello: String }')
      const { dispose } = useServer({ schema, roots: { query: { hello: () => 'hello' } } }, server, 1_000)
      t.after(() => dispose())
    },
    async use(url, headers, t) {
      class WithHeaders extends WebSocket {
        constructor(address: string, protocols: string | string[]) {
          super(address, protocols, { headers })
        }
      }
      const { promise: gone, resolve: lost } = Promise.withResolvers<unknown>()
      const client = createGraphqlClient({
        url: `${url}/graphql`,
        webSocketImpl: WithHeaders,
        lazy: false,
        retryAttempts: 0,
        onNonLazyError() {},
        on: { closed: lost },
      })
      t.after(() => client.dispose())
      for await (const { data } of client.iterate<{ hello: string }>({ query: '{ hello }' })) {
        assert.equal(data?.hello, 'hello')
      }
      return { gone }
    },
  },
  {
    name: 'y-websocket',
    owner: /`upgradeToYjs`/,
    path: '/yjs',
    target: '/yjs/room',
    async attach(app, t) {
      // By a name that the compiler does not follow: the types of yjs 14 do not compile.
      const utils: string = '@y/websocket-server/utils'
      const yjs: {
        setupWSConnection(socket: WebSocket, request: IncomingMessage): void
        readonly docs: ReadonlyMap<string, { destroy(): void }>
      } = await import(utils)
      // Its documents have timers of their own.
      t.after(() => {
        for (const doc of yjs.docs.values()) doc.destroy()
      })
      const server = closing(t, new WebSocketServer({ noServer: true }))
      server.on('connection', yjs.setupWSConnection)
      app.server.on('upgrade', function upgradeToYjs(request, stream, head) {
        server.handleUpgrade(request, stream, head, (socket) => server.emit('connection', socket, request))
      })
    },
    async use(url, headers, t) {
      const { heard, gone } = await openSocket(t, `${url}/yjs/room`, headers)
      // Sync step 1 of its protocol: what it knows of the document.
      const [message] = await heard
      assert.deepEqual([...Buffer.from(message as Buffer).subarray(0, 2)], [0, 0])
      return { gone }
    },
  },
  {
    name: '@fastify/http-proxy',
    owner: /@fastify\/http-proxy/,
    path: '/proxied',
    target: '/proxied/x',
    attach: proxyTo,
    use: (url, headers, t) => echoes(t, `${url}/proxied/x`, headers),
  },
]

for (const { name, owner, path, target, attach, use } of neighbours) {
  for (const order of ['before', 'after'] as const) {
    test(`${name}, ${order} us: guarded`, async (t) => {
      const { app, own, ask, events, connections } = await startNeighbourhood(t, {
        [order]: (instance: FastifyInstance) => attach(instance, t),
      }).then(
        () => assert.fail('it started without a guard'),
        async (error: unknown) => {
          assert.ok(error instanceof SecureWsError, String(error))
          assert.equal(error.code, 'SWS_UNGUARDED_ROUTE')
          assert.match(error.message, owner)
          assert.match(error.message, /app\.secureWs\.guard\('/)
          return startNeighbourhood(t, {
            ...(order === 'before' && { before: (instance: FastifyInstance) => attach(instance, t) }),
            async after(instance) {
              if (order === 'after') await attach(instance, t)
              instance.secureWs.guard(path)
            },
          })
        },
      )
      for (const [headers, status] of [
        [{ Origin: 'https://evil.example' }, 403],
        [{ Origin: undefined }, 403],
        [{ 'X-User': undefined }, 401],
      ] as const) {
        assert.equal(await ask(target, headers), status)
      }
      assert.equal(await ask('/ours'), 101)
      const url = own.replace('http', 'ws')
      const { gone } = await use(url, { origin: own, 'x-user': 'ada' }, t)
      const used = () => app.secureWs.sockets().filter(({ route }) => route === path)
      assert.equal(used().length, 1)
      assert.ok((await app.secureWs.revoke({ userId: 'ada' })).closed >= 1)
      await gone
      await until(() => used().length === 0, 'it is nobody any more')
      const codes = events.filter(({ type, route }) => type === 'stream.closed' && route === path)
      assert.deepEqual(
        codes.map(({ code }) => code),
        [3000],
      )
      await until(async () => (await connections()) === 0, 'no connection is left')
    })
  }
}
