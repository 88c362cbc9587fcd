import { badOption } from './errors.ts'

export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/**
 * An option that does not exist is a defence that is not there: a misspelt one fails, and says which was meant.
 *
 * @throws SecureWsError `SWS_BAD_OPTION`
 */
export function checkKeys(given: Record<string, unknown>, legal: readonly string[], path: string): void {
  for (const key of Object.keys(given)) {
    if (legal.includes(key)) continue
    const close = closest(key, legal)
    const advice = close === undefined ? `Known here: ${legal.join(', ')}.` : `Did you mean \`${join(path, close)}\`?`
    throw badOption(join(path, key), given[key], `There is no such option. ${advice}`)
  }
}

/** Timers are 32 bit: Node calls back at once, and again and again, where a longer time is asked for. In ms, 24 days. */
export const longestTime = 2_147_483_647

/**
 * A whole number within bounds, as it was written.
 *
 * @param most large enough for whatever is counted, and small enough that sums of it stay exact
 * @throws SecureWsError `SWS_BAD_OPTION`
 */
export function wholeNumber(value: unknown, path: string, example: string, least = 1, most = longestTime): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least && value <= most) return value
  throw badOption(
    path,
    value,
    `Write a whole number from ${least} to ${most.toLocaleString('en')}, such as ${example}.`,
  )
}

export function join(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`
}

/** The legal name that was probably meant. */
export function closest(key: string, legal: readonly string[]): string | undefined {
  const ranked = legal
    .map((name) => ({ name, distance: distance(key.toLowerCase(), name.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)
  const [best] = ranked
  return best !== undefined && best.distance <= Math.max(2, Math.floor(key.length / 3)) ? best.name : undefined
}

/** How many letters to change, add, remove or swap with their neighbour (Damerau-Levenshtein, restricted). */
function distance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, column) => column)]
  for (let row = 1; row <= a.length; row++) {
    const line = [row]
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1]
      let cost = Math.min(
        at(rows, row - 1, column) + 1,
        (line[column - 1] ?? 0) + 1,
        at(rows, row - 1, column - 1) + (same ? 0 : 1),
      )
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
      if (swapped) cost = Math.min(cost, at(rows, row - 2, column - 2) + 1)
      line.push(cost)
    }
    rows.push(line)
  }
  return at(rows, a.length, b.length)
}

function at(rows: readonly number[][], row: number, column: number): number {
  return rows[row]?.[column] ?? 0
}
