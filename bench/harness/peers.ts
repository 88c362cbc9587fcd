/** The servers that are compared. Each listens on a free port of the loopback address and takes commands of the client. */
import { createServer, type Server as HttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import cookie from '@fastify/cookie'
import fastifyWebsocket from '@fastify/websocket'
import { context, metrics, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus'
import { MeterProvider } from '@opentelemetry/sdk-metrics'
import {
  BatchSpanProcessor,
  InMemorySpanExporter,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import { Ajv } from 'ajv'
import Fastify, { type FastifyInstance } from 'fastify'
import { Server as SocketIo } from 'socket.io'
import { type WebSocket, WebSocketServer } from 'ws'
import secureWs, { cookieSession, type SecureWsOptions } from '../../src/index.ts'
import { frameOf } from '../../src/outbound/shared-frame.ts'
import { cookieName, origin, secret, sessionId } from './credentials.ts'

export interface Peer {
  readonly port: number
  /** Sends one text this many times, within one turn of the loop, to everybody who is connected. */
  broadcast(text: string, times: number): void
  connected(): number
}

/** Whether a server asks its clients every 25 s whether they are still there. Most measurements have clients that answer no ping. */
export interface Heartbeats {
  readonly heartbeats: boolean
}

const beat = { every: 25_000, timeout: 8_000 }
const many = 1_000_000_000

const sayText = {
  type: 'object',
  properties: { text: { type: 'string', maxLength: 65_536 } },
  required: ['text'],
} as const

export const peers = {
  /** Everything on: origin, host, session cookie, declared messages, schemas, rates, encoding. */
  async ours(given: Heartbeats): Promise<Peer> {
    return secured(given, (socket) => void socket.join('room:all'))
  },

  /** The same: what differs between the two differs by chance. */
  async 'ours, again'(given: Heartbeats): Promise<Peer> {
    return secured(given, (socket) => void socket.join('room:all'))
  },

  /** The same without a room, which is no part of a handshake. */
  async 'ours, alone'(given: Heartbeats): Promise<Peer> {
    return secured(given, () => {})
  },

  /** The same with every refusal left to the hook, where there is a request of Fastify's. */
  async 'ours, by the hook'(given: Heartbeats): Promise<Peer> {
    return secured(given, () => {}, { earlyRefusal: false })
  },

  /** The same with metrics, which nobody collects meanwhile. */
  async 'ours, measured'(given: Heartbeats): Promise<Peer> {
    return measured(given)
  },

  /** The same with metrics, and one trace in a hundred. */
  async 'ours, observed'(given: Heartbeats): Promise<Peer> {
    trace.setGlobalTracerProvider(
      new TracerProvider({
        sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(0.01) }),
        spanProcessors: [new BatchSpanProcessor({ exporter: new InMemorySpanExporter() })],
      }),
    )
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
    return measured(given)
  },

  /** ws, and nothing else: frames go back as they came. */
  async ws({ heartbeats }: Heartbeats): Promise<Peer> {
    return bare((socket) => {
      socket.on('message', (frame, isBinary) => socket.send(frame, { binary: isBinary }))
    }, heartbeats)
  },

  /** One frame, made once, is written to each stream in a loop: no check, no bound, no queue. It knows no message of a client. */
  async floor(): Promise<Peer> {
    const server = createServer()
    const sockets = new WebSocketServer({ server, perMessageDeflate: false })
    const streams = new Set<Duplex>()
    sockets.on('connection', (socket, { socket: stream }) => {
      streams.add(stream)
      socket.on('close', () => streams.delete(stream))
    })
    return {
      port: await listeningOn(server),
      broadcast(text, times) {
        const frame = frameOf(JSON.stringify({ type: 'said', text }), 0x1)
        const frames = Buffer.concat(Array.from({ length: times }, () => frame))
        for (const stream of streams) stream.write(frames)
      },
      connected: () => streams.size,
    }
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

  async 'socket.io'({ heartbeats }: Heartbeats): Promise<Peer> {
    const server = createServer()
    const io = new SocketIo(server, {
      transports: ['websocket'],
      serveClient: false,
      pingInterval: heartbeats ? beat.every : 1_000_000,
      pingTimeout: beat.timeout,
    })
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

  /** The guards of handshake and message as a careful developer writes them in an afternoon. */
  async 'by hand'({ heartbeats }: Heartbeats): Promise<Peer> {
    const app = Fastify()
    const origins = new Set([origin])
    const sessions = new Map([[sessionId, { id: sessionId, userId: 'ada' }]])
    await app.register(cookie, { secret })
    await app.register(fastifyWebsocket)
    const isSaying = new Ajv({ allErrors: false, strict: true }).compile<{ readonly text: string }>({
      ...sayText,
      properties: { type: { const: 'say' }, ...sayText.properties },
      required: ['type', 'text'],
      additionalProperties: false,
    })
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
      const messages = tokens(many)
      const bytes = tokens(many)
      socket.on('message', (frame: Buffer, isBinary: boolean) => {
        if (isBinary) return socket.close(1003)
        if (!messages(1) || !bytes(frame.length)) return socket.close(4429)
        let message: unknown
        try {
          message = JSON.parse(frame.toString())
        } catch {
          return socket.close(1008)
        }
        if (!isSaying(message)) return socket.close(1008)
        socket.send(JSON.stringify({ type: 'said', text: escaped(message.text) }))
      })
    })
    if (heartbeats) beating(app.websocketServer.clients)
    const port = await listening(app)
    return { port, ...looping(app.websocketServer.clients) }
  },
} satisfies Record<string, (how: Heartbeats) => Promise<Peer>>

export type PeerName = keyof typeof peers

/** With an SDK that is there before the server is made. */
function measured(given: Heartbeats): Promise<Peer> {
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [new PrometheusExporter({ preventServerStart: true })] }))
  return secured(given, (socket) => void socket.join('room:all'))
}

