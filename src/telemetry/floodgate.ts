/** Events that are one flood when there are many of them. */
export interface Kind {
  readonly type: string
  /** Of ours, or of a few others: a code that a client may choose would give it a window for each. */
  readonly code: string | number | undefined
}

export interface FloodgateOptions<K extends Kind> {
  /** Lines of one kind in a window. */
  readonly lines: number
  /** Milliseconds, from the first line of the kind on. */
  readonly window: number
  /** Told when a window has ended in which lines were held back. */
  readonly rest: (kind: K, held: number) => void
}

interface Window<K> {
  readonly kind: K
  readonly since: number
  lines: number
  held: number
}

/** Whether this line is written. */
export interface Floodgate<K extends Kind> {
  (kind: K): boolean
  /** Tells the rest of every window, and starts no timer any more. */
  close(): void
}

/**
 * Bounds the lines of a flood: of one kind some in a window, and one more that says how many there were. So the end of a
 * flood is told as well, and not with the first line of the next one.
 */
export function createFloodgate<K extends Kind>({ lines, window, rest }: FloodgateOptions<K>): Floodgate<K> {
  const windows = new Map<string, Window<K>>()
  let timer: NodeJS.Timeout | undefined
  let closed = false

  function settle(due: (window: Window<K>) => boolean): void {
    for (const [key, open] of windows) {
      if (!due(open)) continue
      windows.delete(key)
      if (open.held > 0) rest(open.kind, open.held)
    }
  }

  function look(): void {
    timer = undefined
    const now = performance.now()
    settle(({ since }) => now - since >= window)
    if ([...windows.values()].some(({ held }) => held > 0)) wait()
  }

  /** Only while something is held back: whoever is attacked by nobody has no timer. */
  function wait(): void {
    if (timer !== undefined || closed) return
    timer = setTimeout(look, window)
    timer.unref()
  }

  function admits(kind: K): boolean {
    const now = performance.now()
    const key = `${kind.type} ${kind.code ?? ''}`
    let open = windows.get(key)
    if (open !== undefined && now - open.since >= window) {
      windows.delete(key)
      if (open.held > 0) rest(open.kind, open.held)
      open = undefined
    }
    if (open === undefined) {
      open = { kind, since: now, lines: 0, held: 0 }
      windows.set(key, open)
    }
    if (open.lines < lines) {
      open.lines++
      return true
    }
    open.held++
    wait()
    return false
  }

  return Object.assign(admits, {
    close() {
      closed = true
      clearTimeout(timer)
      settle(() => true)
    },
  })
}
