import { hash } from 'node:crypto'
import { channel } from 'node:diagnostics_channel'
import { createAuditListener } from './audit-listener.ts'
import { hasLogger } from './developer-log.ts'
import { type AuditEntry, type AuditEvent, type AuditLogger, type AuditType, auditEvents } from './events.ts'
import { createFloodgate, type Kind } from './floodgate.ts'
import type { Identify } from './identify.ts'
import { boundedCode, type Metrics } from './metrics.ts'
import { quoted } from './quoted.ts'
import { createThrownLog, type ThrownLog } from './thrown.ts'

export type { AuditEntry, AuditEvent, AuditLogger, AuditType }

export type Audit = (entry: AuditEntry, log?: AuditLogger) => void

/** The one door of a server, which closes with it. */
export interface AuditDoor extends Audit {
  /** Writes what a flood has left to say, and a function that is behind, and ends its timer. */
  close(): void
}

export interface AuditOptions {
  readonly logger: AuditLogger
  readonly listener?: ((event: AuditEvent) => void) | undefined
  readonly metrics?: Pick<Metrics, 'count'> | undefined
  /** Told what the function, or the meter provider, throws. Default: the logger. */
  readonly thrown?: ThrownLog
  readonly now?: () => number
  /** How a user and an address are shown. Default: as they are. */
  readonly identify?: Identify | undefined
  /** Log lines per type, code and window; more are counted, and told by one line when the window ends. */
  readonly lines?: number
  /** Milliseconds. */
  readonly window?: number
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

/**
 * One door for every event: the request's logger (or the application's), the `audit` option and the diagnostics
 * channel `fastify-secure-ws:audit`. A listener that throws, or does not answer, is logged and harms nobody.
 */
export function createAudit({
  logger,
  listener,
  metrics,
  thrown = createThrownLog(logger),
  identify,
  now = () => Date.now(),
  lines = 20,
  window = 10_000,
}: AuditOptions): AuditDoor {
  // Nested under one key: nothing in an event can overwrite the logger's own `level`, `time` or `msg`.
  const write = (event: AuditEvent, log: AuditLogger) =>
    log[auditEvents[event.type].level]({ audit: event }, event.type)
  const admits = createFloodgate<Pick<AuditEntry, 'type'> & Kind>({
    lines,
    window,
    rest: ({ type, code }, suppressed) => {
      write({ type, at: new Date(now()).toISOString(), ...(code !== undefined && { code }), suppressed }, logger)
    },
  })
  const hand = listener && createAuditListener({ listener, logger, thrown })

  function tell(entry: AuditEntry, log: AuditLogger = logger): void {
    try {
      metrics?.count(entry)
    } catch (error) {
      thrown({ by: 'the meter provider', error })
    }
    const isWritten = admits({ type: entry.type, code: boundedCode(entry) })
    // Most of a flood is counted only: nobody hears these, so nothing is made of them.
    if (!isWritten && hand === undefined && !auditChannel.hasSubscribers) return
    const event = toEvent(entry, now(), identify)
    hand?.(event)
    if (auditChannel.hasSubscribers) auditChannel.publish(event)
    if (isWritten) write(event, log)
  }

  return Object.assign(tell, {
    close() {
      admits.close()
      hand?.close()
    },
  })
}

/** An id as events show it. */
export function sessionFingerprint(id: string): string {
  return hash('sha256', id, 'hex').slice(0, 16)
}

function toEvent(
  { sessionId, tokenId, ...entry }: AuditEntry,
  now: number,
  identify: Identify | undefined,
): AuditEvent {
  const event: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(identify === undefined ? entry : identify(entry))) {
    if (value !== undefined) event[key] = typeof value === 'string' ? quoted(value) : value
  }
  event.at = new Date(now).toISOString()
  if (sessionId !== undefined) event.session = sessionFingerprint(sessionId)
  if (tokenId !== undefined) event.token = sessionFingerprint(tokenId)
  return event as object as AuditEvent
}
