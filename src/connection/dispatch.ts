import type { EventEmitter } from 'node:events'
import { isThenable } from '../thenable.ts'
import type { Tick } from './sweep.ts'

export interface ListenerLimits {
  /**
   * How long the listeners of one message may take, in ms, where they are async. Then the client gets `SWS_TIMEOUT`, and the next
   * message is read. Default 30,000.
   */
  readonly listener: number
}

/** The way a call of listeners ended. */
export type Outcome =
  | { readonly kind: 'returned'; readonly value: unknown }
  | { readonly kind: 'threw'; readonly error: unknown }
  /** Nobody listens. */
  | { readonly kind: 'unheard' }
  /** Nothing came within the time: the socket goes on without it, and what it does later is nobody's answer any more. */
  | { readonly kind: 'silent' }

/** The socket that a call is made for. */
export interface Caller {
  /** No further listener is called: the one before may have closed the socket, or have waited while it was revoked. */
  readonly ended: boolean
  /** Told of what a listener of the event threw when nobody waits for it any more. */
  fault(error: unknown, event: string): void
}

/** A call that is waited for. */
class Call {
  readonly #caller: Caller
  /** When the sweep saw it first, so never early. */
  since: number | undefined
  abandoned = false
  giveUp: ((outcome: Outcome) => void) | undefined

  constructor(caller: Caller) {
    this.#caller = caller
  }

  get ended(): boolean {
    return this.abandoned || this.#caller.ended
  }
}

const silent: Outcome = Object.freeze({ kind: 'silent' })
const unheard: Outcome = Object.freeze({ kind: 'unheard' })

type Listeners = ReturnType<EventEmitter['rawListeners']>

/** The call that the present message of one socket waits for: one at a time, each with an end. */
export class Dispatch {
  readonly #allowed: number
  #call: Call | undefined

  /** @param allowed ms that the listeners of one message may take */
  constructor(allowed: number) {
    this.#allowed = allowed
  }

  /**
   * Calls the listeners of one event in order, the next one when the one before has finished; what the last of them returned
   * counts. EventEmitter's own `emit` drops a returned promise: its rejection would be an unhandledRejection, which ends the
   * process (CS-25). A synchronous chain is over when this returns.
   */
  call(emitter: EventEmitter, event: string, args: readonly unknown[], caller: Caller): Outcome | Promise<Outcome> {
    const listeners = emitter.rawListeners(event)
    if (listeners.length === 0) return unheard
    let value: unknown
    try {
      for (let index = 0; index < listeners.length && !caller.ended; index++) {
        value = listeners[index]?.apply(emitter, args as unknown[])
        if (!isThenable(value)) continue
        const call = new Call(caller)
        return this.#wait(settle(emitter, listeners.slice(index + 1), args, value, call), call, event, caller)
      }
    } catch (error) {
      return { kind: 'threw', error }
    }
    return { kind: 'returned', value }
  }

  #wait(value: Promise<unknown>, call: Call, event: string, caller: Caller): Promise<Outcome> {
    return new Promise<Outcome>((resolve) => {
      this.#call = call
      call.giveUp = resolve
      const settled = (outcome: Outcome) => {
        if (this.#call === call) this.#call = undefined
        if (!call.abandoned) resolve(outcome)
        else if (outcome.kind === 'threw') caller.fault(outcome.error, event)
      }
      value.then(
        (settledValue) => settled({ kind: 'returned', value: settledValue }),
        (error: unknown) => settled({ kind: 'threw', error }),
      )
    })
  }

  sweep({ served }: Pick<Tick, 'served'>): void {
    const call = this.#call
    if (call === undefined) return
    call.since ??= served
    if (served - call.since < this.#allowed) return
    call.abandoned = true
    this.#call = undefined
    call.giveUp?.(silent)
  }
}

/** A foreign promise, one that throws or answers twice, is tamed by the language. */
async function settle(
  emitter: EventEmitter,
  rest: Listeners,
  args: readonly unknown[],
  first: PromiseLike<unknown>,
  call: Call,
): Promise<unknown> {
  let value = await first
  for (const listener of rest) {
    if (call.ended) break
    value = await listener.apply(emitter, args as unknown[])
  }
  return value
}
