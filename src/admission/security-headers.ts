import helmet, { type FastifyHelmetOptions } from '@fastify/helmet'
import type { FastifyInstance, RouteOptions } from 'fastify'

/** Makes the answers of one socket route carry the headers of @fastify/helmet. */
export type HeadersOf = (route: RouteOptions) => void

/**
 * Registers @fastify/helmet, unless the application has. It makes its twelve headers when a request comes in; a handshake
 * that becomes a socket has no use for them, and they were a tenth of what it costs. So on socket routes they are made when
 * something is answered: a refusal, a page of the same route, whatever a hook says.
 */
export async function registerHelmet(app: FastifyInstance, options: FastifyHelmetOptions | false): Promise<HeadersOf> {
  if (options === false || app.hasPlugin('@fastify/helmet')) return () => {}
  await app.register(helmet, options)
  // A nonce is made, and told to the handler, when the request comes in.
  if (options.enableCSPNonces === true || options.global === false) return () => {}
  return (route) => {
    // @fastify/helmet has put a route's own options there by now.
    const own = (route.config as { helmet?: RouteHelmet } | undefined)?.helmet
    if (own?.skipRoute === true || own?.enableCSPNonces === true) return
    route.config = { ...route.config, helmet: { ...own, skipRoute: true } } as object
    route.onSend = [
      (_request, reply, payload, done) => {
        // Nothing where an earlier hook has answered before @fastify/helmet came to it.
        reply.helmet?.()
        done(null, payload)
      },
      ...[route.onSend ?? []].flat(),
    ]
  }
}

interface RouteHelmet {
  readonly skipRoute?: boolean
  readonly enableCSPNonces?: boolean
}
