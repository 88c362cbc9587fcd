import { isNativeError } from 'node:util/types'
import type { AuditLogger } from './events.ts'
import { createPace } from './pace.ts'
import { redactedError } from './redacted.ts'

/**
 * What an application throws can be anything: `null`, or an object that throws again when somebody looks at it. Whoever
 * reports a failure must not fail at that (MS-15).
 */
export function nameOfThrown(error: unknown): string {
  try {
    // A name that is no string came from the same hand as the error.
    return error instanceof Error && typeof error.name === 'string' ? error.name : typeof error
  } catch {
    return typeof error
  }
}

/**
 * The kind, message and stack in the log, as `err`: nowhere else, because they may quote what a client or a store said. What
 * may be a credential is cut out; where the error or the logger cannot be read, the line says what kind of thing it was.
 *
 * @param secrets what the request carried that opens something
 */
export function logThrown(
  log: AuditLogger,
  error: unknown,
  fields: object,
  text: string,
  secrets: readonly string[] = [],
): void {
  try {
    log.error({ err: readable(error, secrets), ...fields }, text)
  } catch {
    log.error({ thrown: nameOfThrown(error), ...fields }, text)
  }
}

/** Something that the application threw, and the function of its that threw it, as a developer would call it. */
export interface Thrown {
  readonly by: string
  readonly error: unknown
}

export interface ThrownPlace {
  readonly log?: AuditLogger | undefined
  readonly secrets?: readonly string[]
  readonly fields?: object
}

export type ThrownLog = (thrown: Thrown, place?: ThrownPlace) => void

/**
 * The one way from something that the application threw to the server's log. A store that is down fails for every client
 * that comes back, so each function has a few lines a second, and the next one says how many were held back.
 *
 * @param instead where an application without a logger is told
 */
export function createThrownLog(logger: AuditLogger, instead?: AuditLogger, linesPerSecond = 5): ThrownLog {
  const pace = createPace(linesPerSecond)
  return ({ by, error }, { log = logger, secrets = [], fields = {} } = {}) => {
    const held = pace(by, performance.now())
    if (held === undefined) return
    logThrown(
      instead ?? log,
      error,
      { ...fields, ...(held > 0 && { suppressed: held }) },
      `fastify-secure-ws: ${by} threw`,
      secrets,
    )
  }
}

/** A string, or whatever else was thrown, has neither a stack nor a place for a message: only its kind is told. */
function readable(error: unknown, secrets: readonly string[]): unknown {
  if (error instanceof Error || isNativeError(error)) return redactedError(error, secrets)
  return `no Error, but ${error === null ? 'null' : `a value of type ${typeof error}`}`
}

/**
 * The failure of a connection as an event shows it. The codes of ws and of Node are a few, and their own; of other texts only
 * the name of the error is safe to repeat.
 */
export function failureOf(error: unknown): { readonly code?: string; readonly reason: string } {
  const reason = nameOfThrown(error)
  try {
    if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return { reason }
    const { code, message } = error
    if (!/^(?:WS_ERR_|E)[A-Z0-9_]{1,40}$/.test(code)) return { reason }
    return { code, reason: code.startsWith('WS_ERR_') ? message : reason }
  } catch {
    return { reason }
  }
}
