/** Where one member stands. */
class Place<T> {
  readonly member: T
  before: Place<T> | undefined
  behind: Place<T> | undefined = undefined

  constructor(member: T, before: Place<T> | undefined) {
    this.member = member
    this.before = before
  }
}

/**
 * A set, in order of arrival, whose members carry their own places. A `Set` that is filled and emptied all the time is copied
 * every few additions. The first copy that gets into V8's old space keeps the ones after it alive, dead as they are, with all
 * that stood in them: of each handshake some kilobytes, which were collected with the dearest of collections.
 */
export class Row<T extends object> implements Iterable<T> {
  readonly #mark = Symbol('fastify-secure-ws.place')
  #first: Place<T> | undefined
  #last: Place<T> | undefined
  #size = 0

  get size(): number {
    return this.#size
  }

  get first(): T | undefined {
    return this.#first?.member
  }

  has(member: T): boolean {
    return this.#placeOf(member) !== undefined
  }

  add(member: T): void {
    if (this.has(member)) return
    const place = new Place(member, this.#last)
    if (this.#last === undefined) this.#first = place
    else this.#last.behind = place
    this.#last = place
    this.#size++
    this.#carry(member, place)
  }

  /** @returns whether it was there */
  delete(member: T): boolean {
    const place = this.#placeOf(member)
    if (place === undefined) return false
    const { before, behind } = place
    if (before === undefined) this.#first = behind
    else before.behind = behind
    if (behind === undefined) this.#last = before
    else behind.before = before
    // A place that was left must not keep its neighbours.
    place.before = place.behind = undefined
    this.#size--
    this.#carry(member, undefined)
    return true
  }

  /** Those that are here now, without the ones that leave before their turn. */
  [Symbol.iterator](): Iterator<T, undefined> {
    const places: Place<T>[] = []
    for (let place = this.#first; place !== undefined; place = place.behind) places.push(place)
    let at = 0
    // No generator: the sweep visits every socket once a second by this.
    return {
      next: () => {
        for (let place = places[at++]; place !== undefined; place = places[at++]) {
          // A place that was left has nobody before it, and is not the first.
          if (place.before !== undefined || place === this.#first) return { done: false, value: place.member }
        }
        return { done: true, value: undefined }
      },
    }
  }

  #placeOf(member: T): Place<T> | undefined {
    return (member as Carrying<T>)[this.#mark]
  }

  #carry(member: T, place: Place<T> | undefined): void {
    ;(member as Carrying<T>)[this.#mark] = place
  }
}

interface Carrying<T> {
  [mark: symbol]: Place<T> | undefined
}
