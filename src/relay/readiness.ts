import type { Bus, BusState } from './bus.ts'

export interface ReadinessOptions {
  readonly bus: Bus
  /** After every loss: subscribe, then read what was missed. Rejects when it could not. */
  readonly recover: () => Promise<void>
  /** Every `every()` ms while ready. Rejects when it could not. */
  readonly refresh: () => Promise<void>
  readonly every: () => number
  readonly onReady: () => void
}

/** Whether this node knows what the others know; and the timers that get it there again. */
export interface Readiness {
  readonly ready: boolean
  /** Resolves after the first attempt. */
  start(): Promise<void>
  stop(): void
}

export function createReadiness({ bus, recover, refresh, every, onReady }: ReadinessOptions): Readiness {
  let running = false
  let ready = false
  /** Counts losses of the bus, so that a recovery that was overtaken by the next loss cannot declare itself done. */
  let losses = 0
  let attempts = 0
  let recovering: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined
  let unwatch: (() => void) | undefined

  const attempt = async (): Promise<void> => {
    const loss = losses
    try {
      await recover()
    } catch {
      return
    }
    if (!running) return
    // Lost again while it was catching up, and perhaps back already: once more, since nobody else will.
    if (loss !== losses) return bus.state === 'down' ? undefined : attempt()
    ready = true
    attempts = 0
    onReady()
  }

  const attemptOnce = (): Promise<void> => {
    recovering ??= attempt().finally(() => {
      recovering = undefined
      next()
    })
    return recovering
  }

  const again = async (): Promise<void> => {
    if (!ready) return bus.state === 'down' ? next() : attemptOnce()
    const loss = losses
    try {
      await refresh()
    } catch {
      // Denials may be missing from now on, so nobody is admitted on a session until they are read.
      if (loss === losses) ready = false
    }
    next()
  }

  const next = (): void => {
    clearTimeout(timer)
    if (!running) return
    // Not ready: back off from 100 ms to 10 s, each with jitter, so that nodes do not return as one.
    const wait = ready ? every() : Math.min(10_000, 100 * 2 ** Math.min(attempts++, 7)) * (0.5 + Math.random() / 2)
    timer = setTimeout(() => void again(), wait)
    timer.unref()
  }

  const onState = (state: BusState): void => {
    attempts = 0
    if (state === 'up') return void attemptOnce()
    losses++
    ready = false
  }

  return {
    get ready() {
      return ready
    },
    start() {
      running = true
      unwatch = bus.onState?.(onState)
      // Without asking for the state: a bus connects on first use, and says `down` until then.
      return attemptOnce()
    },
    stop() {
      running = false
      ready = false
      clearTimeout(timer)
      unwatch?.()
    },
  }
}
