import { type ChainKey, type ChainLink, chainStart, type FoundRecord, readRecord } from './audit-record.ts'

/** Something wrong at a line of the file, counted from 1. */
export interface ChainFault {
  readonly line: number
  readonly problem: string
}

export interface ChainReport {
  /** How many whole records were read. */
  readonly records: number
  readonly faults: readonly ChainFault[]
  /** The last record, as `number:digest`; `undefined` if there is none. */
  readonly head: string | undefined
  /** Whether no record at all fits: the key is another one, or is missing. */
  readonly wrongKey: boolean
}

export interface VerifyOptions {
  readonly key?: ChainKey | undefined
  /** A head that was kept elsewhere, as `number:digest`: the file must hold this record. */
  readonly expect?: string | undefined
  /** The head of the file before, where the log was rotated. */
  readonly after?: ChainLink | undefined
}

/** @returns `undefined` for a text that is not `number:digest` */
export function readHead(text: string): ChainLink | undefined {
  const [, number, digest] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text) ?? []
  return number === undefined || digest === undefined ? undefined : { number: Number(number), digest }
}

/** At most so many faults are told: a file with another key has one in each line. */
const mostFaults = 100

/**
 * Reads a chain of audit records and says what was altered, removed, put in or moved. It goes on behind a fault with what the file says,
 * so that one alteration is one fault.
 */
export async function verifyAudit(
  lines: AsyncIterable<string> | Iterable<string>,
  { key, expect, after = chainStart }: VerifyOptions = {},
): Promise<ChainReport> {
  const faults: ChainFault[] = []
  let last: ChainLink | undefined = after
  let line = 0
  let records = 0
  let seen = 0
  let expected = expect === undefined
  for await (const text of lines) {
    line++
    const found = readRecord(text, key)
    const problem = found === undefined ? 'is no record' : problemOf(found, last)
    if (problem !== undefined && faults.length < mostFaults) faults.push({ line, problem })
    // Behind a line that is no record nothing is known of the one before.
    last = found?.link
    if (found === undefined) continue
    seen++
    if (found.whole) records++
    if (found.whole && expect === headOf(found.link)) expected = true
  }
  if (!expected)
    faults.push({ line, problem: `the record ${expect} is not in the file: its end was cut off, or rewritten` })
  if (line === 0) faults.push({ line, problem: 'the file is empty' })
  return {
    records,
    faults,
    head: last && last !== after ? headOf(last) : undefined,
    wrongKey: seen > 0 && records === 0,
  }
}

function problemOf({ link, before, whole }: FoundRecord, last: ChainLink | undefined): string | undefined {
  if (!whole) return `record ${link.number} was altered`
  if (last === undefined || before === last.digest) return undefined
  const { number } = link
  const due = last.number + 1
  if (number === due)
    return `record ${number} does not follow the one above it: that one was put in the place of another`
  if (number < due) return `record ${number} stands behind record ${last.number}: it was moved, or put in a second time`
  return number === due + 1 ? `record ${due} is missing` : `records ${due} to ${number - 1} are missing`
}

function headOf({ number, digest }: ChainLink): string {
  return `${number}:${digest}`
}
