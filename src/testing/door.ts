import type { FastifyInstance } from 'fastify'
import type { TestDoor } from '../test-door.ts'

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
}

export function explainedAt(app: FastifyInstance, path: string): ExplainedRoute | undefined {
  const routes = (doorOf(app)?.explain() ?? []) as readonly ExplainedRoute[]
  const { pathname } = new URL(path, 'http://localhost')
  // The more of it is written out, the closer the route is meant: `/rooms/new` before `/rooms/:id`.
  const byCloseness = [...routes].sort((a, b) => closeness(b.route) - closeness(a.route))
  return byCloseness.find(({ route }) => patternOf(route).test(pathname))
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
