import { Row } from '../row.ts'

/** The time of one visit. */
export interface Tick {
  /** Milliseconds on a clock that nobody can set. */
  readonly uptime: number
  /**
   * Milliseconds in which this process was there for its sockets. While its loop stood still (a long computation, a laptop that
   * slept) it read nothing, and nobody's deadline ran.
   */
  readonly served: number
  /** The loop has just stood still: what came meanwhile is read after this visit, and before the next one. */
  readonly late: boolean
  /** Milliseconds between two of them. */
  readonly every: number
}

/** An open connection, visited once a tick. */
export interface Swept {
  sweep(tick: Tick): void
  /** Told what its visit threw; must not throw. */
  failed(error: unknown): void
}

export interface Sweep<T extends Swept> {
  add(item: T): void
  /** From here on it is visited more often: something has just begun, or is about to be over. */
  watch(item: T): void
  /** It is visited with the others again. */
  rest(item: T): void
  delete(item: T): void
  readonly size: number
  readonly items: Pick<Row<T>, 'size' | typeof Symbol.iterator>
  close(): void
}

/** A pause of the loop of so many visits is one. */
const pause = 2
/** Visits of what is watched, in the time of one visit of all. */
const often = 8

/**
 * One timer for all sockets of a server: 10,000 idle sockets are one interval, not 40,000 timeouts. It runs while there is
 * something to visit, never keeps Node alive, and is cleared with the last item. While something is watched it runs eight times
 * as often, for what is watched alone.
 *
 * @param every ms between two visits
 * @param uptime a clock that nobody can set
 * @param also called once per tick, after the visits
 * @param apart runs work in a context of its own: a timer is otherwise in that of whoever happened to start it
 */
export function createSweep<T extends Swept>(
  every: number,
  uptime: () => number,
  also: () => void,
  apart: (work: () => void) => void,
): Sweep<T> {
  const items = new Row<T>()
  const watched = new Set<T>()
  let timer: NodeJS.Timeout | undefined
  let period = every
  let visitedAt = 0
  let allVisitedAt = 0
  let served = 0
  let late = false

  function visit(): void {
    const now = uptime()
    const passed = now - visitedAt
    visitedAt = now
    served += Math.min(passed, pause * every)
    // Never twice in a row: on a machine that is always late, the dead would stay for ever. Between two visits there is always
    // one look at what has arrived.
    late = passed > pause * every && !late
    // A timer may be a little early. After a pause nobody is left out: whoever is visited next has been visited late before.
    const isRound = late || watched.size === 0 || now - allVisitedAt >= every * (1 - 0.5 / often)
    if (isRound) allVisitedAt = now
    // A whole number: those that are kept for each socket take no memory of their own then.
    const tick = { uptime: now, served: Math.floor(served), late, every }
    // A copy: what is watched may rest and begin again while it is visited.
    for (const item of isRound ? items : [...watched]) {
      try {
        item.sweep(tick)
      } catch (error) {
        // Nothing that one socket does keeps the next from its visit, or ends the process from a timer.
        item.failed(error)
      }
    }
    if (isRound) also()
    // Here alone the clock is put back: whoever opens sockets, begins and goes at once could else keep it from ever coming.
    if (timer !== undefined && watched.size === 0 && period !== every) run(every)
  }

  function run(next: number): void {
    clearInterval(timer)
    period = next
    apart(() => {
      timer = setInterval(() => apart(visit), period).unref()
    })
  }

  function stop(): void {
    clearInterval(timer)
    timer = undefined
  }

  return {
    items,
    get size() {
      return items.size
    },
    add(item) {
      items.add(item)
      if (timer !== undefined) return
      visitedAt = allVisitedAt = uptime()
      run(every)
    },
    watch(item) {
      if (!items.has(item) || watched.has(item)) return
      watched.add(item)
      if (period === every) run(every / often)
    },
    rest(item) {
      watched.delete(item)
    },
    delete(item) {
      watched.delete(item)
      if (items.delete(item) && items.size === 0) stop()
    },
    close: stop,
  }
}
