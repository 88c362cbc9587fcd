import type { Duplex } from 'node:stream'
import { WebSocket } from 'ws'
import type { Caller } from './caller.ts'
import { HandshakeRefused } from './handshake-refused.ts'
import { Overheard } from './heard.ts'

/** A client over a connection that is there, before the handshake has an answer. */
export function clientOver(stream: Duplex, { path, host, origin, headers, protocols }: Caller): WebSocket {
  return new WebSocket(`ws://${host}${path}`, [...protocols], {
    createConnection: () => stream,
    headers,
    perMessageDeflate: false,
    ...(origin !== null && { origin }),
  })
}

/**
 * Waits for the answer.
 * @throws HandshakeRefused
 */
export async function opened(socket: WebSocket, caller: Caller): Promise<void> {
  const overheard = new Overheard()
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  socket.once('open', resolve)
  socket.once('error', reject)
  socket.once('unexpected-response', (request, response) => {
    let body = ''
    response.on('data', (part) => {
      body += String(part)
    })
    response.on('close', () => {
      request.destroy()
      const code = codeOf(body)
      const event = overheard.last(
        ({ type, code: told, origin }) =>
          type === 'handshake.refused' && told === code && (origin === undefined || origin === caller.origin),
      )
      reject(new HandshakeRefused(response.statusCode ?? 0, code, { caller, reason: event?.reason }))
    })
  })
  try {
    await promise
  } finally {
    overheard.stop()
  }
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
