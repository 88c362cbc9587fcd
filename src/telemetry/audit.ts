import { hash } from 'node:crypto'
import { channel } from 'node:diagnostics_channel'
import { isThenable, promiseOf } from '../thenable.ts'
import { hasLogger } from './developer-log.ts'
import type { AuditEntry, AuditEvent, AuditLogger, AuditType } from './events.ts'
import type { Metrics } from './metrics.ts'
import { createPace } from './pace.ts'
import { quoted } from './quoted.ts'
import { logThrown } from './thrown.ts'

export type { AuditEntry, AuditEvent, AuditLogger, AuditType }

export type Audit = (entry: AuditEntry, log?: AuditLogger) => void

export interface AuditOptions {
  readonly logger: AuditLogger
  readonly listener?: ((event: AuditEvent) => void) | undefined
  readonly metrics?: Pick<Metrics, 'count'> | undefined
  readonly now?: () => number
  /** Log lines per event type, code and second; more are counted and reported with the next line (flood of refusals). */
  readonly linesPerSecond?: number
}

/** Whether an event would reach anybody: the application's function, its log, its metrics or a subscriber of the channel. */
export function createHearing({
  logger,
  listener,
  metrics,
}: Pick<AuditOptions, 'logger' | 'listener' | 'metrics'>): () => boolean {
  const always = listener !== undefined || metrics !== undefined || hasLogger(logger)
  return () => always || auditChannel.hasSubscribers
}

const auditChannel = channel('fastify-secure-ws:audit')

const levels: Partial<Record<AuditType, 'warn' | 'error'>> = {
  'handshake.refused': 'warn',
  'handshake.reported': 'warn',
  'message.refused': 'warn',
  'output.refused': 'warn',
  'room.refused': 'warn',
  'session.revalidation-failed': 'warn',
  'options.loosened': 'warn',
  'server.overloaded': 'warn',
  // The client's doing, or the network's.
  'socket.failed': 'warn',
  'message.failed': 'error',
  'relay.failed': 'error',
}

/**
 * One door for every event: the request's logger (or the application's), the `audit` option and the diagnostics
 * channel `fastify-secure-ws:audit`. A listener that throws is logged and harms nobody.
 */
export function createAudit({ logger, listener, metrics, now = Date.now, linesPerSecond = 20 }: AuditOptions): Audit {
  const pace = createPace(linesPerSecond)
  const listenerFailed = (error: unknown) =>
    logThrown(logger, error, {}, 'fastify-secure-ws: the `audit` function threw')
  return (entry, log = logger) => {
    try {
      metrics?.count(entry)
    } catch (error) {
      logThrown(logger, error, {}, 'fastify-secure-ws: the meter provider threw')
    }
    const suppressed = pace(`${entry.type} ${entry.code ?? ''}`, performance.now())
    // Most of a flood is counted only: nobody hears these, so nothing is made of them.
    if (suppressed === undefined && listener === undefined && !auditChannel.hasSubscribers) return
    const event = toEvent(entry, now())
    if (listener !== undefined) {
      try {
        const said: unknown = listener(event)
        // An `async` function: a rejection that nobody hears ends the process.
        if (isThenable(said)) promiseOf(said).catch(listenerFailed)
      } catch (error) {
        listenerFailed(error)
      }
    }
    if (auditChannel.hasSubscribers) auditChannel.publish(event)
    if (suppressed === undefined) return
    const line = suppressed === 0 ? event : { ...event, suppressed }
    // Nested under one key: nothing in an event can overwrite the logger's own `level`, `time` or `msg`.
    log[levels[event.type] ?? 'info']({ audit: line }, event.type)
  }
}

/** A session id as events show it. */
export function sessionFingerprint(id: string): string {
  return hash('sha256', id, 'hex').slice(0, 16)
}

function toEvent({ sessionId, ...entry }: AuditEntry, now: number): AuditEvent {
  const event: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(entry)) {
    if (value !== undefined) event[key] = typeof value === 'string' ? quoted(value) : value
  }
  event.at = new Date(now).toISOString()
  if (sessionId !== undefined) event.session = sessionFingerprint(sessionId)
  return event as object as AuditEvent
}
