import { canonicalOf } from './unique-items.ts'

/**
 * Visits that every value may take, and those for each unit of its weight. A visit takes some 50 ns, so the dearest schema there is
 * ends with a message of 64 KiB within some 40 ms. Random recursive ones (`bench/schema.ts`) seldom take as many.
 */
const free = 8_000
const eachUnit = 12

/** The visits that a value of this weight may take. */
export function budgetOf(weight: number): number {
  return Math.max(free, eachUnit * weight)
}

/** Ends a validation that has used up its budget, from wherever it is: inside a `not`, a mere no would become a yes. */
export const exhausted = new Error('too much work')

/** The reason for which a value was refused, and its places. */
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
  // Most values are fine, and few schemas are reached in more than one way: no list is made before it is needed.
  /** The answers on each object and list: twice the slot of the schema, and one more for a yes. */
  #answers: Map<object, number[]> | undefined
  #texts: Map<object, string> | undefined
  // The branches of a union are asked one after the other.
  #last: object | undefined
  #ofLast: number[] | undefined
  // Written for every branch that fails, and read for the message that is refused: so nothing is made of them before.
  #keyword = 'refused'
  #pointer = '#'
  #problem = 'is refused'
  #trail: (string | number)[] | undefined
  readonly #value: unknown
  readonly #checks: number
  #limit: number
  #weighed = false

  /**
   * @param before the cost of the same value so far, and its weight, where it is known
   * @param checks how often such a value is checked, each time with its part of the budget
   */
  constructor(
    value: unknown,
    lenient: boolean,
    before?: { readonly visits: number; readonly weight: number },
    checks = 1,
  ) {
    this.#value = value
    this.lenient = lenient
    this.#checks = checks
    this.#limit = free / checks
    if (before === undefined) return
    this.visits = before.visits
    this.#limit = budgetOf(before.weight)
    this.#weighed = true
  }

  /** @throws exhausted */
  spend(visits: number): void {
    this.visits += visits
    if (this.visits <= this.#limit) return
    if (!this.#weighed) {
      this.#weighed = true
      this.#limit = budgetOf(weightOf(this.#value)) / this.#checks
      if (this.visits <= this.#limit) return
    }
    throw exhausted
  }

  /** The answer of a schema on an object or list that was dear to find; `undefined`: it has not been asked, or is asked again. */
  remembered(slot: number, value: object): boolean | undefined {
    const answers = this.#of(value)
    if (answers === undefined) return undefined
    for (const answer of answers) if (answer >> 1 === slot) return (answer & 1) === 1
    return undefined
  }

  remember(slot: number, value: object, answer: boolean): void {
    let answers = this.#of(value)
    if (answers === undefined) {
      answers = []
      this.#answers ??= new Map()
      this.#answers.set(value, answers)
      this.#ofLast = answers
    }
    answers.push(2 * slot + Number(answer))
  }

  #of(value: object): number[] | undefined {
    if (this.#last !== value) {
      this.#last = value
      this.#ofLast = this.#answers?.get(value)
    }
    return this.#ofLast
  }

  /** The text that equal values share, made once for each. @throws exhausted */
  canonical(value: object): string {
    const known = this.#texts?.get(value)
    if (known !== undefined) return known
    const text = canonicalOf(value)
    this.#texts ??= new Map()
    this.#texts.set(value, text)
    this.spend(text.length)
    return text
  }

  /** Forgets every answer, and not what they cost: a no that is remembered has no reason. */
  startAgain(): void {
    this.#answers = undefined
    this.#last = undefined
    this.#ofLast = undefined
    this.#trail = undefined
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
    this.#keyword = keyword
    this.#pointer = pointer
    this.#problem = problem
    return false
  }

  toFault(): Fault {
    const schemaPath = `${this.#pointer}/${this.#keyword}`
    return { keyword: this.#keyword, schemaPath, problem: this.#problem, place: this.#trail?.toReversed() ?? [] }
  }
}

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
