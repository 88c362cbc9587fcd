/** The servers that are compared. Each listens on a free port of the loopback address and takes commands of the client. */
import { createServer, type Server as HttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import cookie from '@fastify/cookie'
import fastifyWebsocket from '@fastify/websocket'
import Fastify, { type FastifyInstance } from 'fastify'
import { Server as SocketIo } from 'socket.io'
import { type WebSocket, WebSocketServer } from 'ws'
import secureWs, { cookieSession } from '../../src/index.ts'
import { cookieName, origin, secret, sessionId } from './credentials.ts'

export interface Peer {
  readonly port: number
  /** Sends one text this many times, within one turn of the loop, to everybody who is connected. */
  broadcast(text: string, times: number): void
  connected(): number
}

export const peers = {
  /** Everything on: origin, host, session cookie, declared messages, schemas, rates, encoding. */
  async ours(): Promise<Peer> {
    const app = Fastify()
    const sessions = new Map([[sessionId, { id: sessionId, userId: 'ada' }]])
    const many = 1_000_000_000
    await app.register(secureWs, {
      origins: [origin],
      hosts: ['127.0.0.1', 'app.example'],
      allowInsecureTransport: true,
      authenticate: cookieSession({ secret, load: (id) => sessions.get(id) ?? null }),
      limits: {
        connections: many,
        connectionsPerAddress: many,
        connectionsPerSession: many,
        connectionsPerUser: many,
        handshakesPerMinutePerAddress: many,
        refusedPerMinutePerAddress: many,
        messages: { perSecond: many, burst: many },
        bytes: { perSecond: many, burst: many },
        outboundBytes: 16_777_216,
        // The client counts bytes and answers no ping.
        heartbeat: { every: many, timeout: many },
      },
    })
    const text = {
      type: 'object',
      properties: { text: { type: 'string', maxLength: 65_536 } },
      required: ['text'],
    } as const
    const declared = { receives: { say: { schema: text } }, sends: { said: { schema: text } } }
    app.get('/', { websocket: true, secureWs: declared }, (socket) => {
      socket.join('room:all')
      socket.on('say', ({ text }) => socket.send({ type: 'said', text }))
    })
    const port = await listening(app)
    return {
      port,
      broadcast(text, times) {
        for (let index = 0; index < times; index++) app.secureWs.to('room:all').send({ type: 'said', text })
      },
      connected: () => app.secureWs.stats().sockets,
    }
  },

  /** ws, and nothing else: frames go back as they came. */
  async ws(): Promise<Peer> {
    return bare((socket) => {
      socket.on('message', (frame, isBinary) => socket.send(frame, { binary: isBinary }))
    })
  },

  /** What a handler of ws has to do at least when its messages are JSON. */
  async 'ws + JSON'(): Promise<Peer> {
    return bare((socket) => {
      socket.on('message', (frame) => {
        const { text } = JSON.parse(String(frame))
        socket.send(JSON.stringify({ type: 'said', text }))
      })
    })
  },

  async '@fastify/websocket'(): Promise<Peer> {
    const app = Fastify()
    await app.register(fastifyWebsocket)
    app.get('/', { websocket: true }, (socket) => {
      socket.on('message', (frame: Buffer, isBinary: boolean) => socket.send(frame, { binary: isBinary }))
    })
    const port = await listening(app)
    return { port, ...looping(app.websocketServer.clients) }
  },

  async 'socket.io'(): Promise<Peer> {
    const server = createServer()
    const io = new SocketIo(server, { transports: ['websocket'], serveClient: false, pingInterval: 1_000_000 })
    io.on('connection', (socket) => {
      socket.on('say', ({ text }: { text: string }) => socket.emit('said', { text }))
    })
    return {
      port: await listeningOn(server),
      broadcast(text, times) {
        for (let index = 0; index < times; index++) io.emit('said', { text })
      },
      connected: () => io.engine.clientsCount,
    }
  },

  /** The guards of a handshake as a careful developer writes them in an afternoon, and messages as they come. */
  async 'by hand'(): Promise<Peer> {
    const app = Fastify()
    const origins = new Set([origin])
    const sessions = new Map([[sessionId, { id: sessionId, userId: 'ada' }]])
    await app.register(cookie, { secret })
    await app.register(fastifyWebsocket)
    app.addHook('onRequest', async (request, reply) => {
      if (!request.ws || request.is404) return
      if (!origins.has(request.headers.origin ?? '')) {
        return reply.code(403).header('connection', 'close').send({ statusCode: 403, error: 'Forbidden' })
      }
      const { valid, value } = request.unsignCookie(request.cookies[cookieName] ?? '')
      const session = valid ? sessions.get(value) : undefined
      if (session === undefined) {
        return reply.code(401).header('connection', 'close').send({ statusCode: 401, error: 'Unauthorized' })
      }
      Reflect.set(request, 'session', session)
    })
    app.get('/', { websocket: true }, (socket) => {
      socket.on('message', (frame: Buffer, isBinary: boolean) => socket.send(frame, { binary: isBinary }))
    })
    const port = await listening(app)
    return { port, ...looping(app.websocketServer.clients) }
  },
} satisfies Record<string, () => Promise<Peer>>

export type PeerName = keyof typeof peers

async function bare(onConnection: (socket: WebSocket) => void): Promise<Peer> {
  const server = createServer()
  const sockets = new WebSocketServer({ server, perMessageDeflate: false })
  sockets.on('connection', onConnection)
  return { port: await listeningOn(server), ...looping(sockets.clients) }
}

function looping(clients: Set<WebSocket>): Omit<Peer, 'port'> {
  return {
    broadcast(text, times) {
      for (let index = 0; index < times; index++) {
        const message = JSON.stringify({ type: 'said', text })
        for (const client of clients) client.send(message)
      }
    },
    connected: () => clients.size,
  }
}

async function listening(app: FastifyInstance): Promise<number> {
  await app.listen({ port: 0, host: '127.0.0.1' })
  return (app.server.address() as AddressInfo).port
}

async function listeningOn(server: HttpServer): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}
