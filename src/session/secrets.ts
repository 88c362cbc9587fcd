import { badOption } from '../errors.ts'
import { checkKeys, isPlainObject } from '../option-checks.ts'

/** A secret with an end, so that a key that should be gone by then is gone (ASVS 5.0 13.3.4). */
export interface DatedSecret {
  /** As it would stand without an end: at least 32 bytes. */
  readonly secret: string | Uint8Array
  /** Milliseconds since the epoch. From then on it neither signs nor verifies. */
  readonly validUntil: number
}

/** At least 32 bytes, with or without an end. */
export type Secret = string | Uint8Array | DatedSecret

/** A value that counts until a time, in ms since the epoch; `Infinity` where nobody said when. */
export interface Dated<T> {
  readonly value: T
  readonly validUntil: number
}

const leastBytes = 32

/**
 * One secret, or a list of them, as bytes. An error never shows a secret, not even a short one.
 *
 * @throws SecureWsError `SWS_BAD_OPTION`, also where all of them are over
 */
export function readSecrets(given: unknown, path: string, howToMakeOne: string, now: number): readonly Dated<Buffer>[] {
  const list: unknown[] = Array.isArray(given) ? given : [given]
  if (list.length === 0) throw badOption(path, given, howToMakeOne)
  const secrets = list.map((one, at) => readSecret(one, Array.isArray(given) ? `${path}[${at}]` : path, howToMakeOne))
  if (secrets.some(({ validUntil }) => validUntil > now)) return secrets
  throw badOption(path, 'past its `validUntil`', 'Every secret is over: add one that counts, in front.')
}

function readSecret(given: unknown, path: string, howToMakeOne: string): Dated<Buffer> {
  if (!isPlainObject(given)) return { value: bytesOf(given, path, howToMakeOne), validUntil: Number.POSITIVE_INFINITY }
  checkKeys(Object.fromEntries(Object.keys(given).map((key) => [key, 'given'])), ['secret', 'validUntil'], path)
  return {
    value: bytesOf(given.secret, `${path}.secret`, howToMakeOne),
    validUntil: readEnd(given.validUntil, `${path}.validUntil`),
  }
}

function bytesOf(given: unknown, path: string, howToMakeOne: string): Buffer {
  if (typeof given !== 'string' && !(given instanceof Uint8Array)) {
    throw badOption(path, given === undefined ? given : `of type ${typeof given}`, howToMakeOne)
  }
  const bytes = Buffer.from(given)
  if (bytes.length < leastBytes) throw badOption(path, `${bytes.length} bytes long`, howToMakeOne)
  return bytes
}

/** Of the year 2001, in ms; what is less was meant as seconds. */
const earliest = 1_000_000_000_000

function readEnd(given: unknown, path: string): number {
  if (typeof given === 'number' && Number.isSafeInteger(given) && given >= earliest) return given
  throw badOption(path, given, "Write milliseconds since the epoch, such as Date.parse('2027-01-31').")
}

/**
 * The members of a list that count now, in its order: the same list until one of them ends. An end that has come stays, whatever
 * becomes of the clock.
 */
export function stillValid<T>(all: readonly Dated<T>[], now: () => number): () => readonly T[] {
  let valid = all
  let values = all.map(({ value }) => value)
  let nextEnd = Math.min(...all.map(({ validUntil }) => validUntil))
  return () => {
    // Nearly always: then nobody asks what time it is.
    if (nextEnd === Number.POSITIVE_INFINITY) return values
    const time = now()
    if (time < nextEnd) return values
    valid = valid.filter(({ validUntil }) => validUntil > time)
    values = valid.map(({ value }) => value)
    nextEnd = Math.min(...valid.map(({ validUntil }) => validUntil))
    return values
  }
}
