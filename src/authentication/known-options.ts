import { badOption } from '../errors.ts'
import { closest } from '../option-checks.ts'

/**
 * Refuses options that are not an object, and members nobody reads: a misspelt `audiance` would otherwise be a check that
 * is silently left out.
 * @throws SecureWsError `SWS_BAD_OPTION` with the full path and the nearest known name.
 */
export function refuseUnknownOptions(path: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw badOption(path, shapeOf(options), `Write an object with ${listed(known)}.`)
  }
  for (const [key, value] of Object.entries(options)) {
    if (known.includes(key)) continue
    const near = closest(key, known)
    const advice = near === undefined ? '' : `did you mean \`${near}\`? `
    throw badOption(`${path}.${key}`, shapeOf(value), `No such option; ${advice}Known are ${listed(known)}.`)
  }
}

/** An option that is a function, or left out. */
export function refuseNoFunction(path: string, value: unknown, example: string, required = false): void {
  if (typeof value === 'function' || (value === undefined && !required)) return
  throw badOption(path, shapeOf(value), `Write a function, for example ${example}.`)
}

function listed(names: readonly string[]): string {
  return names.map((name) => `\`${name}\``).join(', ')
}

/**
 * A wrong value as an error may show it. In this folder it may be a secret or a key in the wrong place, and startup errors
 * end up in logs, so only its shape is told.
 */
export function shapeOf(value: unknown): unknown {
  if (value === null || value === undefined || typeof value === 'boolean' || typeof value === 'number') return value
  if (Array.isArray(value)) return `a list of ${value.length}`
  return typeof value === 'object'
    ? `an object with ${listed(Object.keys(value)) || 'nothing in it'}`
    : `a ${typeof value}`
}
