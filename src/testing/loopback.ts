import { once } from 'node:events'
import { Server as TlsServer } from 'node:https'
import { connect, createServer, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { FastifyInstance } from 'fastify'

/** The connection as the server is to see it. */
export interface Seen {
  readonly encrypted: boolean
  readonly address: string
}

/** Hands the server its end of a connection, which looks as node:net and node:tls would make it. */
export function accept(app: FastifyInstance, stream: Duplex, { encrypted, address }: Seen): void {
  Object.defineProperty(stream, 'remoteAddress', { value: address, configurable: true })
  if (encrypted) Object.assign(stream, { encrypted: true })
  app.server.emit(app.server instanceof TlsServer ? 'secureConnection' : 'connection', stream)
}

/**
 * A TCP connection over the loopback address to the application's own HTTP server, which need not listen anywhere: a listener for
 * this one connection takes it and hands it over. No certificate is needed for an application that wants TLS.
 */
export async function dial(app: FastifyInstance, seen: Seen): Promise<Socket> {
  await app.ready()
  const listener = createServer({ noDelay: true })
  listener.maxConnections = 1
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const at = listener.address()
  if (at === null || typeof at === 'string') throw new Error('connect: the loopback address gave no port')
  const taken = once(listener, 'connection')
  const client = connect({ host: '127.0.0.1', port: at.port, noDelay: true })
  try {
    const [[server]] = await Promise.all([taken, once(client, 'connect')])
    accept(app, server, seen)
    return client
  } finally {
    listener.close()
  }
}
