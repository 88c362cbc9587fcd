import type { EventEmitter } from 'node:events'
import { isThenable } from '../thenable.ts'
import { callListeners } from './listeners.ts'
import type { Tick } from './sweep.ts'

/** The way a call of listeners ended. */
export type Outcome =
  | { readonly kind: 'returned'; readonly value: unknown }
  | { readonly kind: 'threw'; readonly error: unknown }
  /** Nothing came within the time: the socket goes on without it, and what it does later is nobody's answer any more. */
  | { readonly kind: 'silent' }

interface Call {
  /** When the sweep saw it first, so never early. */
  since: number | undefined
  abandoned: boolean
  readonly giveUp: (outcome: Outcome) => void
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

  /**
   * Calls the listeners of one event, in order.
   *
   * @param isOver asked before each listener
   * @param onLate told of what fails when nobody waits for it any more
   */
  call(
    emitter: EventEmitter,
    event: string,
    args: readonly unknown[],
    isOver: () => boolean,
    onLate: (error: unknown) => void,
  ): Outcome | Promise<Outcome> {
    try {
      let call: Call | undefined
      const value = callListeners(emitter, event, args, () => call?.abandoned === true || isOver())
      if (!isThenable(value)) return { kind: 'returned', value }
      return new Promise<Outcome>((resolve) => {
        const waiting: Call = { since: undefined, abandoned: false, giveUp: resolve }
        call = this.#call = waiting
        const settled = (outcome: Outcome) => {
          if (this.#call === waiting) this.#call = undefined
          if (!waiting.abandoned) resolve(outcome)
          else if (outcome.kind === 'threw') onLate(outcome.error)
        }
        // Whatever it calls itself a promise of: one that throws or answers twice is tamed by a real one.
        Promise.resolve(value).then(
          (settledValue) => settled({ kind: 'returned', value: settledValue }),
          (error: unknown) => settled({ kind: 'threw', error }),
        )
      })
    } catch (error) {
      return { kind: 'threw', error }
    }
  }

  sweep({ served }: Tick): void {
    const call = this.#call
    if (call === undefined) return
    call.since ??= served
    if (served - call.since < this.#allowed) return
    call.abandoned = true
    this.#call = undefined
    call.giveUp(silent)
  }
}
