import { type Duplex, duplexPair } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import type { WebSocket } from 'ws'
import { hostileHandshakes } from './attacker.ts'
import { type CallerOptions, callerOf } from './caller.ts'
import { accept, type Seen } from './loopback.ts'
import { clientOver, opened } from './shake.ts'

/** The client that `injectSecureWS` plays. */
export interface InjectOptions extends CallerOptions {}

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
  const caller = await callerOf(app, path, options)
  const socket = clientOver(pipeTo(app, caller), caller)
  socket.once('open', () => {
    // What the server sends at once came together with the 101: it is read when the caller has had time to listen.
    socket.pause()
    setImmediate(() => socket.resume())
  })
  await opened(socket, caller)
  return socket
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
  const caller = await callerOf(app, path, good)
  const admitted: string[] = []
  for (const attack of hostileHandshakes(caller)) {
    const pipe = pipeTo(app, caller)
    pipe.write(attack.bytes, 'latin1')
    const said = await firstBytes(pipe)
    pipe.destroy()
    if (said.startsWith('HTTP/1.1 101')) admitted.push(attack.name)
  }
  return admitted
}

function pipeTo(app: FastifyInstance, seen: Seen): Duplex {
  const [client, server] = duplexPair()
  // One that is destroyed says so to its other half, as a TCP connection would.
  server.once('close', () => client.push(null))
  client.once('close', () => server.destroy())
  accept(app, server, seen)
  return client
}

function firstBytes(pipe: Duplex): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  pipe.once('data', (part) => resolve(String(part)))
  pipe.once('close', () => resolve(''))
  pipe.once('end', () => resolve(''))
  return promise
}
