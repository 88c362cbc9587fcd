import type { Settings } from '../options/options.ts'
import type { RoutePolicy } from '../options/route.ts'
import { toJsonSchema } from '../schema/standard-schema.ts'

/** The policy in force on a whole server, as plain values: what `npx fastify-secure-ws lock` keeps in a file and compares with. */
export interface Policy {
  /** The version of this form. */
  readonly lockVersion: 1
  /** Settings of the plugin that no route has of its own. */
  readonly server: object
  /** The lines of `explain()` with the schemas of each, by the path of the route. */
  readonly routes: Readonly<Record<string, object>>
}

export function policyOf(routes: readonly RoutePolicy[], settings: Settings): Policy {
  const { session, denyByDefault, earlyRefusal, slowReader, sanitize, helmet, bus } = settings
  const { profile, inputBytes, timeLimit, queue } = sanitize
  const server = {
    ...{ session, denyByDefault, earlyRefusal, slowReader },
    // How many threads there are is the machine's.
    sanitize: { inputBytes, timeLimit, queue, profile: JSON.stringify(profile, asText) },
    helmet: helmet === false ? false : JSON.stringify(helmet, asText),
    dangerouslyUnsignedBus: bus.dangerouslyUnsigned === true,
    dangerouslyAllowAmbientCredentials: settings.dangerouslyAllowAmbientCredentials,
    dangerouslyLeaveUpgrades: settings.dangerouslyLeaveUpgrades,
  }
  const policies = new Map<string, object>()
  for (const route of routes) policies.set(freeName(route.socket.route, policies), ofRoute(route))
  const policy: Policy = { lockVersion: 1, server, routes: Object.fromEntries(policies) }
  // A copy, and certain to be what a file holds.
  return JSON.parse(JSON.stringify(policy))
}

function ofRoute(route: RoutePolicy): object {
  // Seen at run time, by luck: the same options must be the same policy.
  const { route: _, encodedTwice: __, ...explained } = { ...route.explain(), route: '', encodedTwice: false }
  const { receives, sends, answers } = route.describe()
  const received = [...(receives ?? [])]
  return {
    ...explained,
    accepts: route.authentication.accepts,
    guard: route.passesOn === true,
    schemas: {
      request: Object.fromEntries(
        Object.entries(route.requestSchemas ?? {}).map(([part, schema]) => [part, readable(schema)]),
      ),
      receives: Object.fromEntries(received.map(([type, { schema }]) => [type, schema])),
      replies: Object.fromEntries(
        received.flatMap(([type, { reply }]) => (reply === undefined ? [] : [[type, reply]])),
      ),
      sends: Object.fromEntries(sends ?? []),
      answers: Object.fromEntries(answers),
    },
  }
}

/** Constraints let two routes have one path. */
function freeName(path: string, taken: ReadonlyMap<string, unknown>): string {
  let name = path
  for (let count = 2; taken.has(name); count++) name = `${path} #${count}`
  return name
}

/**
 * A schema that Fastify hands to a validator of the application's choice, so that it may be of any library: one with a refinement or a
 * transform, which no message may have, has no JSON Schema.
 */
function readable(schema: unknown): unknown {
  for (const read of [() => toJsonSchema(schema, ''), () => schema]) {
    try {
      return JSON.parse(JSON.stringify(read(), asText))
    } catch {}
  }
  return 'a schema that is no JSON'
}

/** A profile, and the options of helmet, have patterns, and may have functions: JSON would take any of them for any other. */
function asText(_name: string, value: unknown): unknown {
  if (value instanceof Set || value instanceof Map) return [...value]
  return value instanceof RegExp || typeof value === 'function' ? String(value) : value
}
