import { CloseCode } from '../errors.ts'
import { type Bucket, fullBucket, type Pace, take } from './rate.ts'
import type { Refusal } from './verdict.ts'

/**
 * The rules of messages that can be tried out before they refuse any. That a message is JSON, of a declared type and as its schema
 * says is none of them: it is what a listener was promised, and what `authorize` is asked about.
 */
export type ReportableRule = 'messageRate' | 'replay' | 'freshAuth' | 'messageAuthorize'

/** A refusal that does not stand. */
export interface ReportedRefusal extends Refusal {
  /** How many there were since the last one that was told, this one included. */
  readonly count: number
  readonly messageType?: string
}

/** The messages of one socket that were let through, though a rule refuses them. */
export interface Reported {
  readonly told: Bucket
  untold: number
  /** The socket would be closed by now. */
  over: boolean
}

/** The socket, as whoever tells of it needs it. */
export interface ReportingSocket {
  readonly policy: { readonly refusals: Pace; readonly reports: (rule: ReportableRule) => boolean }
  readonly state: { reported: Reported | undefined }
  reported?(refusal: ReportedRefusal): void
}

/** Whether a refusal of this rule is only told of, for now. */
export function isOnlyReported(
  rule: ReportableRule,
  refusal: Refusal,
  socket: ReportingSocket,
  now: number,
  messageType?: string,
): boolean {
  if (!socket.policy.reports(rule)) return false
  tell(refusal, socket, now, messageType)
  return true
}

/**
 * Attack: nothing is refused, so nothing ends a socket that goes on and on, and each of its messages would be an event. So there are as
 * many as there could be refusals, one more that says what would have come of it, and the next ones say how many were not told.
 */
function tell(refusal: Refusal, socket: ReportingSocket, now: number, messageType: string | undefined): void {
  const { policy, state } = socket
  state.reported ??= { told: fullBucket(policy.refusals, now), untold: 0, over: false }
  const { reported } = state
  reported.untold++
  const isOver = !take(reported.told, policy.refusals, 1, now)
  if (isOver && reported.over) return
  reported.over = isOver
  const budgetClose = refusal.code === 'SWS_TOO_FAST' ? CloseCode.TooFast : CloseCode.PolicyViolation
  const close = refusal.close ?? (isOver ? budgetClose : undefined)
  const reason = close === undefined ? refusal.reason : `${refusal.reason}; the socket would close with ${close}`
  socket.reported?.({ ...refusal, reason, count: reported.untold, ...(messageType !== undefined && { messageType }) })
  reported.untold = 0
}
