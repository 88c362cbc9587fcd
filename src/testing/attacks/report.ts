import { type Hole, type HoleCode, holes } from './hole.ts'
import { type Sarif, sarifOf } from './sarif.ts'

/** An attack, and its outcome. */
export interface AttackRow {
  /** The role that was played. */
  readonly role: string
  /** The message type; `undefined` for the handshake and for the socket as a whole. */
  readonly message: string | undefined
  /** The attack, in words. */
  readonly attack: string
  /** The outcome: a code, `delivered`, `admitted`, `closed with 1009`, `silent`. */
  readonly outcome: string
  /** The kind of hole, if it is one. */
  readonly hole: HoleCode | undefined
}

/** An attack that could not be tried, and what to write so that it can. */
export interface NotJudged {
  /** The attack, in words. */
  readonly attack: string
  /** The reason, and the way out. */
  readonly because: string
}

/** The outcome of `attacks`. */
export class AttackReport {
  /** The path that was attacked. */
  readonly path: string
  /** Every attack, in the order in which they were made. */
  readonly rows: readonly AttackRow[]
  /** The holes that were found, once for each kind, role and message; those that the test accepts are not among them. */
  readonly holes: readonly Hole[]
  /** The holes that the test accepts. */
  readonly accepted: readonly Hole[]
  /** The attacks that could not be tried. */
  readonly notJudged: readonly NotJudged[]

  /**
   * Made by `attacks`.
   * @internal
   */
  constructor(
    path: string,
    rows: readonly AttackRow[],
    notJudged: readonly NotJudged[],
    accept: Readonly<Partial<Record<HoleCode, string>>>,
  ) {
    this.path = path
    this.rows = rows
    this.notJudged = notJudged
    const found = new Map<string, Hole>()
    for (const { hole: code, role, message, attack } of rows) {
      if (code === undefined) continue
      const { weakness, ...kind } = holes[code]
      const hole: Hole = { code, role, message, attack, ...kind, weakness: `CWE-${weakness}`, accepted: accept[code] }
      const key = JSON.stringify([code, role, message])
      if (!found.has(key)) found.set(key, hole)
    }
    this.holes = [...found.values()].filter(({ accepted }) => accepted === undefined)
    this.accepted = [...found.values()].filter(({ accepted }) => accepted !== undefined)
  }

  /** The rights as they are: for each role and message type, the outcome of a message that is right. */
  get rights(): Readonly<Record<string, Readonly<Record<string, string>>>> {
    const table: Record<string, Record<string, string>> = {}
    for (const { role, message, attack, outcome } of this.rows) {
      if (message === undefined || attack !== rightMessage) continue
      const ofRole = table[role] ?? {}
      ofRole[message] = outcome
      table[role] = ofRole
    }
    return table
  }

  /** The holes in words, and then the whole table: role, message, attack, outcome. For a terminal. */
  toString(): string {
    const found = this.holes.map(({ code, role, message, attack, means, write }) => {
      return `${code} (${role}${message === undefined ? '' : `, ${message}`}): ${attack}.\n  ${means}\n  Write ${write}.`
    })
    const head = found.length === 0 ? `${this.path}: no hole in ${this.rows.length} attacks` : found.join('\n')
    const cells = this.rows.map(({ role, message = '-', attack, outcome, hole }) => [
      role,
      message,
      attack,
      outcome,
      hole ?? '',
    ])
    const all = [['role', 'message', 'attack', 'outcome', 'hole'], ...cells]
    const widths = [0, 1, 2, 3, 4].map((at) => Math.max(...all.map((row) => row[at]?.length ?? 0)))
    const table = all.map((row) =>
      row
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    const left = this.notJudged.map(({ attack, because }) => `not judged: ${attack}: ${because}`)
    return [head, '', ...table, ...(left.length > 0 ? ['', ...left] : [])].join('\n')
  }

  /**
   * The holes as a SARIF 2.1.0 log, for the code scanning of a CI.
   *
   * @param file the source of the route, relative to the repository: where a CI shows the holes. Default `'package.json'`
   */
  toSARIF(file = 'package.json'): Sarif {
    return sarifOf(this.path, [...this.holes, ...this.accepted], file)
  }
}

/** The name of the row that says what a role may: a message as the schema wants it. */
export const rightMessage = 'a right message'
