import { Server as TlsServer } from 'node:https'
import { type Duplex, duplexPair } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { WebSocket } from 'ws'
import { hostileHandshakes } from './attacker.ts'

export { type HostileHandshake, hostileHandshakes } from './attacker.ts'

/** The client that `injectSecureWS` plays. */
export interface InjectOptions {
  /** The `Origin`; `null` sends none. Default `https://localhost`. */
  readonly origin?: string | null
  /** Default: the host of `origin`. */
  readonly host?: string
  /** `cookie`, `authorization` and the like. Default: none. */
  readonly headers?: Readonly<Record<string, string>>
  /** Sub-protocols to offer. Default: none. */
  readonly protocols?: readonly string[]
  /** Whether the server sees TLS. Default true. */
  readonly encrypted?: boolean
  /** Where the client seems to be. Default `127.0.0.1`. */
  readonly address?: string
}

/** A handshake that was refused: the status, and the `code` of the body when it was ours. */
export class HandshakeRefused extends Error {
  /** Always `HandshakeRefused`. */
  override readonly name = 'HandshakeRefused'
  /** The status of the answer. */
  readonly statusCode: number
  /** The `code` of its body, or `undefined` when it was not ours. */
  readonly code: string | undefined

  constructor(statusCode: number, code: string | undefined) {
    super(`The handshake was refused: ${statusCode}${code === undefined ? '' : ` ${code}`}.`)
    this.statusCode = statusCode
    this.code = code
  }
}

/**
 * Opens a socket without a port: a real client and the application's own HTTP server, with a pipe between them. Unlike
 * `injectWS` of `@fastify/websocket`, the request has an address, TLS and raw headers, so that every check sees what it sees
 * in production, and the answer is a socket on which `protocol` and early messages are what a client would have.
 *
 * @throws HandshakeRefused
 */
export async function injectSecureWS(
  app: FastifyInstance,
  path: string,
  options: InjectOptions = {},
): Promise<WebSocket> {
  const { origin = 'https://localhost', headers = {}, protocols = [] } = options
  const host = options.host ?? (origin === null ? 'localhost' : new URL(origin).host)
  const pipe = await pipeTo(app, options)
  const socket = new WebSocket(`ws://${host}${path}`, [...protocols], {
    createConnection: () => pipe,
    headers,
    perMessageDeflate: false,
    ...(origin !== null && { origin }),
  })
  const { promise, resolve, reject } = Promise.withResolvers<WebSocket>()
  socket.once('open', () => {
    // What the server sends at once came together with the 101: it is read when the caller has had time to listen.
    socket.pause()
    setImmediate(() => socket.resume())
    resolve(socket)
  })
  socket.once('error', reject)
  socket.once('unexpected-response', (request, response) => {
    let body = ''
    response.on('data', (part) => {
      body += String(part)
    })
    response.on('close', () => {
      request.destroy()
      reject(new HandshakeRefused(response.statusCode ?? 0, codeOf(body)))
    })
  })
  return promise
}

/**
 * Plays every hostile handshake against a route of your application, each on a connection of its own.
 *
 * @returns the names of those that were admitted: none, in an application that is secure. `good` is a handshake that gets
 * in, and is tried first, since a route that refuses everybody proves nothing.
 * @throws HandshakeRefused when `good` does not get in
 */
export async function admittedAttacks(app: FastifyInstance, path: string, good: InjectOptions): Promise<string[]> {
  const socket = await injectSecureWS(app, path, good)
  socket.terminate()
  const { origin = 'https://localhost', headers = {}, protocols = [] } = good
  const host = good.host ?? (origin === null ? 'localhost' : new URL(origin).host)
  const admitted: string[] = []
  for (const attack of hostileHandshakes({ path, host, origin, headers, protocols })) {
    const pipe = await pipeTo(app, good)
    pipe.write(attack.bytes, 'latin1')
    const said = await firstBytes(pipe)
    pipe.destroy()
    if (said.startsWith('HTTP/1.1 101')) admitted.push(attack.name)
  }
  return admitted
}

async function pipeTo(
  app: FastifyInstance,
  { encrypted = true, address = '127.0.0.1' }: InjectOptions,
): Promise<Duplex> {
  await app.ready()
  const [client, server] = duplexPair()
  // What node:net and node:tls would say about the connection.
  Object.assign(server, { remoteAddress: address, ...(encrypted && { encrypted: true }) })
  // One that is destroyed says so to its other half, as a TCP connection would.
  server.once('close', () => client.push(null))
  client.once('close', () => server.destroy())
  app.server.emit(app.server instanceof TlsServer ? 'secureConnection' : 'connection', server)
  return client
}

function firstBytes(pipe: Duplex): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  pipe.once('data', (part) => resolve(String(part)))
  pipe.once('close', () => resolve(''))
  pipe.once('end', () => resolve(''))
  return promise
}

function codeOf(body: string): string | undefined {
  try {
    const said: unknown = JSON.parse(body)
    const code: unknown = typeof said === 'object' && said !== null ? Reflect.get(said, 'code') : undefined
    return typeof code === 'string' ? code : undefined
  } catch {
    return undefined
  }
}
