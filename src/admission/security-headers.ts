import type { FastifyHelmetOptions } from '@fastify/helmet'
import type { FastifyInstance, FastifyReply, FastifyRequest, onRequestHookHandler, RouteOptions } from 'fastify'
import { lazyLoad } from '../loading/lazy-load.ts'
import { isThenable, promiseOf } from '../thenable.ts'

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
  onRefusal(request: FastifyRequest, reply: FastifyReply): void
}

/**
 * Loads @fastify/helmet, unless the application has registered it, and then only for socket routes and refused handshakes: a
 * content security policy and a year of HSTS on every other route would be a decision that nobody took.
 *
 * @fastify/helmet makes its twelve headers when a request comes in, in a hook that costs each request a promise and each
 * handshake a turn through the microtasks; one that becomes a socket has no use for them. So its hooks are kept from the
 * requests, and are asked when something is answered.
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
  const ofRequests = await hooksOfHelmet(app, options)
  return {
    onRoute(route) {
      // @fastify/helmet has put a route's own options there by now.
      const own = (route.config as { helmet?: RouteHelmet } | undefined)?.helmet
      if (own?.skipRoute === true) return
      // A nonce is made, and told to the handler, when the request comes in: with options of its own, a route has its headers then.
      const withNonce = own?.enableCSPNonces ?? options.enableCSPNonces === true
      route.config = { ...route.config, helmet: { ...own, ...(withNonce ? {} : { skipRoute: true }) } } as object
      if (withNonce) route.onRequest = [...ofRequests, ...[route.onRequest ?? []].flat()]
      route.onSend = [
        (request, reply, payload, done) => {
          // With a nonce they stand there, unless it was answered before it came to the hooks of its route.
          if (!withNonce || !isDressed(reply))
            write(request, reply, own === undefined && !differ ? route.url : undefined)
          done(null, payload)
        },
        ...[route.onSend ?? []].flat(),
      ]
    },
    onRefusal: (request, reply) => write(request, reply, undefined),
    lines: (url) => written.get(url),
  }

  /** @param url of the route whose lines these are, whoever in its context has said what they are to be */
  function write(request: FastifyRequest, reply: FastifyReply, url: string | undefined): void {
    const { raw } = reply
    // HTTP/2 has no such lines. Of an answer on which nothing stands yet, everything that stands there afterwards is @fastify/helmet's.
    const learns =
      url !== undefined && !written.has(url) && raw.getHeaderNames().length === 0 && 'getRawHeaderNames' in raw
    // A context with an @fastify/helmet of its own has given its answers theirs.
    if (!isDressed(reply)) for (const hook of ofRequests) ask(hook, request, reply)
    reply.helmet?.()
    if (learns) written.set(url, linesOf(raw))
  }
}

/** Nobody waits for the promise, and what is thrown late ends no process. */
function ask(hook: RequestHook, request: FastifyRequest, reply: FastifyReply): void {
  const said: unknown = hook.call(request.server, request, reply, () => {})
  if (isThenable(said)) promiseOf(said).catch((error: unknown) => request.log.error({ err: error }, failed))
}

const failed = 'fastify-secure-ws: @fastify/helmet made no headers for a refusal'

/** Its hooks for requests, in place of their registration: everything else of it is the application's as always. */
async function hooksOfHelmet(app: FastifyInstance, options: FastifyHelmetOptions): Promise<readonly RequestHook[]> {
  const hooks: RequestHook[] = []
  const apart: FastifyInstance = Object.create(app, {
    addHook: {
      value(name: 'onRequest', hook: RequestHook) {
        if (name === 'onRequest') hooks.push(hook)
        else app.addHook(name, hook)
        return apart
      },
    },
  })
  await helmet()(apart, { ...options, global: false })
  return hooks
}

type RequestHook = onRequestHookHandler

/** Whether @fastify/helmet has seen this request: it leaves its function on the reply. */
function isDressed({ helmet: decorated }: Partial<FastifyReply>): boolean {
  return typeof decorated === 'function'
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
