import { hash } from 'node:crypto'
import { channel } from 'node:diagnostics_channel'
import { isThenable, promiseOf } from '../thenable.ts'
import { hasLogger } from './developer-log.ts'
import type { Metrics } from './metrics.ts'
import { createPace } from './pace.ts'
import { quoted } from './quoted.ts'
import { logThrown } from './thrown.ts'

/** Everything that is decided about a handshake, a socket or a message, by name. `docs/threats.md` lists who sees what. */
export type AuditType =
  | 'handshake.accepted'
  | 'handshake.refused'
  | 'handshake.reported'
  | 'handshake.asked'
  | 'socket.closed'
  | 'socket.failed'
  | 'message.refused'
  | 'message.failed'
  | 'output.refused'
  | 'session.expired'
  | 'session.revoked'
  | 'session.revalidation-failed'
  | 'room.joined'
  | 'room.left'
  | 'room.refused'
  | 'ticket.issued'
  | 'relay.failed'
  | 'server.drained'
  | 'server.overloaded'
  | 'options.loosened'

/** A decision: who, what, when, where. Never a message body, a credential or a raw session id (ASVS 16.2.5). */
export interface AuditEvent {
  /** The kind of decision. */
  readonly type: AuditType
  /** ISO 8601, UTC. */
  readonly at: string
  /** A refusal code (`SWS_...`) or a close code. */
  readonly code?: string | number
  /** The reason, for the operator: control characters escaped, cut at 256 characters. Never sent to the client. */
  readonly reason?: string
  /** The route as it was declared, such as `/rooms/:id`. */
  readonly route?: string
  /** The socket's id, on every event that concerns one. */
  readonly socket?: string
  /** The first 16 hex digits of SHA-256 of the session id: correlates events, opens nothing. */
  readonly session?: string
  /** `session.userId`. */
  readonly user?: string
  /** The address that the handshake came from. */
  readonly address?: string
  /** The `Origin` of the handshake. */
  readonly origin?: string
  /** The authenticator that spoke. */
  readonly method?: string
  /** A declared message type, or the quoted one a client sent. */
  readonly messageType?: string
  /** The room. */
  readonly room?: string
  /** How long it took, in ms: the handshake, the life of the socket, or the drain. */
  readonly durationMs?: number
  /** How many it concerned: the sockets that were closed. */
  readonly count?: number
  /**
   * In the log alone: how many of the same type and code were not logged since the last line. The `audit` function gets
   * every one.
   */
  readonly suppressed?: number
}

/** What a caller knows; `at` and quoting are added here, so that no caller can forget either. */
export type AuditEntry = { readonly type: AuditType; readonly sessionId?: string | undefined } & {
  readonly [Key in Exclude<keyof AuditEvent, 'type' | 'at' | 'session' | 'suppressed'>]?: AuditEvent[Key] | undefined
}

/** The part of a pino logger that is used. */
export interface AuditLogger {
  info(fields: object, text: string): void
  warn(fields: object, text: string): void
  error(fields: object, text: string): void
}

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
