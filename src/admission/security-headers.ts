import type { FastifyHelmetOptions } from '@fastify/helmet'
import type { FastifyInstance, FastifyReply, RouteOptions } from 'fastify'
import { lazyLoad } from '../lazy-load.ts'

const helmet = lazyLoad<typeof import('@fastify/helmet')>('@fastify/helmet')

/** The headers of @fastify/helmet on what this plugin answers. */
export interface SecurityHeaders {
  /** On every answer of a socket route: a refusal, a page of the same path, whatever a hook says. */
  onRoute(route: RouteOptions): void
  /** On the refusal of a handshake at a path that is no socket route. */
  onRefusal(reply: FastifyReply): void
}

/**
 * Registers @fastify/helmet, unless the application has, and then only for socket routes and refused handshakes: a content
 * security policy and a year of HSTS on every other route would be a decision that nobody took.
 *
 * @fastify/helmet makes its twelve headers when a request comes in; a handshake that becomes a socket has no use for them,
 * and they were a tenth of what it costs. So they are made when something is answered.
 */
export async function registerHelmet(
  app: FastifyInstance,
  options: FastifyHelmetOptions | false,
): Promise<SecurityHeaders> {
  if (options === false || app.hasPlugin('@fastify/helmet')) return { onRoute() {}, onRefusal() {} }
  await app.register(helmet(), { ...options, global: false })
  return {
    onRoute(route) {
      // @fastify/helmet has put a route's own options there by now.
      const own = (route.config as { helmet?: RouteHelmet } | undefined)?.helmet
      if (own?.skipRoute === true) return
      // A nonce is made, and told to the handler, when the request comes in: with options of its own, a route has its headers then.
      const withNonce = own?.enableCSPNonces ?? options.enableCSPNonces === true
      route.config = { ...route.config, helmet: { ...own, ...(withNonce ? {} : { skipRoute: true }) } } as object
      if (withNonce) return
      route.onSend = [
        (_request, reply, payload, done) => {
          write(reply)
          done(null, payload)
        },
        ...[route.onSend ?? []].flat(),
      ]
    },
    onRefusal: write,
  }
}

/** Nothing where an earlier hook has answered before @fastify/helmet came to it. */
function write(reply: FastifyReply): void {
  reply.helmet?.()
}

interface RouteHelmet {
  readonly skipRoute?: boolean
  readonly enableCSPNonces?: boolean
}
