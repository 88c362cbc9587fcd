import type { FastifyInstance, FastifyReply, FastifyRequest, RouteHandlerMethod } from 'fastify'
import type { WebSocket } from 'ws'
import { isThenable, promiseOf } from '../thenable.ts'
import type { SecureSockets } from './socket.ts'

export type SocketHandler = (this: FastifyInstance, socket: WebSocket, request: FastifyRequest) => unknown

export function isSocketHandler(value: unknown): value is SocketHandler {
  return typeof value === 'function'
}

/** The handler as the user wrote it, watched: when it has returned, whoever did not listen by then is missing. */
export function attended(
  handler: SocketHandler,
  hasErrorHandler: boolean,
  connectionOf: SecureSockets['connectionOf'],
): SocketHandler {
  return function (socket, request) {
    const connection = connectionOf(socket)
    // @fastify/websocket has just attached a listener for the application's `errorHandler`. Without one it has nothing to say,
    // and would keep the request and the reply in memory for as long as the socket is open.
    if (!hasErrorHandler) withoutLast(socket, 'error')
    try {
      const result = handler.call(this, socket, request)
      if (isThenable(result)) return settledLater(connection, result)
      connection.handlerSettled()
      return result
    } catch (error) {
      endAfterwards(connection, error)
      throw error
    }
  }
}

/** Says whether a request may go on to the handler of its socket route; else it has answered. */
export type LastLook = (request: FastifyRequest, reply: FastifyReply) => boolean

/**
 * The handler that @fastify/websocket has made for a route, behind the last look. No `preHandler`: hooks of the application may
 * come after ours, and one hook more costs a handshake more than the look itself.
 */
export function behindLastLook(handler: RouteHandlerMethod, mayUpgrade: LastLook): RouteHandlerMethod {
  return function (request, reply) {
    return mayUpgrade(request, reply) ? handler.call(this, request, reply) : undefined
  }
}

type Connection = ReturnType<SecureSockets['connectionOf']>

function withoutLast(socket: WebSocket, event: string): void {
  const last = socket.rawListeners(event).at(-1)
  if (last !== undefined) socket.off(event, last as () => void)
}

function settledLater(connection: Connection, result: PromiseLike<unknown>): Promise<void> {
  return promiseOf(result).then(
    () => connection.handlerSettled(),
    (error: unknown) => {
      endAfterwards(connection, error)
      throw error
    },
  )
}

/** An error thrown on goes to the `websocket.errorHandler` of the application, which may end the socket its own way. */
function endAfterwards(connection: Connection, error: unknown): void {
  process.nextTick(() => connection.handlerFailed(error))
}
