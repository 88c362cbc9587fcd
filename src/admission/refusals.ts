import type { FastifyRequest } from 'fastify'
import { type Refusal, type RefusalCause, refuse } from '../http/refusal.ts'
import { nameOfThrown } from '../telemetry/thrown.ts'

/** The two ways in which a developer meets this: both leave a plain route behind. */
export function notASocketRoute({ is404, routeOptions: { url } }: FastifyRequest): Refusal {
  if (is404) return refuse('SWS_NOT_A_SOCKET_ROUTE', 'no route has this path')
  return refuse('SWS_NOT_A_SOCKET_ROUTE', 'the route with this path is not one for sockets', {
    advice: `${url} is a route, but none for sockets. Declare it with { websocket: true }, and after \`await app.register(secureWs, ...)\`: what is declared before that, the plugin does not see.`,
  })
}

/** A check that throws is a check that did not pass (ASVS 16.5.3). Only the name of the error is safe to repeat. */
export function failed(error: unknown, by = 'a check'): Refusal {
  return refuse('SWS_FORBIDDEN', `${by} threw ${nameOfThrown(error)}`, { cause: { by, error } })
}

/** Nobody knows whether the credential is good: a client that waits and comes back may be let in with the same one. */
export function unanswered(reason: string, cause: RefusalCause): Refusal {
  return refuse('SWS_UNAVAILABLE', reason, { headers: retryLater, cause })
}

/** Nobody is admitted now, or nobody who needs a session. */
export function away(reason: string): Refusal {
  return refuse('SWS_UNAVAILABLE', reason, { headers: retryLater })
}

export function outOfTime(asking: string | undefined, timeout: number): Refusal {
  if (asking === undefined) return refuse('SWS_HANDSHAKE_TIMEOUT', `no decision within ${timeout} ms`)
  return refuse('SWS_UNAVAILABLE', `no answer of ${asking} within ${timeout} ms`, { headers: retryLater })
}

const retryLater = { 'retry-after': '5' }

export const upgradeRequired = refuse('SWS_UPGRADE_REQUIRED', 'a plain request of a socket route', {
  headers: { upgrade: 'websocket' },
})

export function verified(allowed: boolean): Refusal | undefined {
  return allowed ? undefined : refuse('SWS_FORBIDDEN', '`verifyClient` said no', { answered: 'false' })
}

export function permit(allowed: unknown): Refusal | undefined {
  if (allowed === true) return undefined
  return refuse('SWS_FORBIDDEN', "the route's `authorize` said no", { answered: kindOf(allowed) })
}

/** The value itself may be anybody's. */
function kindOf(value: unknown): string {
  if (value === undefined || value === null || value === false) return String(value)
  return Array.isArray(value) ? 'a list' : typeof value === 'object' ? 'an object' : `a ${typeof value}`
}
