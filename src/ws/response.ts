import { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/**
 * An upgrade is routed with a ServerResponse, which would stay on the stream for as long as the socket is open, and keep the
 * reply, the request and every header of both in memory (half of what an idle socket took). Its `close` event goes with it,
 * so it stays where somebody waits for that.
 */
export function releaseResponse(stream: Duplex): void {
  const response = responseOn(stream)
  if (response !== undefined && response.listenerCount('close') === 0) response.detachSocket(stream as Socket)
}

/** The response that a stream is assigned to, as Node's `ServerResponse.assignSocket` notes it. */
export function responseOn(stream: Duplex): ServerResponse | undefined {
  const response: unknown = Reflect.get(stream, '_httpMessage')
  return response instanceof ServerResponse ? response : undefined
}
