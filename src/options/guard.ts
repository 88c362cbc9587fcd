import type { FastifyRequest } from 'fastify'
import { type EnforceOptions, handshakeRules } from '../admission/enforcement.ts'
import { badOption } from '../errors.ts'
import { checkKeys, isPlainObject, join } from '../option-checks.ts'
import type { Session } from '../session/session.ts'
import type { RouteOverrides } from './options.ts'
import { compileRoute, type RoutePolicy, type RouteSurroundings } from './route.ts'

/** The limits that hold for a socket whose bytes are those of another server. */
const guardLimits = ['handshake', 'connectionsPerSession', 'connectionsPerUser', 'lookup', 'lifetime'] as const

/** The guard in front of another WebSocket server: `secureWs` of a route, without what is about messages. */
export interface GuardPolicy extends Omit<RouteOverrides, 'encode' | 'slowReader' | 'limits' | 'enforce'> {
  /** Rules of the handshake that report for now; what it does not name is as the plugin says. Default: what the plugin says. */
  readonly enforce?: Pick<EnforceOptions, 'until' | (typeof handshakeRules)[number]>
  /** May this session open a socket here? Asked before the upgrade; anything but `true` refuses with 403. */
  readonly authorize?: (session: Session | null, request: FastifyRequest) => boolean | Promise<boolean>
  /** Those that hold for a socket whose bytes are another server's: time, and how many of one person. Default: those of the plugin. */
  readonly limits?: { readonly [Name in (typeof guardLimits)[number]]?: number }
}

const guardKeys = [
  'origins',
  'hosts',
  'allowMissingOrigin',
  'dangerouslyAllowNullOrigin',
  'dangerouslyAllowFileOrigin',
  'allowInsecureTransport',
  'authenticate',
  'authorize',
  'limits',
  'enforce',
] as const

/**
 * Compiles a guard's policy. What would defend nothing is refused: messages are the other server's own.
 *
 * @throws SecureWsError `SWS_BAD_OPTION`, `SWS_UNSAFE_OPTIONS`
 */
export function compileGuard(path: string, given: unknown, surroundings: RouteSurroundings): RoutePolicy {
  const at = `guard ${path}`
  if (!isPlainObject(given)) throw badOption(at, given, 'Write an object, such as { authorize: (session) => true }.')
  checkKeys(given, guardKeys, at)
  if (isPlainObject(given.limits)) checkKeys(given.limits, guardLimits, join(at, 'limits'))
  if (isPlainObject(given.enforce)) checkKeys(given.enforce, ['until', ...handshakeRules], join(at, 'enforce'))
  return { ...compileRoute(path, given, surroundings), passesOn: true }
}
