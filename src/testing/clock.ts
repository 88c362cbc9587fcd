import { AsyncResource } from 'node:async_hooks'
import { performance as ofModule } from 'node:perf_hooks'
import { promisify } from 'node:util'

/** A clock that a test moves, beside the real time that passes. */
export interface Clock extends Disposable {
  /**
   * Lets so many ms pass: every timer that is due meanwhile is called in its turn, at its own time, and what it sets off over the
   * network is waited for a moment.
   */
  advance(ms: number): Promise<void>
  /** Lets so many ms pass at once, as while a machine sleeps: timers that were due are called afterwards, once. */
  sleep(ms: number): Promise<void>
  /** Sets the date forward, or back, by so many ms, as somebody who sets the clock: no timer is due because of it. */
  moveDate(ms: number): void
  /** Puts the real clock and the real timers back. The same as `using`. */
  restore(): void
}

/** The globals that are replaced; those of `perf_hooks` may be another object in a sandbox, as jest has one. */
const uptimes = [...new Set([globalThis.performance, ofModule])]

let isTaken = false

/**
 * Takes the clock of this process: `Date.now`, `performance.now` and the global timers, which run on in real time and can be moved.
 * Take it before the application is built, so that its timers are the clock's. Timers of `node:timers` and of Node itself stay as
 * they are.
 *
 *     using clock = takeClock()
 *     await clock.advance(3_600_000)
 *
 * @throws Error while another clock is taken
 */
export function takeClock(): Clock {
  if (isTaken)
    throw new Error('takeClock: a clock is taken already, and was not given back. Write `using clock = takeClock()`.')
  isTaken = true
  const real = {
    date: Date.now,
    uptimes: uptimes.map((each) => each.now),
    setTimeout: globalThis.setTimeout,
    setInterval: globalThis.setInterval,
    clearTimeout: globalThis.clearTimeout,
    clearInterval: globalThis.clearInterval,
    setImmediate: globalThis.setImmediate,
  }
  const uptime = performance.now.bind(performance)
  let passed = 0
  let moved = 0
  const timers = new Set<MovedTimer>()
  const now = () => uptime() + passed

  class MovedTimer implements Disposable {
    readonly #callback: (...args: unknown[]) => unknown
    readonly #args: readonly unknown[]
    readonly #every: number
    readonly #repeats: boolean
    #real: NodeJS.Timeout | undefined
    #holds = true
    due = 0

    constructor(callback: (...args: unknown[]) => unknown, every: number, args: readonly unknown[], repeats: boolean) {
      // In the context of whoever has set it, as any timer.
      this.#callback = AsyncResource.bind(callback)
      // As Node has it: 1 ms for whatever is no time.
      this.#every = every >= 1 && every <= 0x7fffffff ? every : 1
      this.#args = args
      this.#repeats = repeats
      this.refresh()
    }

    refresh(): this {
      this.due = now() + this.#every
      timers.add(this)
      this.arm()
      return this
    }

    arm(): void {
      real.clearTimeout(this.#real)
      this.#real = real.setTimeout(() => this.fire(), Math.max(0, this.due - now()))
      if (!this.#holds) this.#real.unref()
    }

    fire(): void {
      real.clearTimeout(this.#real)
      if (!timers.has(this)) return
      if (this.#repeats) this.refresh()
      else timers.delete(this)
      this.#callback(...this.#args)
    }

    close(): this {
      real.clearTimeout(this.#real)
      timers.delete(this)
      return this
    }

    ref(): this {
      this.#holds = true
      this.#real?.ref()
      return this
    }

    unref(): this {
      this.#holds = false
      this.#real?.unref()
      return this
    }

    hasRef(): boolean {
      return this.#holds && timers.has(this)
    }

    [Symbol.dispose](): void {
      this.close()
    }
  }

  const clear = (timer: unknown) => {
    if (timer instanceof MovedTimer) timer.close()
    else real.clearTimeout(timer as NodeJS.Timeout)
  }
  const once = (callback: (...args: unknown[]) => unknown, ms = 1, ...args: unknown[]) =>
    new MovedTimer(callback, ms, args, false)
  const later = (ms: number, value?: unknown) => new Promise((resolve) => once(() => resolve(value), ms))
  const replaced = {
    setTimeout: Object.assign(once, { [promisify.custom]: later }),
    setInterval: (callback: () => void, ms = 1, ...args: unknown[]) => new MovedTimer(callback, ms, args, true),
    clearTimeout: clear,
    clearInterval: clear,
  }
  Object.assign(globalThis, replaced)
  Date.now = () => real.date.call(Date) + passed + moved
  for (const [at, each] of uptimes.entries()) each.now = () => (real.uptimes[at]?.call(each) ?? 0) + passed

  /** Frames that were written are read by the other side, which may answer: a few turns of the loop. */
  const settle = async () => {
    for (let turn = 0; turn < 4; turn++) await new Promise<void>((resolve) => real.setImmediate(() => resolve()))
  }
  const arm = () => {
    for (const timer of timers) timer.arm()
  }

  return {
    async advance(ms) {
      const until = now() + ms
      for (;;) {
        const next = [...timers].filter(({ due }) => due <= until).sort((a, b) => a.due - b.due)[0]
        if (next === undefined) break
        passed += Math.max(0, next.due - now())
        next.fire()
        await settle()
      }
      passed += Math.max(0, until - now())
      arm()
      await settle()
    },
    async sleep(ms) {
      passed += ms
      const due = [...timers].filter((timer) => timer.due <= now()).sort((a, b) => a.due - b.due)
      for (const timer of due) timer.fire()
      arm()
      await settle()
    },
    moveDate(ms) {
      moved += ms
    },
    restore,
    [Symbol.dispose]: restore,
  }

  function restore(): void {
    if (!isTaken) return
    isTaken = false
    Date.now = real.date
    for (const [at, each] of uptimes.entries()) Object.assign(each, { now: real.uptimes[at] })
    const { setTimeout, setInterval, clearTimeout, clearInterval } = real
    Object.assign(globalThis, { setTimeout, setInterval, clearTimeout, clearInterval })
  }
}
