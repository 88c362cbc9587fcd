import { badOption } from '../errors.ts'
import { checkKeys, isPlainObject } from '../option-checks.ts'
import type { AuditEvent } from '../telemetry/audit.ts'
import { type Identify, identifyByDigest } from '../telemetry/identify.ts'

/** The `audit` option with more than a function. */
export interface AuditOptions {
  /**
   * Called with each event, before the log line of it. What it throws is logged and harms nobody. Nobody waits for an async one;
   * with ten thousand calls unanswered it gets no more until it has answered half of them, and the next event has `suppressed`.
   * Default: none; events go to the log and to the diagnostics channel `fastify-secure-ws:audit`.
   */
  readonly listener?: (event: AuditEvent) => void
  /**
   * Shows `user` and `address` in events as they are, or as digests that only the holder of `key` can lead back to somebody.
   * Default `'plain'`.
   */
  readonly identify?: 'plain' | 'hash'
  /**
   * A secret of at least 32 characters or bytes for those digests, the same on every node. Default: random, so that a person has
   * another digest on each node and after each start.
   */
  readonly key?: string | Uint8Array
}

/** The finished option. */
export interface AuditSettings {
  readonly listener: ((event: AuditEvent) => void) | undefined
  readonly identify: Identify | undefined
}

const shortestKey = 32

/** @throws SecureWsError `SWS_BAD_OPTION` */
export function resolveAudit(given: unknown): AuditSettings {
  if (given === undefined) return { listener: undefined, identify: undefined }
  if (isListener(given)) return { listener: given, identify: undefined }
  if (!isPlainObject(given)) {
    throw badOption('audit', given, "Write a function, (event) => { ... }, or { listener, identify: 'hash', key }.")
  }
  checkKeys(given, ['listener', 'identify', 'key'], 'audit')
  const { listener, identify = 'plain', key } = given
  if (listener !== undefined && !isListener(listener)) {
    throw badOption('audit.listener', listener, 'Write a function: (event) => { ... }.')
  }
  if (identify !== 'plain' && identify !== 'hash') {
    throw badOption('audit.identify', identify, "Write 'plain' or 'hash'.")
  }
  if (key !== undefined && identify === 'plain') {
    throw badOption('audit.key', '(not shown)', "A key is for digests: write `identify: 'hash'` beside it.")
  }
  if (key !== undefined && !isKey(key)) {
    throw badOption('audit.key', '(not shown)', `Write a secret of at least ${shortestKey} random characters or bytes.`)
  }
  return { listener, identify: identify === 'hash' ? identifyByDigest(key) : undefined }
}

function isListener(value: unknown): value is (event: AuditEvent) => void {
  return typeof value === 'function'
}

function isKey(value: unknown): value is string | Uint8Array {
  return (typeof value === 'string' || value instanceof Uint8Array) && value.length >= shortestKey
}
