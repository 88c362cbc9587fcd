/** How far behind the newest envelope of a node another one may arrive and still be told from a replay. */
const width = 4_096

export interface ReplayWindow {
  /**
   * True once per node and sequence number, and false for numbers too old to tell.
   *
   * @param uptime ms on a clock that nobody can set: one that is set ahead and back would have all forgotten in between
   */
  admit(node: string, sequence: number, uptime: number): boolean
}

/**
 * Per node the highest number and one bit for each of the last 4,096. A node that has been silent for `forgetAfterMs` is
 * forgotten; that must exceed the time for which an old envelope still counts as fresh.
 */
export function createReplayWindow(forgetAfterMs: number): ReplayWindow {
  const nodes = new Map<string, { highest: number; seenAt: number; bits: Uint32Array }>()
  let sweptAt = 0
  return {
    admit(node, sequence, uptime) {
      if (uptime - sweptAt > forgetAfterMs) {
        sweptAt = uptime
        for (const [name, state] of nodes) if (uptime - state.seenAt > forgetAfterMs) nodes.delete(name)
      }
      let state = nodes.get(node)
      if (state === undefined) {
        state = { highest: sequence, seenAt: uptime, bits: new Uint32Array(width / 32) }
        nodes.set(node, state)
      } else if (sequence > state.highest) {
        forget(state.bits, state.highest + 1, sequence)
        state.highest = sequence
      } else if (sequence <= state.highest - width || isSet(state.bits, sequence)) {
        return false
      }
      state.seenAt = uptime
      set(state.bits, sequence)
      return true
    },
  }
}

/** The ring is used again: what the new numbers' places said was about numbers `width` ago. */
function forget(bits: Uint32Array, from: number, to: number): void {
  if (to - from >= width) bits.fill(0)
  else
    for (let sequence = from; sequence <= to; sequence++) bits[word(sequence)] = read(bits, sequence) & ~mask(sequence)
}

function isSet(bits: Uint32Array, sequence: number): boolean {
  return (read(bits, sequence) & mask(sequence)) !== 0
}

function set(bits: Uint32Array, sequence: number): void {
  bits[word(sequence)] = read(bits, sequence) | mask(sequence)
}

function read(bits: Uint32Array, sequence: number): number {
  return bits[word(sequence)] ?? 0
}

function word(sequence: number): number {
  return Math.floor((sequence % width) / 32)
}

function mask(sequence: number): number {
  return 1 << (sequence % 32)
}
