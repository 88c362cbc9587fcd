import { once } from 'node:events'
import { WebSocket } from 'ws'
import { until } from './until.ts'

/** One client of a node under test: everything it heard, in order, and how it ended. */
export interface SocketClient {
  readonly socket: WebSocket
  /** Every text message, parsed. */
  readonly heard: Record<string, unknown>[]
  /** The close code, once there is one; 1006 when the connection just went. */
  readonly code: number | undefined
  readonly closed: Promise<number>
  send(message: object): void
  /** The first message of a type, waited for. */
  hear(type: string): Promise<Record<string, unknown>>
  close(): Promise<void>
}

export interface ClientOptions {
  readonly headers?: Readonly<Record<string, string>>
  readonly protocols?: readonly string[]
}

/** Resolves when the socket is open. Rejects with a `RefusedHandshake` when the server refuses it. */
export async function openSocket(
  url: string,
  { headers = {}, protocols = [] }: ClientOptions = {},
): Promise<SocketClient> {
  const socket = new WebSocket(url, [...protocols], { headers, perMessageDeflate: false })
  const heard: Record<string, unknown>[] = []
  let code: number | undefined
  const { promise: closed, resolve: onClosed } = Promise.withResolvers<number>()
  socket.on('message', (payload: Buffer, isBinary) => {
    heard.push(isBinary ? { type: 'bytes', bytes: payload } : JSON.parse(payload.toString()))
  })
  socket.on('close', (given) => {
    code = given
    onClosed(given)
  })
  await opened(socket)
  return {
    socket,
    heard,
    closed,
    get code() {
      return code
    },
    send: (message) => socket.send(JSON.stringify(message)),
    async hear(type) {
      await until(() => heard.some((message) => message.type === type), `a '${type}' was heard`)
      return heard.find((message) => message.type === type) ?? {}
    },
    async close() {
      if (socket.readyState === WebSocket.CLOSED) return
      socket.close()
      await closed
    },
  }
}

export class RefusedHandshake extends Error {
  readonly status: number
  readonly body: string
  constructor(status: number, body: string) {
    super(`refused with ${status}: ${body}`)
    this.status = status
    this.body = body
  }
}

/** What a handshake was answered with: 101, or the status of its refusal. An accepted one is closed again. */
export async function statusOf(url: string, options?: ClientOptions): Promise<number> {
  try {
    const client = await openSocket(url, options)
    await client.close()
    return 101
  } catch (error) {
    if (error instanceof RefusedHandshake) return error.status
    throw error
  }
}

async function opened(socket: WebSocket): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  socket.once('open', resolve)
  socket.on('error', reject)
  socket.once('unexpected-response', async (request, response) => {
    const chunks: Buffer[] = []
    response.on('data', (chunk: Buffer) => chunks.push(chunk))
    await once(response, 'end').catch(() => {})
    reject(new RefusedHandshake(response.statusCode ?? 0, Buffer.concat(chunks).toString()))
    request.destroy()
  })
  await promise
}
