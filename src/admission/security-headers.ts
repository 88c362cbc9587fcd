import type { FastifyHelmetOptions } from '@fastify/helmet'
import type { FastifyInstance, FastifyReply, RouteOptions } from 'fastify'
import { lazyLoad } from '../loading/lazy-load.ts'

const helmet = lazyLoad<typeof import('@fastify/helmet')>('@fastify/helmet')

/** The headers of @fastify/helmet on what this plugin answers. */
export interface SecurityHeaders {
  /** On every answer of a socket route: a refusal, a page of the same path, whatever a hook says. */
  onRoute(route: RouteOptions): void
  /**
   * The lines that stand on each refusal of a socket route, in front of every other line. `undefined` as long as none was
   * answered, and where they differ from answer to answer.
   */
  readonly lines: (url: string) => readonly string[] | undefined
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
  // The application's own may say something else each time.
  if (app.hasPlugin('@fastify/helmet')) return { onRoute() {}, onRefusal() {}, lines: () => undefined }
  if (options === false) return { onRoute() {}, onRefusal() {}, lines: () => [] }
  const differ = options.enableCSPNonces === true || hasFunction(options)
  const written = new Map<string, readonly string[]>()
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
          write(reply, own === undefined && !differ ? route.url : undefined)
          done(null, payload)
        },
        ...[route.onSend ?? []].flat(),
      ]
    },
    onRefusal: (reply) => write(reply, undefined),
    lines: (url) => written.get(url),
  }

  /**
   * Nothing where an earlier hook has answered before @fastify/helmet came to it.
   *
   * @param url of the route whose lines these are, whoever in its context has said what they are to be
   */
  function write(reply: FastifyReply, url: string | undefined): void {
    const { raw } = reply
    // HTTP/2 has no such lines. Of an answer on which nothing stands yet, everything that stands there afterwards is @fastify/helmet's.
    const learns =
      url !== undefined && !written.has(url) && raw.getHeaderNames().length === 0 && 'getRawHeaderNames' in raw
    reply.helmet?.()
    if (learns) written.set(url, linesOf(raw))
  }
}

/** As they are written: Node keeps the case of a name, and its types leave out how to ask for it. */
function linesOf(raw: FastifyReply['raw']): readonly string[] {
  const names: unknown = Reflect.apply(Reflect.get(raw, 'getRawHeaderNames'), raw, [])
  if (!Array.isArray(names)) return []
  return names.flatMap((name: string) => [raw.getHeader(name) ?? []].flat().map((value) => `${name}: ${value}`))
}

/** A directive may be a function, asked for each answer. */
function hasFunction(value: unknown): boolean {
  if (typeof value === 'function') return true
  return typeof value === 'object' && value !== null && Object.values(value).some(hasFunction)
}

interface RouteHelmet {
  readonly skipRoute?: boolean
  readonly enableCSPNonces?: boolean
}