async function secured(
  { heartbeats }: Heartbeats,
  opened: (socket: { join(room: string): unknown }) => void,
  options: Partial<SecureWsOptions> = {},
): Promise<Peer> {
  const app = Fastify()
  const sessions = new Map([[sessionId, { id: sessionId, userId: 'ada' }]])
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
      heartbeat: heartbeats ? beat : { every: many, timeout: many },
    },
    ...options,
  })
  const declared = { receives: { say: { schema: sayText } }, sends: { said: { schema: sayText } } }
  app.get('/', { websocket: true, secureWs: declared }, (socket) => {
    opened(socket)
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
}

async function bare(onConnection: (socket: WebSocket) => void, heartbeats = false): Promise<Peer> {
  const server = createServer()
  const sockets = new WebSocketServer({ server, perMessageDeflate: false })
  sockets.on('connection', onConnection)
  if (heartbeats) beating(sockets.clients)
  return { port: await listeningOn(server), ...looping(sockets.clients) }
}

/** As the documentation of ws has it: whoever has not answered the ping before this one is gone. */
function beating(clients: Set<WebSocket>): void {
  const alive = new WeakSet<WebSocket>()
  const known = new WeakSet<WebSocket>()
  setInterval(() => {
    for (const client of clients) {
      if (!known.has(client)) {
        known.add(client)
        client.on('pong', () => alive.add(client))
      } else if (!alive.delete(client)) {
        client.terminate()
        continue
      }
      client.ping()
    }
  }, beat.every).unref()
}

/** A token bucket: so many at once, so many a second. */
function tokens(perSecond: number): (cost: number) => boolean {
  let left = perSecond
  let at = performance.now()
  return (cost) => {
    const now = performance.now()
    left = Math.min(perSecond, left + ((now - at) / 1_000) * perSecond)
    at = now
    if (left < cost) return false
    left -= cost
    return true
  }
}

const special = /[&<>"']/g
const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function escaped(text: string): string {
  return text.replace(special, (character) => entities[character] ?? '')
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
