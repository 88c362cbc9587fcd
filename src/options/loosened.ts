import type { Enforcement } from '../admission/enforcement.ts'
import type { Settings } from './options.ts'
import { loosenedBy, type RoutePolicy } from './route.ts'

/** Everything in use that weakens a guard, in words: for the one warning at startup, and an event each. */
export function loosenedOf(
  settings: Settings,
  enforcement: Enforcement,
  routes: readonly RoutePolicy[],
  headersTimeout: unknown,
): readonly string[] {
  const { dangerouslyAllowAmbientCredentials, dangerouslyLeaveUpgrades, bus, helmet } = settings
  return [
    ...loosenedBy(settings.admissionPolicy, settings.authentication, settings.encode),
    ...enforcement.loosened,
    ...(dangerouslyAllowAmbientCredentials
      ? ['dangerouslyAllowAmbientCredentials: true (any page that may connect may use the visitor)']
      : []),
    ...dangerouslyLeaveUpgrades.map(
      (prefix) => `dangerouslyLeaveUpgrades: ${prefix} (whoever listens there is not guarded)`,
    ),
    ...(bus.dangerouslyUnsigned === true
      ? ['bus.dangerouslyUnsigned: true (whoever can publish on the bus speaks in rooms and ends sessions)']
      : []),
    ...(helmet === false ? ['helmet: false (refusals carry no security headers)'] : []),
    ...(headersTimeout === 0
      ? ["the server's headersTimeout: 0 (a handshake may come byte by byte for ever, before any hook sees it)"]
      : []),
    ...routes.flatMap(({ loosened, socket }) => loosened.map((line) => `${socket.route} ${line}`)),
  ]
}
