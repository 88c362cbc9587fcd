import type { FastifyInstance } from 'fastify'
import type { DoorRoute, TestDoor } from '../test-door.ts'

const name = Symbol.for('fastify-secure-ws: test door')

/** The plugin's side of the kit; `undefined` for an application without the plugin. */
export function doorOf(app: FastifyInstance): TestDoor | undefined {
  const found: unknown = Reflect.get(app.server, name)
  return found as TestDoor | undefined
}

/** The policy of the route that a path leads to, as `app.secureWs.explain()` has it. */
export interface ExplainedRoute {
  readonly route: string
  readonly origins: 'same-origin' | 'any' | 'a function' | readonly string[]
  readonly hosts: readonly string[]
  readonly allowMissingOrigin: boolean
  readonly authenticate: { readonly anonymous: boolean; readonly ambient: boolean }
  readonly limits: ExplainedLimits
}

/** The limits that an attack goes beyond. */
export interface ExplainedLimits {
  readonly connectionsPerSession: number
  readonly connectionsPerAddress: number
  readonly messageBytes: number
  readonly messages: { readonly perSecond: number; readonly burst: number }
  readonly partialMessage: number
  readonly idle: number
  readonly writeTimeout: number
}

export function explainedAt(app: FastifyInstance, path: string): ExplainedRoute | undefined {
  return routeAt(app, path)?.explained
}

/** The route that a path leads to: the policy in force, and the messages as they were declared. */
export function routeAt(
  app: FastifyInstance,
  path: string,
): { readonly explained: ExplainedRoute; readonly described: DoorRoute } | undefined {
  const door = doorOf(app)
  if (door === undefined) return undefined
  const explained = door.explain() as readonly ExplainedRoute[]
  const routes = door.describe().map((described, at) => ({ described, explained: explained[at] as ExplainedRoute }))
  const { pathname } = new URL(path, 'http://localhost')
  // The more of it is written out, the closer the route is meant: `/rooms/new` before `/rooms/:id`.
  const byCloseness = routes.sort((a, b) => closeness(b.explained.route) - closeness(a.explained.route))
  return byCloseness.find(({ explained: { route } }) => patternOf(route).test(pathname))
}

function closeness(route: string): number {
  return route.replace(/:\w+|\*.*$/g, '').length
}

function patternOf(route: string): RegExp {
  const parts = route.split(/(:\w+(?:\([^)]*\))?\??|\*)/).map((part) => {
    if (part === '*') return '.*'
    return part.startsWith(':') ? '[^/]*' : part.replaceAll(/[$()*+.?[\\\]^{|}]/g, '\\$&')
  })
  return new RegExp(`^${parts.join('')}$`)
}
