import { type Instruction, programOf } from './pattern-program.ts'
import { isEndless, type Part } from './pattern-syntax.ts'

/** How many of the most promising texts are made longer. */
const width = 4
/** How many texts are tried that repeat a few characters, and how few. */
const mostUnits = 128
const longestUnit = 4
/** The steps of the shortest texts are no measure: so many characters more are granted to each. */
const allowance = 8
/** Characters by which a pattern without end has shown what it takes: a square is beyond 512 steps for each at some 1000. */
const farthest = 2048
/** All steps of the count: some tenths of a second. */
const mostCounting = 12_000_000

/** Characters of every kind that patterns tell apart; those of the pattern are added. */
const samples = [
  ...Array.from({ length: 128 }, (_, code) => String.fromCharCode(code)),
  ...'\u0085\u00a0\u00e9\u00c9\u00df\u0436\u0416\u4e2d\u2028\ufeff\u{1f600}\u{1d49c}\u0301\u0663',
]

export interface Bearable {
  /** The most characters for which the steps stay within bounds. */
  readonly length: number
  /** A text one longer, which takes more; without it, nobody counted further. */
  readonly attack?: string
}

/**
 * A backtracking engine tries one way after another, so on a text that matches in none of them, its steps at a character are the
 * ways in which the pattern may have come there, from every place where it began. Those are counted here without trying them, on
 * the texts that a search finds to be the worst: a product of repetitions would take `(?:[0-9a-f]{1,4}:){7}` for a bad one,
 * though each of its texts can be read in one way.
 *
 * @param most steps for each character of a text
 */
export function bearableLength(pattern: string, part: Part, most: number): Bearable {
  const program = programOf(part)
  if (program === undefined) return { length: 0 }
  const counter = new Counter(program)
  const kinds = charactersOf(pattern, program)
  const horizon = 2 * program.length + (isEndless(part) ? farthest : allowance)
  const first: Text = { text: '', steps: 0, ways: counter.begin() }
  const searches = [
    ...unitsOf(kinds).map((unit) => lengthen([first], (length) => unit.slice(length % unit.length).slice(0, 1))),
    lengthen([first], () => kinds),
  ]
  return searches.reduce<Bearable>(
    (least, search) => {
      const found = search(Math.min(horizon, least.length))
      return found.length < least.length ? found : least
    },
    { length: Infinity },
  )

  /** Makes texts longer by each of some characters, and goes on with the best. */
  function lengthen(start: readonly Text[], next: (length: number) => readonly Kind[]): (end: number) => Bearable {
    return (end) => {
      let texts = start
      for (let length = 0; length < end && texts.length > 0; length++) {
        const longer: Text[] = []
        for (const { text, steps, ways } of texts) {
          for (const { character, takenBy } of next(length)) {
            const reached = counter.step(ways, takenBy)
            const sum = steps + total(reached)
            if (sum > most * (length + 1 + allowance)) return { length, attack: text + character }
            longer.push({ text: text + character, steps: sum, ways: reached })
          }
          if (counter.spent > mostCounting) return { length }
        }
        texts = best(longer)
      }
      return { length: Infinity }
    }
  }
}

interface Kind {
  readonly character: string
  readonly takenBy: ReadonlySet<string>
}

/** The shortest texts to be repeated: what is best for the next character seldom ends in one. */
function unitsOf(kinds: readonly Kind[]): (readonly Kind[])[] {
  const units: (readonly Kind[])[] = [[]]
  for (const unit of units) {
    if (units.length > mostUnits || unit.length === longestUnit) break
    for (const kind of kinds) units.push([...unit, kind])
  }
  return units.slice(1, mostUnits)
}

interface Text {
  readonly text: string
  readonly steps: number
  readonly ways: Ways
}

/** By the instruction that waits for a character, the ways to have come there. */
type Ways = ReadonlyMap<number, number>

function total(ways: Ways): number {
  let sum = 0
  for (const count of ways.values()) sum += count
  return sum
}

/** Of texts that cost the same, one. */
function best(texts: readonly Text[]): Text[] {
  const found = new Map<string, Text>()
  for (const one of texts) {
    const last = total(one.ways)
    const key = `${one.steps} ${last} ${one.ways.size}`
    if (last > 0 && !found.has(key)) found.set(key, one)
  }
  const promise = (one: Text): number => one.steps + total(one.ways) * allowance
  return [...found.values()].sort((a, b) => promise(b) - promise(a)).slice(0, width)
}

