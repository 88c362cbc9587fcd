/** Reads JSON by its text, where what `JSON.parse` makes of it is not enough. */

const backslash = 0x5c

/** Where the string that starts at `from` ends; -1 if it does not. Linear: each run of backslashes is counted once. */
export function endOfString(text: string, from: number): number {
  let end = text.indexOf('"', from + 1)
  while (end > 0) {
    let before = end - 1
    while (text.charCodeAt(before) === backslash) before--
    if ((end - before) % 2 === 1) return end
    end = text.indexOf('"', end + 1)
  }
  return -1
}

/**
 * Whether the names of all members are those of the text. V8 of Node 24 and 26 (nodejs/node issue 63785) takes a name with an escape
 * for one that it has read before, when that is how the escape begins: after `{"h":[],"\\":0}` it reads `{"h":1,"\"":2}` as
 * `{"h":1,"\\":2}`. Such a name always has a backslash: where none has one, nothing has to be asked. A string by itself is read as
 * it is written.
 */
export function areNamesAsWritten(text: string, value: object): boolean {
  const written = namesIn(text).map(([from, to]): string => JSON.parse(text.slice(from, to)))
  const read: string[] = []
  collectNames(value, read)
  read.sort()
  return written.sort().every((name, index) => name === read[index])
}

/**
 * `JSON.parse`, with every member under the name that is written. Where V8 reads another one, it gets the text once more, with names in
 * it that need no escape.
 *
 * @throws SyntaxError
 */
export function parseAsWritten(text: string): unknown {
  const value: unknown = JSON.parse(text)
  if (typeof value !== 'object' || value === null || !text.includes('\\') || !hasBackslash(value)) return value
  return areNamesAsWritten(text, value) ? value : parseUnderOtherNames(text)
}

/** Where the names of members stand in JSON text, with their quotes. */
function namesIn(text: string): [from: number, to: number][] {
  const found: [number, number][] = []
  for (let at = text.indexOf('"'); at >= 0; ) {
    const end = endOfString(text, at)
    const next = text.indexOf('"', end + 1)
    // Between two strings there are at most a number, brackets, a comma and white space, or the colon of a name.
    if (/^\s*:/.test(text.slice(end + 1, next < 0 ? undefined : next))) found.push([at, end + 1])
    at = next
  }
  return found
}

function collectNames(value: object, names: string[]): void {
  if (!Array.isArray(value)) for (const name of Object.keys(value)) names.push(name)
  for (const member of Object.values(value)) {
    if (typeof member === 'object' && member !== null) collectNames(member, names)
  }
}

function hasBackslash(value: object): boolean {
  if (!Array.isArray(value) && Object.keys(value).some((name) => name.includes('\\'))) return true
  return Object.values(value).some((member) => typeof member === 'object' && member !== null && hasBackslash(member))
}

function parseUnderOtherNames(text: string): unknown {
  const names: string[] = []
  const pieces: string[] = []
  let done = 0
  for (const [from, to] of namesIn(text)) {
    const number = names.push(JSON.parse(text.slice(from, to)))
    pieces.push(text.slice(done, from), `"n${number - 1}"`)
    done = to
  }
  return renamed(JSON.parse(pieces.join('') + text.slice(done)), names)
}

function renamed(value: unknown, names: readonly string[]): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((item) => renamed(item, names))
  // Defined, not set: `__proto__` is a name like others. Of a name that is written twice the last member counts, as for JSON.parse.
  return Object.entries(value).reduce(
    (made, [other, member]) =>
      Object.defineProperty(made, names[Number(other.slice(1))] ?? '', {
        ...{ value: renamed(member, names), enumerable: true, configurable: true, writable: true },
      }),
    {},
  )
}
