import type { EventEmitter } from 'node:events'
import { isThenable, promiseOf } from '../thenable.ts'
import { inContextOfNow } from './scope.ts'

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
