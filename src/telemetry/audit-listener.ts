import { isThenable, promiseOf } from '../thenable.ts'
import type { AuditEvent, AuditLogger } from './events.ts'
import { createPace } from './pace.ts'
import type { ThrownLog } from './thrown.ts'

/** Calls of an async function that may be unanswered at once: more than a turn makes, and some 20 MB where each waits for a collector. */
const mostUnanswered = 10_000

export interface AuditListenerOptions {
  readonly listener: (event: AuditEvent) => void
  readonly logger: AuditLogger
  readonly thrown: ThrownLog
}

/** Hands events to the application's function. */
export interface AuditListener {
  (event: AuditEvent): void
  /** Says how many events are still to be told of. */
  close(): void
}

/**
 * Nobody waits for the function: a handshake does not take as long as a collector of logs that is away. But what it is asked and
 * does not answer is kept, and strangers make as many events as they like. So an async one that is far behind gets no more until it
 * has answered half of them, and the next event says how many it did not get. The channel has them all, and the log counts them.
 */
export function createAuditListener({ listener, logger, thrown }: AuditListenerOptions): AuditListener {
  let unanswered = 0
  let looks = false
  let isBehind = false
  let held = 0
  const pace = createPace(1)
  const failed = (error: unknown) => thrown({ by: 'the `audit` function', error })
  const settled = () => {
    unanswered--
    if (unanswered <= mostUnanswered / 2) isBehind = false
  }

  function hand(event: AuditEvent): void {
    if (isBehind) {
      held++
      return
    }
    const suppressed = held
    held = 0
    const said: unknown = listener(suppressed === 0 ? event : { ...event, suppressed })
    if (!isThenable(said)) return
    unanswered++
    if (unanswered >= mostUnanswered && !looks) {
      looks = true
      // Behind this turn: a function that does nothing but keep the event has answered then, however many sockets a turn closes.
      setImmediate(look)
    }
    // A rejection that nobody hears ends the process: that of an `async` function, and that of a logger which throws at it.
    promiseOf(said)
      .catch(failed)
      .finally(settled)
      .catch(() => {})
  }

  function look(): void {
    looks = false
    if (unanswered < mostUnanswered) return
    isBehind = true
    if (pace('behind', performance.now()) === undefined) return
    logger.error(
      { unanswered },
      'fastify-secure-ws: the `audit` function is behind: it gets no more events until it has answered half of these calls',
    )
  }

  return Object.assign(
    (event: AuditEvent) => {
      try {
        hand(event)
      } catch (error) {
        failed(error)
      }
    },
    {
      close() {
        if (held === 0) return
        logger.error(
          { suppressed: held },
          'fastify-secure-ws: the `audit` function was behind to the end, and did not get these',
        )
        held = 0
      },
    },
  )
}
