import { CloseCode } from '../errors.ts'
import type { Tick } from './sweep.ts'

/**
 * The `limits` on silence and slowness, by the one timer of the server, a second or less apart. `partialMessage` and `writeTimeout` are
 * late by a quarter of a second or less, the others by two rounds.
 */
export interface LifeLimits {
  /**
   * A ping every `every` ms (default 25,000), whose pong must come within `timeout` ms (default 8,000), or the socket
   * is ended with 3008.
   */
  readonly heartbeat: {
    /** A ping after this long, in ms. */
    readonly every: number
    /** Its pong within this, in ms, or the socket is terminated. */
    readonly timeout: number
  }
  /** How long half a message may wait for its other half, in ms. Then 3008. Default 10,000. */
  readonly partialMessage: number
  /** How long no message may come or go, in ms; heartbeats do not count. Then 3008. Default 1,800,000 (30 minutes). */
  readonly idle: number
  /** How long a socket may be open altogether, in ms. Then 3008. Default 86,400,000 (a day). */
  readonly lifetime: number
  /** How long what waits for a client at one moment may take to leave, in ms. Then 1013. Default 10,000. */
  readonly writeTimeout: number
}

/** Of a visit, what time is measured by. */
type Visit = Pick<Tick, 'served' | 'late'>

/** The judgement of time about a socket. */
export type LifeVerdict =
  | { readonly kind: 'close'; readonly code: CloseCode; readonly reason: string }
  | { readonly kind: 'terminate'; readonly code: CloseCode; readonly reason: string }
  | { readonly kind: 'slow'; readonly reason: string }
  | { readonly kind: 'ping'; readonly payload: Buffer }

/** The signs of life on a socket's stream. */
export interface Progress {
  readonly reading: boolean
  /** Has the receiver begun something that is not complete? */
  readonly midMessage: boolean
  /** Bytes handed over and not yet in the kernel. */
  readonly waiting: number
  /** Bytes the kernel has taken, ever; `undefined` where the stream does not count. */
  readonly written: number | undefined
}

/** The socket whose time it is. */
export interface Living {
  /** Nobody outside can guess it; made when the first ping asks for it. */
  readonly id: string
  /** Messages that came, whole, so far. */
  readonly received: number
  /** Messages that went out so far. */
  readonly sent: number
}

/** All times in ms as the sweep counts them; `undefined` for what is not so now. */
export interface LifeState {
  /** When the last message came or went, or the socket opened. */
  readonly activeAt: number
  /** When the last ping went out, or the socket opened; while we do not read, when we last did not. */
  readonly pingedAt: number
  readonly awaitingPong: boolean
  /** Since when the first half of a message waits. */
  readonly partialSince: number | undefined
  /** Since when bytes wait that have not all gone: a mark is set when they begin to, and cleared when all that waited then has. */
  readonly stalledSince: number | undefined
}

/**
 * The time of one socket. All of it is measured in visits of the sweep, and so on a clock that nobody can set and that does
 * not count the time in which this process could not read: what a peer has sent then counts as sent.
 */
export class Life {
  readonly #socket: Living
  #receivedBefore = 0
  #sentBefore = 0
  #activeAt: number | undefined
  #pingedAt: number | undefined
  #awaitedPong: Buffer | undefined
  #pings = 0
  #partialSince: number | undefined
  #mark: { readonly at: number; readonly position: number } | undefined
  #endedAt: number | undefined

  constructor(socket: Living) {
    this.#socket = socket
  }

