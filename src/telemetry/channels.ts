import { tracingChannel } from 'node:diagnostics_channel'
import { isThenable, promiseOf } from '../thenable.ts'

/** One message, as subscribers of `tracing:fastify-secure-ws:message:*` see it: the same object at its start and at its end. */
export interface MessageTrace {
  readonly route: string
  readonly bytes: number
  /** A declared type, `raw`, `binary`, or `other` for what is not declared; there from the verdict on. */
  type?: string
  /** The code of a refusal. */
  code?: string | undefined
  /** How its listeners ended. */
  outcome?: string
}

/** For those who do not use OpenTelemetry: `diagnostics_channel.tracingChannel('fastify-secure-ws:message')`. */
const messages = tracingChannel<unknown, MessageTrace>('fastify-secure-ws:message')

export function messagesAreTraced(): boolean {
  return messages.hasSubscribers
}

/** Runs the work of one message as a traced call: `start` and `end` around it, `asyncStart` and `asyncEnd` where it waits. */
export function traceMessage<T>(said: MessageTrace, work: () => T): T {
  return messages.start.runStores(said, () => {
    try {
      const result = work()
      if (isThenable(result)) {
        const settled = () => {
          messages.asyncStart.publish(said)
          messages.asyncEnd.publish(said)
        }
        promiseOf(result).then(settled, settled)
      }
      return result
    } finally {
      messages.end.publish(said)
    }
  })
}
