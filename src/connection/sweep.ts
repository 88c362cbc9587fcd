/** What the sweep visits: every open connection, once a tick. */
export interface Swept {
  sweep(now: number): void
}

export interface Sweep<T extends Swept> {
  add(item: T): void
  delete(item: T): void
  readonly size: number
  readonly items: ReadonlySet<T>
  close(): void
}

/**
 * One timer for all sockets of a server: 10,000 idle sockets are one interval, not 40,000 timeouts. It runs while there is
 * something to visit, never keeps Node alive, and is cleared with the last item.
 *
 * @param every ms between two visits
 * @param also called once per tick, after the visits
 */
export function createSweep<T extends Swept>(every: number, now: () => number, also: (now: number) => void): Sweep<T> {
  const items = new Set<T>()
  let timer: NodeJS.Timeout | undefined

  function visit(): void {
    const time = now()
    for (const item of items) item.sweep(time)
    also(time)
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
      timer ??= setInterval(visit, every).unref()
    },
    delete(item) {
      if (items.delete(item) && items.size === 0) stop()
    },
    close: stop,
  }
}