  /** RS-02: a pong counts as a sign of life only when it answers our ping: `false` for any other. */
  answered(payload: Buffer): boolean {
    if (this.#awaitedPong?.equals(payload) !== true) return false
    this.#awaitedPong = undefined
    return true
  }

  verdict(progress: Progress, limits: LifeLimits, { served, late }: Visit): LifeVerdict | undefined {
    const { received, sent } = this.#socket
    const hasReceived = received !== this.#receivedBefore
    if (hasReceived || sent !== this.#sentBefore) this.#activeAt = served
    this.#activeAt ??= served
    this.#receivedBefore = received
    this.#sentBefore = sent
    if (hasReceived) this.#partialSince = undefined
    this.#pingedAt ??= served
    // While we do not read, neither the rest of a message nor a pong can reach us: that time is ours, not the peer's.
    if (!progress.reading && this.#awaitedPong !== undefined) this.#pingedAt = served
    this.#partialSince = progress.midMessage && progress.reading ? (this.#partialSince ?? served) : undefined
    this.#measureWriting(progress, served)
    // What came while this process stood still is in the kernel: read first, then judge.
    if (late) return undefined
    const state = {
      activeAt: this.#activeAt,
      pingedAt: this.#pingedAt,
      awaitingPong: this.#awaitedPong !== undefined,
      partialSince: this.#partialSince,
      stalledSince: this.#mark?.at,
    }
    return checkLife(state, limits, served) ?? this.#beat(limits.heartbeat.every, served)
  }

  /**
   * How long nothing has to be looked at, in ms, after a verdict: until something is due. Of half a message, and of bytes that
   * wait, the port tells; while they, or a pong, are awaited, every visit counts.
   */
  quiet(limits: LifeLimits, { served }: Pick<Tick, 'served'>): number {
    if (this.#awaitedPong !== undefined || this.#partialSince !== undefined || this.#mark !== undefined) return 0
    const untilPing = (this.#pingedAt ?? served) + limits.heartbeat.every - served
    const untilIdle = (this.#activeAt ?? served) + limits.idle - served
    return Math.min(untilPing, untilIdle)
  }

  /** How long until half a message, or what waits for the client, has had its time, in ms. */
  left(limits: LifeLimits, { served }: Pick<Tick, 'served'>): number {
    const ofMessage = (this.#partialSince ?? Number.POSITIVE_INFINITY) + limits.partialMessage
    const ofWriting = (this.#mark?.at ?? Number.POSITIVE_INFINITY) + limits.writeTimeout
    return Math.min(ofMessage, ofWriting) - served
  }

  /** After the end has begun: whether the peer has had its time. It has it once more for whatever is done then. */
  outstayed(allowed: number, { served }: Pick<Tick, 'served'>): boolean {
    this.#endedAt ??= served
    if (served - this.#endedAt < allowed) return false
    this.#endedAt = served
    return true
  }

  #measureWriting(progress: Progress, served: number): void {
    const { waiting } = progress
    // Asked for only where something waits: Node adds it up anew each time.
    const written = waiting === 0 ? undefined : progress.written
    if (written === undefined) this.#mark = undefined
    else if (this.#mark === undefined || written >= this.#mark.position) {
      this.#mark = { at: served, position: written + waiting }
    }
  }

  /** Last of all: where a ping is due at every visit, it must not keep the other questions from being asked. */
  #beat(every: number, served: number): LifeVerdict | undefined {
    if (this.#awaitedPong !== undefined || served - (this.#pingedAt ?? served) < every) return undefined
    // Unpredictable enough: a pong that comes without its ping must not match the next one.
    const payload = Buffer.from(`${this.#socket.id.slice(0, 8)}${this.#pings++}`)
    this.#pingedAt = served
    this.#awaitedPong = payload
    return { kind: 'ping', payload }
  }
}

/** Verdicts on silence alone. The first wins: dead before silent. */
export function checkLife(state: LifeState, limits: LifeLimits, now: number): LifeVerdict | undefined {
  return (
    checkPong(state, limits.heartbeat.timeout, now) ??
    checkPartialMessage(state, limits.partialMessage, now) ??
    checkIdle(state, limits.idle, now) ??
    checkWriting(state, limits.writeTimeout, now)
  )
}

/** RS-03, RFC 6455 section 5.5.2. A half-open connection answers nothing, so there is no use in a close frame: terminate. */
function checkPong({ pingedAt, awaitingPong }: LifeState, timeout: number, now: number): LifeVerdict | undefined {
  if (!awaitingPong || now - pingedAt < timeout) return undefined
  return { kind: 'terminate', code: CloseCode.Timeout, reason: `no pong within ${timeout} ms (limits.heartbeat)` }
}

/** RS-14: Node's own timeouts never fire on an upgraded socket, and half a frame header keeps it open for ever. */
function checkPartialMessage({ partialSince }: LifeState, allowed: number, now: number): LifeVerdict | undefined {
  if (partialSince === undefined || now - partialSince < allowed) return undefined
  return { kind: 'close', code: CloseCode.Timeout, reason: `half a message for ${allowed} ms` }
}

/** ASVS 7.3.1: pings and pongs are no activity. */
function checkIdle({ activeAt }: LifeState, idle: number, now: number): LifeVerdict | undefined {
  if (now - activeAt < idle) return undefined
  return { kind: 'close', code: CloseCode.Timeout, reason: `no message either way for ${idle} ms (limits.idle)` }
}

/** RS-09: a peer that reads a byte now and then keeps a queue alive for ever; what waited must go in time, all of it. */
function checkWriting({ stalledSince }: LifeState, allowed: number, now: number): LifeVerdict | undefined {
  if (stalledSince === undefined || now - stalledSince < allowed) return undefined
  return { kind: 'slow', reason: `not drained within ${allowed} ms (limits.writeTimeout)` }
}

/** ASVS 7.3.2: refreshing for ever still ends. @param open for how long, in ms */
export function checkLifetime(open: number, lifetime: number): LifeVerdict | undefined {
  if (open < lifetime) return undefined
  return { kind: 'close', code: CloseCode.Timeout, reason: `open for ${lifetime} ms (limits.lifetime)` }
}
