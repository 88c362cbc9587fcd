import { badOption } from '../errors.ts'
import { checkKeys, isPlainObject } from '../option-checks.ts'
import type { AuditEvent } from './audit.ts'
import { type ChainKey, type ChainLink, chainKey, chainStart, lineOf, readRecord } from './audit-record.ts'

/** Options of `auditChain`. */
export interface AuditChainOptions {
  /**
   * Called with one line of JSON for each event, without a line break, in the order of the chain. What it throws is logged; the
   * event is then missing, and the verifier shows the gap.
   */
  readonly write: (line: string) => unknown
  /**
   * A secret of at least 32 characters or bytes, kept where the records are not: with it a record is an HMAC-SHA-256 of itself and of the
   * one before. Default: none. Each record is then a SHA-256, and somebody who may write the whole file can calculate
   * a chain anew; only a head that is kept elsewhere shows it.
   */
  readonly key?: string | Uint8Array
  /** The last line that was written before this start, to go on behind it. Default: none, a chain begins. */
  readonly after?: string
}

/** A function for the option `audit`. */
export interface AuditChain {
  (event: AuditEvent): unknown
  /** The number and the digest of the last record, as `number:digest`: keep it elsewhere, and the verifier sees a file that was cut off. */
  readonly head: () => string
}

const shortestKey = 32

/**
 * Writes audit events as records that each hold the digest of the one before. `npx fastify-secure-ws verify-audit` finds what was
 * altered, removed, put in or moved.
 *
 * @throws SecureWsError `SWS_BAD_OPTION`
 */
export function auditChain(options: AuditChainOptions): AuditChain {
  const { write, key, after } = checkOptions(options)
  let last: ChainLink = after ?? chainStart
  const record = (event: AuditEvent): unknown => {
    const { line, link } = lineOf(event, last, key)
    // Before it is written: a record that is lost leaves a gap, instead of a second one of the same number.
    last = link
    return write(line)
  }
  return Object.assign(record, { head: () => `${last.number}:${last.digest}` })
}

function checkOptions(given: unknown) {
  if (!isPlainObject(given)) throw badOption('auditChain', given, 'Write `auditChain({ write: (line) => { ... } })`.')
  checkKeys(given, ['write', 'key', 'after'], 'auditChain')
  const { write, after } = given
  if (typeof write !== 'function') {
    throw badOption('auditChain.write', write, 'Write a function that keeps one line: (line) => { ... }.')
  }
  const key = checkKey(given.key)
  return { write: write as AuditChainOptions['write'], key, after: checkAfter(after, key) }
}

function checkKey(given: unknown): ChainKey | undefined {
  if (given === undefined) return undefined
  const isKey = typeof given === 'string' || given instanceof Uint8Array
  if (isKey && given.length >= shortestKey) return chainKey(given)
  throw badOption(
    'auditChain.key',
    '(not shown)',
    `Write a secret of at least ${shortestKey} random characters or bytes.`,
  )
}

function checkAfter(given: unknown, key: ChainKey | undefined): ChainLink | undefined {
  if (given === undefined) return undefined
  const found = typeof given === 'string' ? readRecord(given.trimEnd(), key) : undefined
  if (found?.whole === true) return found.link
  throw badOption(
    'auditChain.after',
    '(not shown)',
    'Write the last line of the file, as it was written, with the same key. A line that was cut off stays where it is: give the one before it, and the verifier will show it.',
  )
}
