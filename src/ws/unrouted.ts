import { ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'

/**
 * Fastify's router answers some requests before any hook runs: a path that cannot be decoded (400), a parameter that is too
 * long (414). @fastify/websocket ends a refused stream in a hook, so after such an answer the stream stayed open: counted
 * by no limit, watched by no timer, and for ever, also when its client had gone. Ended here once the answer is out.
 *
 * Called right after @fastify/websocket has routed the request, when the answer is already being written.
 *
 * @param told with the status of the answer
 */
export function endUnrouted(stream: Duplex, told: (status: number) => void): void {
  const response: unknown = Reflect.get(stream, '_httpMessage')
  if (!(response instanceof ServerResponse) || !response.writableEnded) return
  told(response.statusCode)
  if (response.writableFinished) stream.destroy()
  else response.once('finish', () => stream.destroy())
}
