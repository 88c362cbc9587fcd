import { randomBytes } from 'node:crypto'
import { type HashKey, halfSipHash, hashKey } from './half-sip-hash.ts'

const minute = 60_000
const rows = 4
const columns = 16_384

/** How often each address may begin a handshake, in memory that no number of addresses can grow. */
export interface HandshakeRate {
  /** Counts one attempt and returns `undefined`, or returns the milliseconds to wait: what is refused is not counted. */
  take(address: string, now: number): number | undefined
  /** The milliseconds to wait before `take` would count again; counts nothing. */
  wait(address: string, now: number): number | undefined
  /** Takes back what was counted at `then`, as far as it still counts. */
  giveBack(address: string, then: number): void
}

/**
 * A sliding minute per address, kept in a count-min sketch: four counters per address, chosen by a keyed hash, of which the
 * smallest is believed. A map would have to forget somebody once it is full: dropping counters lets an attacker with many
 * addresses reset his own, and refusing newcomers lets him lock everybody out. Here nothing is ever dropped; addresses can
 * only share counters, which counts too much and never too little, and the key keeps anyone from choosing with whom.
 */
export function createHandshakeRate(perMinute: number): HandshakeRate {
  const key = hashKey(randomBytes(8))
  let current = new Uint32Array(rows * columns)
  let previous = new Uint32Array(rows * columns)
  let window = Number.NEGATIVE_INFINITY
  /** All that was counted in the two windows: more than any one address has. */
  let total = 0
  let totalBefore = 0

  return {
    take(address, now) {
      turnTo(Math.floor(now / minute))
      const places = placesOf(address, key)
      const wait = waitOf(places, now)
      if (wait === undefined) count(current, places, 1)
      return wait
    },
    wait(address, now) {
      turnTo(Math.floor(now / minute))
      // Most servers, most of the time: not even all addresses together have spent what one of them may.
      return total + totalBefore + 1 <= perMinute ? undefined : waitOf(placesOf(address, key), now)
    },
    giveBack(address, then) {
      const counted = Math.floor(then / minute)
      if (counted === window) count(current, placesOf(address, key), -1)
      else if (counted === window - 1) count(previous, placesOf(address, key), -1)
    },
  }

  function waitOf(places: Uint32Array, now: number): number | undefined {
    // The window before fades out while this one runs: no burst of twice the limit across the boundary. A clock that was
    // set back counts as the beginning of the window.
    const elapsed = Math.max(0, now - window * minute)
    const fading = least(previous, places) * (1 - elapsed / minute)
    return least(current, places) + fading + 1 > perMinute ? minute - elapsed : undefined
  }

  function count(counters: Uint32Array, places: Uint32Array, by: 1 | -1): void {
    if (counters === current) total += by
    else totalBefore += by
    // Never below zero: a clock that was set back may have counted in another window than it says now.
    for (let row = 0; row < rows; row++) {
      const place = places[row] ?? 0
      counters[place] = Math.max(0, (counters[place] ?? 0) + by)
    }
  }

  function turnTo(next: number): void {
    if (next <= window) return
    const old = previous
    previous = next === window + 1 ? current : new Uint32Array(rows * columns)
    current = old.fill(0)
    totalBefore = next === window + 1 ? total : 0
    total = 0
    window = next
  }
}

/** The place of an address in each row, until the next one is asked for: kept, as all of this is one turn. */
const placesNow = new Uint32Array(rows)

/** Fourteen bits of the hash for each row. */
function placesOf(address: string, key: HashKey): Uint32Array {
  const { first, second } = halfSipHash(address, key)
  const mask = columns - 1
  placesNow[0] = first & mask
  placesNow[1] = columns + ((first >>> 14) & mask)
  placesNow[2] = 2 * columns + (second & mask)
  placesNow[3] = 3 * columns + ((second >>> 14) & mask)
  return placesNow
}

function least(counters: Uint32Array, places: Uint32Array): number {
  let smallest = Number.POSITIVE_INFINITY
  for (let row = 0; row < rows; row++) smallest = Math.min(smallest, counters[places[row] ?? 0] ?? 0)
  return smallest
}
