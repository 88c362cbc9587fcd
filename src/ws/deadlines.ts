import { Row } from '../row.ts'

/** Something that has to be over at some time. It stands in one line at most. */
export interface Due {
  standing: Line | undefined
  /** On the clock of the list. */
  until: number
  /** Its time is over; it stands nowhere by then. Must not throw. */
  outOfTime(): void
}

/** Milliseconds. Node's timers are 32 bit: beyond that they fire at once, and again and again. */
const longestWait = 60_000

/**
 * The deadlines of everything that waits: a line for each span of time, in order of arrival, and one timer for the first of
 * it. Thousands of handshakes that are over within a millisecond cost a place each, and no timer.
 *
 * @param now a clock that nobody can set
 * @param apart runs work in a context of its own: a timer is otherwise in that of whoever happened to start it
 */
export class Deadlines {
  readonly #lines = new Map<number, Line>()
  readonly #now: () => number
  readonly #apart: (work: () => void) => void

  constructor(now: () => number, apart: (work: () => void) => void) {
    this.#now = now
    this.#apart = apart
  }

  /** Puts it behind all others that have this span, wherever it stood before. */
  within(span: number, due: Due): void {
    due.standing?.leave(due)
    let line = this.#lines.get(span)
    if (line === undefined) {
      line = new Line(span, this.#now, this.#apart)
      this.#lines.set(span, line)
    }
    line.join(due)
  }

  leave(due: Due): void {
    due.standing?.leave(due)
  }

  /** All that wait, for whatever span. */
  standing(): readonly Due[] {
    return [...this.#lines.values()].flatMap((line) => [...line.all()])
  }
}

/** Those with one span of time. */
class Line {
  readonly #span: number
  readonly #now: () => number
  readonly #apart: (work: () => void) => void
  readonly #row = new Row<Due>()
  #timer: NodeJS.Timeout | undefined

  constructor(span: number, now: () => number, apart: (work: () => void) => void) {
    this.#span = span
    this.#now = now
    this.#apart = apart
  }

  join(due: Due): void {
    due.standing = this
    due.until = this.#now() + this.#span
    this.#row.add(due)
    if (this.#timer === undefined) this.#wait(this.#span)
  }

  leave(due: Due): void {
    this.#row.delete(due)
    due.standing = undefined
  }

  all(): Iterable<Due> {
    return this.#row
  }

  #wait(span: number): void {
    this.#apart(() => {
      this.#timer = setTimeout(() => this.#apart(() => this.#ring()), Math.min(Math.ceil(span), longestWait)).unref()
    })
  }

  #ring(): void {
    this.#timer = undefined
    const now = this.#now()
    for (let due = this.#row.first; due !== undefined && due.until <= now; due = this.#row.first) {
      this.leave(due)
      due.outOfTime()
    }
    const { first } = this.#row
    if (first !== undefined && this.#timer === undefined) this.#wait(first.until - now)
  }
}
