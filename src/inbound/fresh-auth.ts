import type { Session } from '../session/session.ts'
import type { Refusal } from './verdict.ts'
import { refuse } from './verdict.ts'

/** How far ahead of ours the clock of the node that signed the user in may be. */
const clockSkew = 60_000

/**
 * Step-up: the session must have authenticated within `freshAuth` milliseconds (ASVS 7.5.3). No session, no time, or a time in
 * the future (microseconds written for milliseconds would stay fresh for ever) all mean: authenticate again.
 */
export function refuseStaleSession(session: Session | null, freshAuth: number, now: number): Refusal | undefined {
  const at = session?.authenticatedAt
  if (typeof at !== 'number' || !Number.isFinite(at)) {
    return refuse('SWS_STEP_UP_REQUIRED', 'freshAuth: the session has no `authenticatedAt`')
  }
  if (at > now + clockSkew) return refuse('SWS_STEP_UP_REQUIRED', 'freshAuth: `authenticatedAt` is in the future')
  if (now - at > freshAuth) return refuse('SWS_STEP_UP_REQUIRED', 'freshAuth: authenticated too long ago')
  return undefined
}
