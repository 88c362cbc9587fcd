/** Visits that every value may take, and those for each unit of its weight: a message of 64 KiB then ends within some 50 ms. */
const free = 2_000
const eachUnit = 32

/** The visits that a value of this weight may take. */
export function budgetOf(weight: number): number {
  return Math.max(free, eachUnit * weight)
}

/** Ends a validation that has used up its budget, from wherever it is: inside a `not`, a mere no would become a yes. */
export const exhausted = new Error('too much work')

/** Where and why a value was refused. */
export interface Fault {
  readonly keyword: string
  /** JSON pointer into the schema. */
  readonly schemaPath: string
  /** The complaint of `keyword`, for the application's own mistakes. */
  readonly problem: string
  /** From the value down to the member that was refused. */
  readonly place: readonly (string | number)[]
}

/**
 * The state of one validation: what has been found already, and how much it has cost. A visit is one look of one schema at one value
 * or name. Its budget grows with the value, which is weighed only when the free part of the budget is gone.
 */
export class Work {
  visits = 0
  /** Members that no branch declares are on their way out, so nobody is refused for them. */
  readonly lenient: boolean
  fault: Omit<Fault, 'place'> = refused
  // Most values are fine, and few schemas are reached in more than one way: neither is made before it is needed.
  #memo: Map<object, boolean>[] | undefined
  #trail: (string | number)[] | undefined
  readonly #value: unknown
  #limit = free
  #weighed = false

  constructor(value: unknown, lenient: boolean) {
    this.#value = value
    this.lenient = lenient
  }

  /** @throws exhausted */
  spend(visits: number): void {
    this.visits += visits
    if (this.visits <= this.#limit) return
    if (!this.#weighed) {
      this.#weighed = true
      this.#limit = budgetOf(weightOf(this.#value))
      if (this.visits <= this.#limit) return
    }
    throw exhausted
  }

  /** The answers of a schema that more than one way leads to, about each object and list. */
  answersOf(slot: number): Map<object, boolean> {
    this.#memo ??= []
    const answers = this.#memo[slot] ?? new Map<object, boolean>()
    this.#memo[slot] = answers
    return answers
  }

  /** Notes a step to the member that was refused: the last step first, on the way up. */
  cameFrom(step: string | number): void {
    this.#trail ??= []
    this.#trail.push(step)
  }

  /** Forgets the way to a member: it was asked about, and a no is no fault of it. */
  forgetWay(): void {
    this.#trail = undefined
  }

  /** Says no, and why. */
  refuse(keyword: string, pointer: string, problem: string): false {
    this.fault = { keyword, schemaPath: `${pointer}/${keyword}`, problem }
    return false
  }

  toFault(): Fault {
    return { ...this.fault, place: this.#trail?.toReversed() ?? [] }
  }
}

const refused: Omit<Fault, 'place'> = Object.freeze({ keyword: 'refused', schemaPath: '#', problem: 'is refused' })

/** About as many units as the value has when it is written as JSON. */
function weightOf(value: unknown): number {
  let weight = 0
  const open: unknown[] = [value]
  while (open.length > 0) {
    const next = open.pop()
    weight += 2
    if (typeof next === 'string') weight += next.length
    else if (Array.isArray(next)) for (const item of next) open.push(item)
    else if (typeof next === 'object' && next !== null) {
      for (const [name, member] of Object.entries(next)) {
        weight += name.length + 3
        open.push(member)
      }
    }
  }
  return weight
}

/** The fault of a value whose budget is used up. */
export const tooMuchWork: Fault = {
  keyword: 'too much work',
  schemaPath: '#',
  problem: 'takes more work than a value of its size may',
  place: [],
}
