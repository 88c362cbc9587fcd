import { CloseCode } from '../errors.ts'

/** An open socket, as far as it keeps memory. */
export interface Keeper {
  readonly ended: boolean
  /** Bytes that its stream was given, and the kernel has not taken. */
  readonly inWire: number
  /** Bytes that wait elsewhere: for the sanitizer, for a client that is behind, for a listener. */
  readonly queued: number
  end(code: CloseCode, reason: string, how: { terminate?: boolean }): void
  terminate(): void
}

/** The `limits` on what waits in a server. */
export interface MemoryLimits {
  /**
   * Bytes that may wait in the queues of all sockets of this server together. From three quarters on nobody is admitted (503); from
   * nine tenths on the sockets are cut that keep the most, with 1013 in the event. Default 268,435,456.
   */
  readonly memoryBytes: number
}

export interface MemoryOptions {
  readonly limit: number
  readonly keepers: () => Iterable<Keeper>
  /** A clock that nobody can set. */
  readonly uptime: () => number
  /** So many sockets were cut, of so many bytes that waited. */
  readonly overloaded: (count: number, bytes: number) => void
  /** Bytes of all buffers of this process. */
  readonly buffers?: () => number
}

const admitBelow = 0.75
const cutFrom = 0.9
/** After so much more of the limit it is measured again, however near it is. */
const step = 1 / 32
/** While it is nearly used up, whoever knocks has it measured again, but not each of a flood. */
const measuredFor = 100

/**
 * The memory of everything that waits in a server. Nothing is counted for a message that the kernel takes at once, which is nearly
 * every one. Those that stay are added up, and when that could have used the rest, all sockets are asked what they keep.
 */
export class MemoryBudget {
  readonly limit: number
  readonly #options: MemoryOptions
  readonly #buffers: () => number
  /** Bytes that were kept since the last measuring: some of them have left by now. */
  #since = 0
  #measureAt: number
  #used = 0
  #measuredAt = Number.NEGATIVE_INFINITY
  #measuring = false
  /** Cut, and not gone yet: the memory of these is on its way back. */
  readonly #cut = new WeakSet<Keeper>()

  constructor(options: MemoryOptions) {
    this.limit = options.limit
    this.#options = options
    this.#buffers = options.buffers ?? (() => process.memoryUsage().arrayBuffers)
    this.#measureAt = this.#rest()
  }

  /** Adds what a socket keeps from now on. */
  add(bytes: number): void {
    this.#since += bytes
    if (this.#since >= this.#measureAt) this.measure()
  }

  /** Bytes that wait now. */
  get used(): number {
    return this.#sum().used
  }

  /** Whether there is no room for what another socket would keep. */
  get isNearlyUsed(): boolean {
    if (this.#used < this.limit * admitBelow) return false
    // The sockets may have gone since, and whoever visits them with them.
    if (this.#options.uptime() - this.#measuredAt >= measuredFor) this.measure()
    return this.#used >= this.limit * admitBelow
  }

  /**
   * Called once a round of the sweep. Where nothing waited at the last measuring, and nothing was kept since, nothing waits: to ask
   * ten thousand idle sockets would be the dearest part of the round.
   */
  visit(): void {
    if (this.#used > 0 || this.#since > 0) this.measure()
  }

  /** Asks every socket what it keeps, and cuts those that keep the most if it is too much. */
  measure(): void {
    // A socket that is cut writes and closes, and may come back here.
    if (this.#measuring) return
    this.#measuring = true
    try {
      const { used, share } = this.#sum()
      this.#used = used >= this.limit * cutFrom ? this.#cutLargest(used, share) : used
      this.#since = 0
      this.#measureAt = this.#rest()
      this.#measuredAt = this.#options.uptime()
    } finally {
      this.#measuring = false
    }
  }

  #rest(): number {
    const next = this.#used < this.limit * admitBelow ? admitBelow : cutFrom
    return Math.max(this.limit * next - this.#used, this.limit * step)
  }

  /** @returns `share`: how much of a byte in a stream is memory, because a room's message waits in many streams and is kept once */
  #sum(): { readonly used: number; readonly share: number } {
    let inWire = 0
    let queued = 0
    for (const keeper of this.#options.keepers()) {
      if (this.#cut.has(keeper)) continue
      inWire += keeper.inWire
      queued += keeper.queued
    }
    if (inWire + queued < this.limit * admitBelow || inWire === 0) return { used: inWire + queued, share: 1 }
    // All that waits in streams is buffers, so it is no more than those of the whole process.
    const share = Math.min(1, this.#buffers() / inWire)
    return { used: inWire * share + queued, share }
  }

  #cutLargest(before: number, share: number): number {
    const keeps = (keeper: Keeper) => keeper.inWire * share + keeper.queued
    // Those that have ended keep their memory for a closing handshake: of all sockets they lose the least.
    const largest = [...this.#options.keepers()]
      .filter((keeper) => !this.#cut.has(keeper) && keeps(keeper) > 0)
      .map((keeper) => ({ keeper, bytes: keeps(keeper), ended: keeper.ended }))
      .sort((a, b) => Number(b.ended) - Number(a.ended) || b.bytes - a.bytes)
    let used = before
    let count = 0
    for (const { keeper, bytes, ended } of largest) {
      if (used < this.limit * admitBelow) break
      this.#cut.add(keeper)
      used -= bytes
      if (ended) keeper.terminate()
      else {
        count++
        const reason = `${Math.round(bytes)} of ${Math.round(before)} bytes that wait are this socket's (limits.memoryBytes)`
        // Its client reads nothing: a close frame would wait behind all of it.
        keeper.end(CloseCode.TryAgainLater, reason, { terminate: true })
      }
    }
    if (count > 0) this.#options.overloaded(count, Math.round(before))
    return used
  }
}
