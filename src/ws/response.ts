import { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/**
 * An upgrade is routed with a ServerResponse, which would stay on the stream for as long as the socket is open, and keep the
 * reply, the request and every header of both in memory (half of what an idle socket took). Its `close` event goes with it,
 * so it stays where somebody waits for that.
 */
export function releaseResponse(stream: Duplex): void {
  const response: unknown = Reflect.get(stream, '_httpMessage')
  if (!(response instanceof ServerResponse) || response.listenerCount('close') > 0) return
  response.detachSocket(stream as Socket)
}
