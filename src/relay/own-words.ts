import { hash, randomUUID } from 'node:crypto'
import type { Envelope } from './envelope.ts'

/** How many of its last envelopes a node can tell from those of a twin: more than a bus may have under way. */
const width = 16_384
/** Names of before, under which something may still be on its way. */
const mostNames = 4

/**
 * A name that no other process has. Not by chance alone: two copies of one process image (a snapshot of a virtual machine)
 * draw the same random numbers for a while, at moments of their own.
 */
export function freshName(): string {
  return `${randomUUID()}.${process.hrtime.bigint().toString(36)}`
}

/** The sender of an envelope: this process, a copy of it under the name of both, or somebody else. */
export type Speaker = 'own' | 'twin' | 'other'

/** The envelopes that this process has sent, and the name under which it sends. */
export interface OwnWords {
  readonly name: string
  /** The number of what is said next. */
  next(): number
  /** This was said. */
  note(sequence: number, at: number, payload: string): void
  /** A name alone is no echo: a copy of this process has it, too, and ends sessions under it. */
  speaker(envelope: Omit<Envelope, 'message'>, payload: string): Speaker
  /** Takes another name. What was said under the old one is still known. */
  rename(name: string): void
}

export function createOwnWords(first: string): OwnWords {
  let names = [first]
  let sequence = 0
  const marks = new Int32Array(width)
  const times = new Float64Array(width)

  return {
    get name() {
      return names[0] ?? first
    },
    next: () => ++sequence,
    note(number, at, payload) {
      marks[number % width] = markOf(payload)
      times[number % width] = at
    },
    speaker({ node, sequence: number, at }, payload) {
      if (!names.includes(node)) return 'other'
      if (number > sequence) return 'twin'
      // Too long ago to be remembered. One of ours was dated before the oldest that is.
      if (number <= sequence - width) return at > (times[(sequence + 1) % width] ?? 0) ? 'twin' : 'own'
      return marks[number % width] === markOf(payload) ? 'own' : 'twin'
    },
    rename(name) {
      // Numbers go on: nothing is forgotten, and none is used twice.
      names = [name, ...names].slice(0, mostNames)
    },
  }
}

/** Tells two envelopes of one number apart. It defends nothing: signed they are both, by one key. */
function markOf(payload: string): number {
  return hash('sha1', payload, 'buffer').readInt32BE(0)
}
