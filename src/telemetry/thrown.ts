import type { AuditLogger } from './audit.ts'

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

/** The whole error where the logger can read it, what kind of thing it is where not. */
export function logThrown(log: AuditLogger, error: unknown, fields: object, text: string): void {
  try {
    log.error({ err: error, ...fields }, text)
  } catch {
    log.error({ thrown: nameOfThrown(error), ...fields }, text)
  }
}
