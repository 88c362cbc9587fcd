import type { FastifyInstance } from 'fastify'
import { SecureWsError } from '../errors.ts'
import { unguardedRoutes } from './declared-routes.ts'

/** Servers that have this plugin. A decorator is seen by its own context and those below it, not by the ones beside it. */
const taken = new WeakSet<object>()

export function claimServer({ server }: FastifyInstance): void {
  taken.add(server)
}

/** A listener of @fastify/websocket that another context of this server has attached, before us or after. */
function hasForeignWebsocket(app: FastifyInstance): boolean {
  return app.server.listeners('upgrade').some((listener) => {
    return listener.name === 'onUpgrade' && Function.prototype.toString.call(listener).includes('fastify.routing(')
  })
}

/**
 * At the start: everything has been registered by now, in whatever order.
 * @throws SecureWsError `SWS_WEBSOCKET_ALREADY_REGISTERED`, `SWS_UNGUARDED_ROUTE`
 */
export function refuseUnguarded(app: FastifyInstance): void {
  if (hasForeignWebsocket(app)) throw websocketElsewhere()
  const routes = unguardedRoutes(app)
  if (routes.length === 0) return
  throw new SecureWsError(
    'SWS_UNGUARDED_ROUTE',
    `fastify-secure-ws: ${routes.join(', ')} takes sockets and was declared before the plugin, or outside its context, so nothing guards it. Declare it after \`await app.register(secureWs, ...)\`, on the same instance or below it.`,
  )
}

function websocketElsewhere(): SecureWsError {
  return new SecureWsError(
    'SWS_WEBSOCKET_ALREADY_REGISTERED',
    'fastify-secure-ws: @fastify/websocket is registered in another context of this server, where its sockets pass no guard. Remove that line and hand its options to `websocket`: this plugin registers it, because the socket class is its own.',
  )
}

/** @throws SecureWsError `SWS_BAD_OPTION`, `SWS_WEBSOCKET_ALREADY_REGISTERED` */
export function refuseOtherRegistrations(app: FastifyInstance): void {
  if (app.hasDecorator('secureWs') || taken.has(app.server)) {
    throw new SecureWsError(
      'SWS_BAD_OPTION',
      "fastify-secure-ws: registered twice on one server. Register it once, and put what differs into each route's `secureWs`.",
    )
  }
  if (!app.hasDecorator('websocketServer')) {
    if (hasForeignWebsocket(app)) throw websocketElsewhere()
    return
  }
  throw new SecureWsError(
    'SWS_WEBSOCKET_ALREADY_REGISTERED',
    'fastify-secure-ws: @fastify/websocket is registered already. Remove that line and hand its options to `websocket`: this plugin registers it, because the socket class is its own.',
  )
}