/** For each kind of character that the pattern tells apart, one example, with the sources of the instructions that take it. */
function charactersOf(pattern: string, program: readonly Instruction[]): Kind[] {
  const sources = new Set<string>()
  for (const instruction of program) if (instruction.kind === 'character') sources.add(instruction.source)
  const written = [...pattern.matchAll(/\\u\{?([\da-fA-F]{4,6})\}?/g)].map(([, code = '0']) =>
    Number.parseInt(code, 16),
  )
  const expressions = [...sources].map((source) => ({ source, expression: new RegExp(`^${source}$`, 'u') }))
  const kinds = new Map<string, Kind>()
  for (const character of new Set([...pattern, ...samples, ...written.map((code) => String.fromCodePoint(code))])) {
    const takenBy = new Set(
      expressions.filter(({ expression }) => expression.test(character)).map(({ source }) => source),
    )
    const key = [...takenBy].join('\n')
    if (takenBy.size > 0 && !kinds.has(key)) kinds.set(key, { character, takenBy })
  }
  return [...kinds.values()]
}

class Counter {
  /** The steps of the count itself. */
  spent = 0
  readonly #program: readonly Instruction[]
  readonly #reached = new Map<number, Ways>()
  readonly #endings = new Map<number, boolean>()
  readonly #again: Ways

  constructor(program: readonly Instruction[]) {
    this.#program = program
    // A pattern that matches everywhere is not tried again further on.
    this.#again = this.#alwaysMatches(0) ? new Map() : this.#follow(0, false)
  }

  begin(): Ways {
    return this.#follow(0, true)
  }

  step(ways: Ways, takenBy: ReadonlySet<string>): Ways {
    const next = new Map(this.#again)
    this.spent += ways.size + next.size
    for (const [at, count] of ways) {
      const instruction = this.#program[at]
      if (instruction?.kind !== 'character' || !takenBy.has(instruction.source)) continue
      // From where nothing can fail, no other way is tried.
      const times = this.#alwaysMatches(at + 1) ? 1 : count
      const reached = this.#after(at + 1)
      this.spent += reached.size
      for (const [to, each] of reached) next.set(to, (next.get(to) ?? 0) + times * each)
    }
    return next
  }

  #after(at: number): Ways {
    const known = this.#reached.get(at)
    if (known !== undefined) return known
    const reached = this.#follow(at, false)
    this.#reached.set(at, reached)
    return reached
  }

  /** The ways from an instruction to those that wait for a character, of which none goes through a loop twice. */
  #follow(from: number, isStart: boolean): Ways {
    const waiting = new Map<number, number>()
    const passed = new Set<number>()
    let pending = new Map([[from, 1]])
    while (pending.size > 0) {
      const back = new Map<number, number>()
      // Instructions lead forward, but for the ends of loops; few are pending at a time.
      for (let at = from; pending.size > 0; ) {
        at = Math.min(...pending.keys())
        this.spent += pending.size
        const count = pending.get(at) ?? 0
        pending.delete(at)
        passed.add(at)
        const instruction = this.#program[at]
        if (instruction === undefined) continue
        const go = (to: number): void => {
          if (to > at) pending.set(to, (pending.get(to) ?? 0) + count)
          // A round that takes nothing is no round.
          else if (!passed.has(to)) back.set(to, (back.get(to) ?? 0) + count)
        }
        if (instruction.kind === 'character') waiting.set(at, count + (waiting.get(at) ?? 0))
        if (
          instruction.kind === 'boundary' ||
          instruction.kind === 'split' ||
          (instruction.kind === 'start' && isStart)
        )
          go(at + 1)
        if (instruction.kind === 'split' || instruction.kind === 'jump') go(instruction.to)
      }
      pending = back
    }
    return waiting
  }

  /** Whether the pattern matches from an instruction, whatever follows in the text. */
  #alwaysMatches(at: number): boolean {
    const known = this.#endings.get(at)
    if (known !== undefined) return known
    this.#endings.set(at, false)
    const seen = new Set<number>()
    const open = [at]
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const instruction = this.#program[next]
      if (instruction === undefined || seen.has(next)) continue
      seen.add(next)
      this.spent++
      if (instruction.kind === 'match') {
        this.#endings.set(at, true)
        return true
      }
      if (instruction.kind === 'split') open.push(next + 1)
      if (instruction.kind === 'split' || instruction.kind === 'jump') open.push(instruction.to)
    }
    return false
  }
}
