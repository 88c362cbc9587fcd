/** A source of random numbers that a seed repeats (mulberry32): 200,000 pairs are told by one number. */
export class Random {
  #state: number
  constructor(seed: number) {
    this.#state = seed >>> 0
  }
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  below(count: number): number {
    return Math.floor(this.next() * count)
  }
  chance(of: number): boolean {
    return this.next() < of
  }
  pick<T>(list: readonly T[]): T {
    const picked = list[this.below(list.length)]
    if (picked === undefined && list.length === 0) throw new Error('nothing to pick from')
    return picked as T
  }
  some<T>(list: readonly T[], chance: number): T[] {
    return list.filter(() => this.chance(chance))
  }
  shuffled<T>(list: readonly T[]): T[] {
    const left = [...list]
    return list.map(() => left.splice(this.below(left.length), 1)[0] as T)
  }
}
