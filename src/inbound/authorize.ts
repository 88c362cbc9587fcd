import { answerWithin, isSilence } from '../session/question.ts'
import type { Session } from '../session/session.ts'
import type { Observer } from '../telemetry/observer.ts'
import type { CallOutcome } from '../telemetry/traffic.ts'
import { isThenable } from '../thenable.ts'
import type { Refusal } from './verdict.ts'
import { refuse } from './verdict.ts'

export type Authorize = (session: Session | null, message: object, request: object) => unknown

/**
 * Asked for every message, about the very object the listener would get. Only `true` is yes: a truthy mistake (a row, an object,
 * a forgotten `await`) is no. While an async answer waits, rights may be taken away: whoever delivers must look at the socket once
 * more before the listener runs.
 *
 * @param lookup ms for an async answer: silence is no answer, and lets nothing through
 */
export function refuseUnauthorized(
  authorize: Authorize,
  session: Session | null,
  message: object,
  request: object,
  lookup: number,
  observer?: Pick<Observer, 'lookup'>,
): Refusal | undefined | Promise<Refusal | undefined> {
  let answer: unknown
  try {
    answer = authorize(session, message, request)
    if (!isThenable(answer)) return judge(answer)
  } catch (cause) {
    return failed(cause)
  }
  const waiting = answer
  if (observer === undefined) return answerWithin(lookup, () => waiting).then(judge, failed)
  const since = performance.now()
  const tell = (outcome: CallOutcome) => observer.lookup('message', outcome, performance.now() - since)
  return answerWithin(lookup, () => waiting).then(
    (allowed) => {
      tell('returned')
      return judge(allowed)
    },
    (error: unknown) => {
      tell(isSilence(error) ? 'silent' : 'threw')
      return failed(error)
    },
  )
}

function judge(answer: unknown): Refusal | undefined {
  if (answer === true) return undefined
  return refuse('SWS_FORBIDDEN', answer === false ? 'authorize: no' : 'authorize: answered neither true nor false')
}

function failed(cause: unknown): Refusal {
  const reason = isSilence(cause) ? cause.message : 'threw'
  return { ...refuse('SWS_INTERNAL', `authorize: ${reason}`), cause }
}
