import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify'
import { answersPlainly, type EarlyRefusal } from './admission/early-refusal.ts'
import { requestSchemasOf } from './admission/route-schema.ts'
import type { SecurityHeaders } from './admission/security-headers.ts'
import { SecureWsError } from './errors.ts'
import { compileGuard, type GuardPolicy } from './options/guard.ts'
import { refuseMisplaced } from './options/misplaced.ts'
import { compileRoute, type RoutePolicy, type RouteSurroundings } from './options/route.ts'
import { noteGuarded } from './ws/declared-routes.ts'
import { attended, isSocketHandler } from './ws/handler.ts'
import type { SecureSockets } from './ws/socket.ts'

/** Where a route's finished policy is kept: on Fastify's own route config, one object per declared route. */
const policyKey = Symbol('fastify-secure-ws.policy')

/** Marks a route where the application has no answer for a plain request. */
const socketOnlyKey = Symbol('fastify-secure-ws.socket-only')

/** The parts of the plugin that have a say in a route where it is declared. */
export interface RouteParts {
  readonly app: FastifyInstance
  readonly early: Pick<EarlyRefusal, 'declare'>
  readonly securityHeaders: Pick<SecurityHeaders, 'onRoute'>
  /** Whether the application has a handler for the errors of its handlers. */
  readonly hasErrorHandler: boolean
  readonly connectionOf: SecureSockets['connectionOf']
}

/** The routes of this server: the policy of each is compiled where the route is declared, and found by its requests. */
export class Routes {
  /** Of socket routes, and of the guards in front of other servers. */
  readonly policies: RoutePolicy[] = []
  /** The paths of socket routes, as they were declared. */
  readonly urls: string[] = []
  /** The most that a message of any of them may have. */
  messageBytes: number
  readonly #surroundings: RouteSurroundings
  readonly #htmlDeclared: () => void

  /** @param htmlDeclared told when a route declares HTML */
  constructor(surroundings: RouteSurroundings, htmlDeclared: () => void) {
    this.#surroundings = surroundings
    this.#htmlDeclared = htmlDeclared
    this.messageBytes = surroundings.settings.limits.messageBytes
  }

  /**
   * Compiles a route, before @fastify/websocket hears of it, which takes the handler away.
   * @throws SecureWsError `SWS_BAD_OPTION`, `SWS_UNSAFE_OPTIONS`
   */
  declare(route: RouteOptions & { readonly url: string }, parts: RouteParts): void {
    const { app, early, securityHeaders, hasErrorHandler, connectionOf } = parts
    const declared: DeclaredRoute = route
    const isSocketRoute = Boolean(declared.websocket) || declared.wsHandler !== undefined
    refuseMisplaced(route, route.url, isSocketRoute)
    noteGuarded(app, route)
    if (route.method !== 'HEAD' && !isSocketRoute) early.declare(route.url, undefined)
    if (!isSocketRoute) {
      if (Reflect.get(route.config ?? {}, policyKey) !== undefined) securityHeaders.onRoute(route)
      if (declared.secureWs === undefined) return
      throw new SecureWsError(
        'SWS_BAD_OPTION',
        `fastify-secure-ws: route ${route.url} has \`secureWs\` options and is no WebSocket route. Add \`websocket: true\`.`,
      )
    }
    if (route.method === 'HEAD') return
    const compiled = compileRoute(route.url, declared.secureWs, this.#surroundings)
    const policy = { ...compiled, requestSchemas: requestSchemasOf(route.schema) }
    this.#add(policy)
    this.urls.push(route.url)
    if (policy.declaresHtml) this.#htmlDeclared()
    route.config = { ...route.config, [policyKey]: policy, [socketOnlyKey]: Boolean(declared.websocket) }
    early.declare(route.url, answersPlainly(route) ? policy : undefined)
    securityHeaders.onRoute(route)
    const member = declared.websocket ? 'handler' : 'wsHandler'
    const handler = declared[member]
    // What is no function is @fastify/websocket's to refuse.
    if (isSocketHandler(handler)) declared[member] = attended(handler, hasErrorHandler, connectionOf)
  }

  /**
   * The config of the routes of a guard.
   * @throws SecureWsError `SWS_BAD_OPTION`, `SWS_UNSAFE_OPTIONS`
   */
  guarded(path: string, given: GuardPolicy): object {
    const policy = compileGuard(path, given, this.#surroundings)
    this.#add(policy)
    return { [policyKey]: policy }
  }

  #add(policy: RoutePolicy): void {
    this.policies.push(policy)
    this.messageBytes = Math.max(this.messageBytes, policy.socket.limits.messageBytes)
  }
}

/** The members of a route that matter here; `handler` of a `websocket: true` route takes a socket, whatever Fastify's type says. */
interface DeclaredRoute {
  websocket?: unknown
  secureWs?: unknown
  handler?: unknown
  wsHandler?: unknown
}

/** The policy of the route that a request came to. */
export function policyOf({ routeOptions: { config } }: FastifyRequest): RoutePolicy | undefined {
  return Reflect.get(config, policyKey)
}

/** Tells whether a plain request of this route is nobody's but ours to answer. */
export function isSocketOnly({ routeOptions: { config } }: FastifyRequest): boolean {
  return Reflect.get(config, socketOnlyKey) === true
}

/** Tells whether a declared route is one for sockets. */
export function isSocketRoute({ method, config }: RouteOptions): boolean {
  return method !== 'HEAD' && Reflect.has(config ?? {}, socketOnlyKey)
}
