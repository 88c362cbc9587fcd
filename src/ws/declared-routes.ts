import { subscribe } from 'node:diagnostics_channel'
import type { FastifyInstance, RouteOptions } from 'fastify'

/** Routes that take sockets, as their application declared them, by server: contexts of one server cannot see each other's. */
const declared = new WeakMap<object, Set<RouteOptions>>()

/*
 * A route that is declared before the plugin, or beside its context, passes none of the plugin's hooks: it answers 404 for
 * ever, or is served unguarded by another plugin, without a word. Fastify announces each instance when it is made, which is
 * the one moment that comes before every route.
 */
subscribe('fastify.initialization', (message) => {
  const { fastify } = message as { readonly fastify: FastifyInstance }
  const routes = new Set<RouteOptions>()
  declared.set(fastify.server, routes)
  fastify.addHook('onRoute', (route) => {
    if (takesSockets(route) && route.method !== 'HEAD') routes.add(route)
  })
})

/** The plugin's own hook has seen this one. */
export function noteGuarded({ server }: FastifyInstance, route: RouteOptions): void {
  declared.get(server)?.delete(route)
}

/** The URLs of socket routes that the plugin's hook has not seen. */
export function unguardedRoutes({ server }: FastifyInstance): readonly string[] {
  return [...(declared.get(server) ?? [])].map(({ url }) => url)
}

function takesSockets(route: RouteOptions): boolean {
  return Boolean(Reflect.get(route, 'websocket') || Reflect.get(route, 'wsHandler'))
}
