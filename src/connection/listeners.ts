import type { EventEmitter } from 'node:events'
import { isThenable, promiseOf } from '../thenable.ts'
import { inContextOfNow } from './scope.ts'

/** The socket, or the message, that listeners are called for. */
export interface Caller {
  /** No further listener is called. */
  readonly ended: boolean
}

/**
 * Calls the listeners of one event in order, the next one when the one before has finished, and returns what the last of
 * them returned. EventEmitter's own `emit` drops a returned promise: its rejection would be an unhandledRejection, which
 * ends the process (CS-25). Here it rejects to the caller, and a synchronous chain stays synchronous.
 *
 * @param caller asked before each listener: the one before may have closed the socket, or have waited while it was revoked
 */
export function callListeners(emitter: EventEmitter, event: string, args: readonly unknown[], caller: Caller): unknown {
  const listeners = emitter.rawListeners(event)
  let value: unknown
  for (let index = 0; index < listeners.length && !caller.ended; index++) {
    value = listeners[index]?.apply(emitter, args as unknown[])
    if (isThenable(value)) return settle(emitter, listeners.slice(index + 1), args, value, caller)
  }
  return value
}

/** Calls every listener at once, as `emit` does, and hands each failure to `onFault`. */
export function emitContained(
  emitter: EventEmitter,
  event: string,
  args: readonly unknown[],
  onFault: (error: unknown) => void,
): boolean {
  const listeners = emitter.rawListeners(event)
  for (const listener of listeners) {
    try {
      const value: unknown = listener.apply(emitter, args as unknown[])
      if (isThenable(value)) promiseOf(value).catch(onFault)
    } catch (error) {
      onFault(error)
    }
  }
  return listeners.length > 0
}

/** The events that nobody listens to. */
export function unheard(emitter: EventEmitter, events: Iterable<string>): readonly string[] {
  let found: readonly string[] = none
  for (const event of events) if (emitter.listenerCount(event) === 0) found = [...found, event]
  return found
}

const none: readonly string[] = []

/** The callback, without its failures: each goes to `onFault`. */
export function containedCallback<E>(
  callback: (error: E) => unknown,
  onFault: (error: unknown) => void,
): (error: E) => void {
  // One write carries what many sockets sent, and calls all of them back in the context of one.
  return inContextOfNow((error: E) => {
    try {
      const said = callback(error)
      if (isThenable(said)) promiseOf(said).catch(onFault)
    } catch (thrown) {
      onFault(thrown)
    }
  })
}

async function settle(
  emitter: EventEmitter,
  rest: ReturnType<EventEmitter['rawListeners']>,
  args: readonly unknown[],
  first: PromiseLike<unknown>,
  caller: Caller,
): Promise<unknown> {
  let value = await first
  for (const listener of rest) {
    if (caller.ended) break
    value = await listener.apply(emitter, args)
  }
  return value
}
