import { createHash, createHmac, createSecretKey, type KeyObject } from 'node:crypto'
import type { AuditEvent } from './audit.ts'

/** The place of a record in its chain. */
export interface ChainLink {
  readonly number: number
  /** SHA-256 or HMAC-SHA-256, 64 hex digits. */
  readonly digest: string
}

export type ChainKey = KeyObject

/** The link before the first record. */
export const chainStart: ChainLink = { number: 0, digest: '0'.repeat(64) }

export function chainKey(secret: string | Uint8Array): ChainKey {
  return createSecretKey(typeof secret === 'string' ? Buffer.from(secret) : secret)
}

/** The line of the record that follows `before`. */
export function lineOf(
  event: AuditEvent | object,
  before: ChainLink,
  key: ChainKey | undefined,
): { readonly line: string; readonly link: ChainLink } {
  const number = before.number + 1
  const body = `{"n":${number},"before":"${before.digest}","event":${JSON.stringify(event)}`
  const digest = (key === undefined ? createHash('sha256') : createHmac('sha256', key)).update(body).digest('hex')
  return { line: `${body},"digest":"${digest}"}`, link: { number, digest } }
}

/** A line of a file that somebody may have written to. */
export interface FoundRecord {
  readonly link: ChainLink
  /** The digest of the record before, as this one has it. */
  readonly before: string
  /** Whether the line is, byte for byte, what its own digest says. */
  readonly whole: boolean
}

const digest = /^[0-9a-f]{64}$/

/** @returns `undefined` for a line that is no record */
export function readRecord(line: string, key: ChainKey | undefined): FoundRecord | undefined {
  const found = parsed(line)
  if (found === undefined) return undefined
  const { n, before, event, digest: own } = found
  if (typeof n !== 'number' || !Number.isSafeInteger(n) || n < 1) return undefined
  if (typeof before !== 'string' || !digest.test(before) || typeof own !== 'string' || !digest.test(own))
    return undefined
  if (typeof event !== 'object' || event === null) return undefined
  // Written again and compared as text: a member that stands twice, or a space, is no way to show a reader something else.
  const whole = lineOf(event, { number: n - 1, digest: before }, key).line === line
  return { link: { number: n, digest: own }, before, whole }
}

function parsed(line: string): { readonly [key: string]: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? { ...value } : undefined
  } catch {
    return undefined
  }
}
