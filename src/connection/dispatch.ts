import type { EventEmitter } from 'node:events'
import { isThenable } from '../thenable.ts'
import { type Caller, callListeners } from './listeners.ts'
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
  /** Nothing came within the time: the socket goes on without it, and what it does later is nobody's answer any more. */
  | { readonly kind: 'silent' }

/** The socket that a call is made for. */
export interface Dispatching extends Caller {
  /** Told of what a listener of the event threw when nobody waits for it any more. */
  fault(error: unknown, event: string): void
}

class Call implements Caller {
  readonly #socket: Caller
  /** When the sweep saw it first, so never early. */
  since: number | undefined
  abandoned = false
  giveUp: ((outcome: Outcome) => void) | undefined

  constructor(socket: Caller) {
    this.#socket = socket
  }

  get ended(): boolean {
    return this.abandoned || this.#socket.ended
  }
}

const silent: Outcome = Object.freeze({ kind: 'silent' })

/** The call that the present message of one socket waits for: one at a time, each with an end. */
export class Dispatch {
  readonly #allowed: number
  #call: Call | undefined

  /** @param allowed ms that the listeners of one message may take */
  constructor(allowed: number) {
    this.#allowed = allowed
  }

  /** Calls the listeners of one event, in order. */
  call(
    emitter: EventEmitter,
    event: string,
    args: readonly unknown[],
    socket: Dispatching,
  ): Outcome | Promise<Outcome> {
    try {
      const call = new Call(socket)
      const value = callListeners(emitter, event, args, call)
      return isThenable(value) ? this.#wait(value, call, event, socket) : { kind: 'returned', value }
    } catch (error) {
      return { kind: 'threw', error }
    }
  }

  #wait(value: PromiseLike<unknown>, call: Call, event: string, socket: Dispatching): Promise<Outcome> {
    return new Promise<Outcome>((resolve) => {
      this.#call = call
      call.giveUp = resolve
      const settled = (outcome: Outcome) => {
        if (this.#call === call) this.#call = undefined
        if (!call.abandoned) resolve(outcome)
        else if (outcome.kind === 'threw') socket.fault(outcome.error, event)
      }
      // A foreign promise: one that throws or answers twice is tamed by a real one.
      Promise.resolve(value).then(
        (settledValue) => settled({ kind: 'returned', value: settledValue }),
        (error: unknown) => settled({ kind: 'threw', error }),
      )
    })
  }

  /** Listeners are waited for. */
  get waits(): boolean {
    return this.#call !== undefined
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
