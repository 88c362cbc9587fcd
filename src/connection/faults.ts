import type { Session } from '../session/session.ts'
import { logThrown } from '../telemetry/thrown.ts'
import type { Admitted } from './admitted.ts'

/** So many faults of listeners within a minute are no accident any more. */
const faultsPerMinute = 5

/** Adds a fault to those of the last minute. @param at ms on a clock that nobody can set */
export function withFault(
  known: readonly number[] | undefined,
  at: number,
): { readonly faults: readonly number[]; readonly tooMany: boolean } {
  const faults = [...(known ?? []).filter((earlier) => at - earlier < 60_000), at]
  return { faults, tooMany: faults.length >= faultsPerMinute }
}

/** What the application threw goes to the log of its request, without what opens a session. */
export function logFault(
  socket: { readonly id: string; readonly session: Session | null; readonly admitted: Admitted },
  error: unknown,
  what: string,
  messageType?: string,
): void {
  const { id, session, admitted } = socket
  const secrets = [session?.id, session?.tokenId].filter((secret) => secret !== undefined)
  const fields = { route: admitted.policy.route, socket: id, messageType }
  logThrown(admitted.log, error, fields, `fastify-secure-ws: ${what}`, secrets)
}
